// The number that the initial pid namespace, and so every BPF program, gives to a process of this one.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "engines/base/result.h"
#include "probes/attach.h"

namespace daxlab::probes {

class Whois {
 public:
  /// Loads the iterator; without it only the initial namespace can be served.
  explicit Whois(SharedMaps& shared);

  /// kNotFound when there is no such process; kMissingFacility in a pid namespace whose numbers cannot be translated.
  Result<uint32_t> kernel_tgid(pid_t pid) const;

 private:
  Result<uint32_t> ask(pid_t pid) const;
  std::unique_ptr<LoadedObject> object_;
  std::string why_not_;
};

}  // namespace daxlab::probes
