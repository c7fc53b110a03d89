// `daxlab mount`: serves an image that lasts as a kernel file system until it is unmounted.
#include <fmt/format.h>

#include "engines/pmem/label.h"
#include "engines/pmem/region.h"
#include "harness/cli.h"
#include "harness/mount/fuse_server.h"
#include "harness/stored_engine.h"

namespace daxlab::harness {
namespace {

Result<int> run(const Arguments& arguments) {
  DAXLAB_ASSIGN(StoredEngine stored, open_stored_engine(arguments.get("--media")));
  FuseOptions options;
  options.source = arguments.get("--media");
  options.single_threaded = arguments.has("--single-threaded");
  options.debug = arguments.has("--debug");
  const std::string directory = arguments.get("DIR");
  fmt::print(stderr, "daxlab mount: {} ({}) at {}; unmount it, or press Ctrl-C, to end\n", options.source,
             stored.spec.to_string(), directory);
  DAXLAB_TRY(serve_fuse(*stored.engine, directory, options));
  DAXLAB_TRY(stored.engine->unmount());
  return kExitDone;
}

const RegisterCommand kRegistered{{
    .name = "mount",
    .purpose = "serve an image on a file or devdax as a file system (libfuse3)",
    .options = {{"--media", "MEDIA", "the image: file:PATH or devdax:PATH; its label names engine and options", true, false},
                {"--single-threaded", "", "answer one request at a time", false, false},
                {"--debug", "", "log every request", false, false},
                {"DIR", "DIR", "an existing directory to mount at", true, false}},
    .examples = {"daxlab mount --media file:/tmp/image /mnt", "daxlab mount --media devdax:/dev/dax0.0 /mnt"},
    .notes = "Make the image with 'daxlab mkfs --engine native --media file:/tmp/image:1GiB'. SIGTERM unmounts cleanly.",
    .order = 70,
    .run = run,
}};

}  // namespace
}  // namespace daxlab::harness
