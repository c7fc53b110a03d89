// The media of a run: dram is populated once here and inherited by every child; files and devdax are checked here and opened by
// the children.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "engines/base/result.h"
#include "engines/pmem/region.h"
#include "harness/cell.h"

namespace daxlab::harness {

class MediaPool {
 public:
  /// Opens the cell's medium if that is new, and checks that its engine and what its workload stores fit. kUsage names medium and reason.
  Result<void> require(const Cell& cell);
  /// Whether require() has to populate memory for this cell, which takes a while.
  bool will_populate(const Cell& cell) const;
  /// Descriptor for the child, or -1 where it opens the medium itself.
  int fd(const Cell& cell) const;
  /// Whether every dram medium is mapped by 2 MiB entries.
  bool huge_pages() const;

 private:
  std::map<std::string, std::unique_ptr<pmem::Region>> regions_;
};

}  // namespace daxlab::harness
