// Mounts one crash image and says whether it is allowed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engines/api/registry.h"
#include "engines/crash/oracle.h"
#include "engines/pmem/recorder.h"
#include "engines/pmem/region.h"

namespace daxlab::crash {

struct Judgement {
  std::string wrong;       ///< Empty: allowed.
  bool refused = false;    ///< The mount said no.
  uint64_t tree_hash = 0;  ///< Of the recovered tree.
  pmem::Trace recovery;    ///< What the mount did, if asked for: loads included.
};

/// Judges the image that `region` holds, as far as `engine` may be believed: mount, check(), comparison with what is allowed, use
/// of everything, unmount, mount and check again. The image is changed. With `record_recovery`, the first mount is recorded,
/// loads included.
Judgement judge_image(const EngineSpec& engine, pmem::Region& region, const History& history, const Allowed& allowed,
                      bool use_everything, bool record_recovery);

}  // namespace daxlab::crash
