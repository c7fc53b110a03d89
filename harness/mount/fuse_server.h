// Serves a mounted engine as a kernel file system through libfuse3's low-level interface, so that ordinary programs can run on
// it.
//
// Permissions are checked by the kernel (default_permissions). Each request is answered by the engine directly; nothing is cached
// here. Extended attributes are refused with ENOTSUP. Request threads run engine calls in parallel.
#pragma once

#include <string>

#include "engines/api/engine.h"
#include "engines/base/result.h"

namespace daxlab {

struct FuseOptions {
  std::string source;  ///< Shown by mount(8): the medium.
  bool single_threaded = false;
  bool debug = false;  ///< libfuse's request log on stderr.
};

/// Mounts `engine` at `directory` and serves until SIGTERM, SIGINT, SIGHUP or umount(8); then returns with the engine idle: every
/// file is closed and every reference forgotten, so that Engine::unmount() can succeed. kMissingFacility: no /dev/fuse or no
/// fusermount3. kNotFound, kNotDirectory: the mount point.
Result<void> serve_fuse(Engine& engine, const std::string& directory, const FuseOptions& options);

}  // namespace daxlab
