// A stretch of code in which the calling thread must not allocate: malloc, operator new, mmap or mprotect inside it abort.
// Enforced where the interposers are linked (tests and the mutants build); elsewhere a NoAllocZone is two stores.
#pragma once

namespace daxlab {

extern constinit thread_local int t_no_alloc_depth;

/// Whether this program aborts inside a zone: the interposers are linked (no_alloc_zone_interpose.cc).
bool no_alloc_zone_enforced();

class NoAllocZone {
 public:
  NoAllocZone() { ++t_no_alloc_depth; }
  ~NoAllocZone() { --t_no_alloc_depth; }
  NoAllocZone(const NoAllocZone&) = delete;
  NoAllocZone& operator=(const NoAllocZone&) = delete;
};

/// Lifts the zone for a tool that watches what runs in it, as a recorder.
class NoAllocExemption {
 public:
  NoAllocExemption() : depth_(t_no_alloc_depth) { t_no_alloc_depth = 0; }
  ~NoAllocExemption() { t_no_alloc_depth = depth_; }
  NoAllocExemption(const NoAllocExemption&) = delete;
  NoAllocExemption& operator=(const NoAllocExemption&) = delete;

 private:
  int depth_;
};

}  // namespace daxlab
