// One sequence, recorded: the trace of its stores, the medium before it, and what the model says.
#pragma once

#include <memory>
#include <vector>

#include "engines/api/registry.h"
#include "engines/base/result.h"
#include "engines/crash/oracle.h"
#include "engines/crash/sequences.h"
#include "engines/pmem/recorder.h"
#include "engines/pmem/region.h"

namespace daxlab::crash {

struct Recording {
  pmem::Trace trace;
  History history;  ///< Of the recorded operations; a last pseudo-operation, the unmount, changes nothing.
};

/// Records sequences of one setup again and again: the medium after the setup is made once and copied back.
class SequenceRecorder {
 public:
  SequenceRecorder(const EngineSpec& engine, pmem::Region& region) : engine_(engine), region_(region) {}

  /// Runs `sequence` on a fresh medium, from the mount to the unmount. kCorrupt with the operation's text if the engine's answer
  /// differs from the model's. base() is then the medium as it was when recording began.
  Result<Recording> record(const Sequence& sequence);
  /// Formats a medium that was used for something else. The history is one operation, which makes the empty tree.
  Result<Recording> record_format();
  const std::vector<std::byte>& base() const { return base_; }

 private:
  void fill_with_foreign_bytes();
  Result<void> prepare(const std::vector<Op>& setup);
  Result<void> run_setup(const std::vector<Op>& setup);

  EngineSpec engine_;
  pmem::Region& region_;
  std::vector<Op> setup_;  // whose result is in after_setup_
  std::vector<std::byte> after_setup_;
  std::vector<std::byte> base_;
};

}  // namespace daxlab::crash
