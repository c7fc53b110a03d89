// The maps of one probe as numbers: named by the enums of its source, summed over CPUs, read for one phase.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probes/attach.h"
#include "probes/loader.h"

namespace daxlab::probes {

class Readout {
 public:
  explicit Readout(const LoadedObject& object);

  /// Zeroes everything, so that the next target starts from nothing.
  void clear() const;
  /// Fills counts, histograms and lost of `report`.
  void read(SessionPhase phase, ProbeReport& report) const;
  /// Does any kind's meaning depend on the table of pmem ranges?
  bool uses_ranges() const;

 private:
  std::vector<std::string> hist_kinds_;
  std::vector<std::string> count_kinds_;
  int hists_fd_ = -1;
  int counts_fd_ = -1;
  int lost_fd_ = -1;
};

}  // namespace daxlab::probes
