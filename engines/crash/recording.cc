#include "engines/crash/recording.h"

#include <fmt/format.h>

#include <cstring>

namespace daxlab::crash {

namespace {

Result<void> same_answer(const Op& op, const Result<void>& engine, const Result<void>& model) {
  if (engine.ok() == model.ok()) return {};
  return Error(Errc::kCorrupt,
               fmt::format("'{}': the engine says '{}', POSIX says '{}'", op.to_string(),
                           engine.ok() ? "done" : engine.error().message(), model.ok() ? "done" : model.error().message()));
}

void copy_out(const pmem::Region& region, std::vector<std::byte>& into) {
  const auto bytes = region.bytes();
  into.assign(bytes.begin(), bytes.end());
}

void copy_in(const std::vector<std::byte>& from, pmem::Region& region) {
  std::memcpy(region.bytes().data(), from.data(), from.size());
}

}  // namespace

/// What an earlier use left: an engine that takes fresh space for zeroed shows it.
void SequenceRecorder::fill_with_foreign_bytes() {
  constexpr uint64_t kForeignContent = 0xf0f0;
  fill_content(kForeignContent, 0, region_.bytes());
}

Result<Recording> SequenceRecorder::record_format() {
  fill_with_foreign_bytes();
  copy_out(region_, base_);
  Recording recording;
  recording.history = History::of(Tree(), {Op{}});
  pmem::Recorder recorder(region_);
  recorder.op_begin(0);
  DAXLAB_TRY(engine_.type->format(&region_, engine_.options));
  recorder.op_end(0);
  recording.trace = recorder.take();
  return recording;
}

Result<void> SequenceRecorder::run_setup(const std::vector<Op>& setup) {
  fill_with_foreign_bytes();
  DAXLAB_TRY(engine_.type->format(&region_, engine_.options));
  DAXLAB_ASSIGN(auto engine, engine_.type->mount(&region_, engine_.options));
  Tree model;
  HeldFiles held;
  for (const Op& op : setup) DAXLAB_TRY(same_answer(op, apply(*engine, held, op), apply(model, op)));
  DAXLAB_TRY(engine->sync());
  held.by_path.clear();
  return engine->unmount();
}

Result<void> SequenceRecorder::prepare(const std::vector<Op>& setup) {
  if (after_setup_.empty() || to_string(setup) != to_string(setup_)) {
    DAXLAB_TRY(run_setup(setup));
    copy_out(region_, after_setup_);
    setup_ = setup;
  }
  copy_in(after_setup_, region_);
  return {};
}

Result<Recording> SequenceRecorder::record(const Sequence& sequence) {
  DAXLAB_TRY(prepare(sequence.setup));
  copy_out(region_, base_);
  Recording recording;
  recording.history = History::of(History::of(Tree(), sequence.setup).trees.back(), sequence.ops);
  Tree model = recording.history.trees.front();
  HeldFiles held;
  pmem::Recorder recorder(region_);
  DAXLAB_ASSIGN(auto engine, engine_.type->mount(&region_, engine_.options));
  for (size_t i = 0; i < sequence.ops.size(); ++i) {
    const Op& op = sequence.ops[i];
    recorder.op_begin(i);
    const Result<void> answer = apply(*engine, held, op);
    recorder.op_end(i);
    DAXLAB_TRY(same_answer(op, answer, apply(model, op)));
  }
  recorder.op_begin(sequence.ops.size());
  held.by_path.clear();
  DAXLAB_TRY(engine->unmount());
  recorder.op_end(sequence.ops.size());
  engine.reset();
  recording.trace = recorder.take();
  recording.history.ops.push_back(Op{});  // the unmount: a sync
  recording.history.trees.push_back(recording.history.trees.back());
  return recording;
}

}  // namespace daxlab::crash
