// The crash explorer: runs a sequence on an engine under the recorder, builds every image that a crash could have left, and
// judges each.
//
// For each image: mount, check(), compare with what is allowed (oracle.h), then use everything (create, write, rename and unlink
// all), unmount, mount and check again. A seeded share of images is also crashed *inside recovery*: the mount, one operation
// behind it, which differs from image to image, and the unmount are recorded, and the crash images of all three are judged: in
// the mount by the same rule, behind it by what the mount had found. So what a recovery stores must hold when something is built
// on it and when the medium is put away. An image is judged once per operation: states are counted by distinct (image, operation).
//
// Images are patched into the medium and undone in place (pmem/crash_images.h); only a crash inside recovery works on a copy.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "engines/api/registry.h"
#include "engines/base/result.h"
#include "engines/crash/oracle.h"
#include "engines/crash/sequences.h"
#include "engines/pmem/crash_images.h"
#include "engines/pmem/region.h"

namespace daxlab::crash {

struct ExplorerOptions {
  pmem::CrashModel model = pmem::CrashModel::kClwb;
  uint64_t seed = 1;
  uint64_t media_bytes = 0;  ///< 0: the engine's minimum, at least 2 MiB.
  size_t images_per_point_max = 64;
  uint32_t recovery_share = 32;     ///< One image in so many is crashed inside its recovery; 0: none.
  size_t recovery_images_max = 64;  ///< Of one recovery and what is behind it, shared by their points; three each at least.
  bool use_everything = true;
  std::function<bool()> stop;  ///< Asked wherever the deadline is; true ends an exploration as that does.
  /// Negative controls: changes a recorded trace before images are made of it, as a missing fence in the engine would have.
  std::function<void(pmem::Trace&)> edit;
  /// The same of the trace of a recovery; the mount is what comes before the first operation begins.
  std::function<void(pmem::Trace&)> edit_recovery;
};

/// A state that should not be.
struct Violation {
  std::string engine;  ///< Spec that mounts it.
  Sequence sequence;
  std::string image;  ///< "point/choice", or "point/choice+point/choice" inside recovery.
  std::string where;  ///< Operation and what was in flight.
  std::string what;   ///< What is wrong.
};

struct Statistics {
  uint64_t sequences = 0;
  uint64_t images = 0;              ///< Generated.
  uint64_t states = 0;              ///< Distinct by image and operation: mounted and judged.
  uint64_t states_in_recovery = 0;  ///< The part of them cut inside recovery or behind it.
  uint64_t states_under_way = 0;    ///< The part with an operation under way.
  uint64_t states_multi = 0;        ///< The part from sequences of more than one operation.
  uint64_t recovered = 0;           ///< Distinct trees found after recovery.
  uint64_t violations = 0;
  std::array<uint64_t, kOpKindCount> states_by_kind{};  ///< By the operation that they are in or behind.
  double seconds = 0;
  Statistics& operator+=(const Statistics& other);
};

class Explorer {
 public:
  /// kUsage if the engine cannot be crashed (no region, stores no data). `engine` is copied; options that make a run replayable
  /// are set: background=inline, mmu=soft, where the engine has them.
  static Result<std::unique_ptr<Explorer>> create(const EngineSpec& engine, const ExplorerOptions& options);
  ~Explorer();

  /// Explores one sequence until done or `deadline`. Violations are appended (one per sequence, the first found); a sequence that
  /// the engine itself refuses is a violation too.
  using Clock = std::chrono::steady_clock;
  Result<void> explore(const Sequence& sequence, Clock::time_point deadline);
  /// The format of a used medium: cut, it leaves one that is refused or empty; finished, an empty one. Its sequence has neither
  /// setup nor operations.
  Result<void> explore_format(Clock::time_point deadline);
  /// Judges one image of a sequence again; empty if it is allowed.
  Result<std::string> replay(const Sequence& sequence, const std::string& image);

  const Statistics& statistics() const;
  const std::vector<Violation>& violations() const;
  const std::unordered_set<uint64_t>& recovered_trees() const;  ///< Their hashes.

 private:
  Explorer();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace daxlab::crash
