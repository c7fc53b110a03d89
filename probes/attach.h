// One BPF object of a session: opened, bound to the session's shared maps, loaded and attached as one of its choices.
//
// Invariants:
// 1. A LoadedObject is loaded and every program of its choice is attached, or it does not exist (load() says why).
// 2. Programs of choice N have names that end in __<digits> with the digit N; programs without a suffix belong to all.
// 3. Section names say what to attach to: "usdt/daxlab:POINT" in the session's binary; "perf_event" programs by the
//    beginning of their name (page_faults, context_switches, cpu_clock); all others as libbpf reads them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engines/base/result.h"
#include "probes/unique_fd.h"

struct bpf_link;
struct bpf_map;
struct bpf_object;

namespace daxlab::probes {

/// What the objects of one session have in common.
struct SharedMaps {
  UniqueFd control;
  UniqueFd scopes;  ///< Made by the first object that has it.
};

enum class AbsentPoints { kFail, kSkip };  ///< What becomes of programs whose USDT point the binary lacks.

class LoadedObject {
 public:
  /// `choice` counts from 1. The error's detail is a reason with its remedy.
  static Result<std::unique_ptr<LoadedObject>> load(const std::string& name, unsigned choice, const std::string& binary,
                                                    SharedMaps& shared, AbsentPoints absent = AbsentPoints::kFail);
  ~LoadedObject();
  LoadedObject(const LoadedObject&) = delete;
  LoadedObject& operator=(const LoadedObject&) = delete;

  bpf_object* object() const { return object_; }
  /// nullptr when the object has no such map.
  bpf_map* map(const char* name) const;
  /// Hits that the kernel did not deliver to the attached programs since they were loaded, whoever the target was.
  uint64_t missed() const;

 private:
  LoadedObject() = default;
  bpf_object* object_ = nullptr;
  std::vector<bpf_link*> links_;
};

/// Does the object of this name declare this map? False when there is no such object.
bool object_has_map(const std::string& name, const char* map);

}  // namespace daxlab::probes
