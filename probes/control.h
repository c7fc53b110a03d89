// The control page of a session: one map that all its objects share, mapped here. probe.h says who writes what.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engines/base/result.h"
#include "probes/attach.h"
#include "probes/loader.h"
#include "probes/probe.h"

namespace daxlab::probes {

class Control {
 public:
  Control() = default;
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// Makes the map and maps it. Empty, or why not; the calls below need it to have worked.
  std::string map(SharedMaps& shared);
  bool mapped() const { return page_ != nullptr; }

  /// From here on nothing is accounted.
  void stop();
  /// Forgets the last target's marks and ranges; the next is not looked at before start(). kUsage for too many ranges.
  Result<void> prepare(const std::vector<AddressRange>& ranges);
  /// From here on the process is the target, in phase kOutside.
  void start(uint32_t tgid);
  void set_phase(SessionPhase phase);

  uint32_t marks() const;
  uint32_t ranges_lost() const;

 private:
  probe_control* page_ = nullptr;
};

}  // namespace daxlab::probes
