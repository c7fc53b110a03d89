#include "engines/crash/judgement.h"

#include <memory>
#include <optional>

#include "engines/crash/exercise.h"

namespace daxlab::crash {

namespace {

std::string first_finding(Engine& engine) {
  const auto report = engine.check();
  if (!report.ok()) return report.error().message();
  return report->clean() ? std::string() : report->findings.front();
}

std::string judge_mounted(Engine& engine, const History& history, const Allowed& allowed, bool use_everything,
                          Judgement& judgement) {
  std::string wrong = first_finding(engine);
  if (!wrong.empty()) return "check after recovery: " + wrong;
  const auto tree = capture(engine);
  if (!tree.ok()) return "after recovery: " + tree.error().message();
  judgement.tree_hash = tree->hash();
  wrong = judge(history, allowed, *tree);
  if (!wrong.empty() || !use_everything) return wrong;
  wrong = exercise(engine, *tree);
  if (!wrong.empty()) return wrong;
  wrong = first_finding(engine);
  return wrong.empty() ? wrong : "check after using it: " + wrong;
}

std::string mount_again(const EngineSpec& engine, pmem::Region& region, bool emptied) {
  const auto mounted = engine.type->mount(&region, engine.options);
  if (!mounted.ok()) return "second mount: " + mounted.error().message();
  const std::string wrong = first_finding(**mounted);
  if (!wrong.empty()) return "check after the second mount: " + wrong;
  const auto tree = capture(**mounted);
  if (!tree.ok()) return "second mount: " + tree.error().message();
  return emptied && tree->nodes.size() != 1 ? "second mount: what was removed is back" : "";
}

}  // namespace

Judgement judge_image(const EngineSpec& engine, pmem::Region& region, const History& history, const Allowed& allowed,
                      bool use_everything, bool record_recovery) {
  Judgement judgement;
  std::optional<pmem::Recorder> recorder;
  if (record_recovery) {
    recorder.emplace(region);
    recorder->record_loads(true);
  }
  auto mounted = engine.type->mount(&region, engine.options);
  if (recorder) judgement.recovery = recorder->take();
  if (!mounted.ok()) {
    judgement.refused = true;
    judgement.wrong = "mount: " + mounted.error().message();
    return judgement;
  }
  std::unique_ptr<Engine> running = std::move(mounted).value();
  judgement.wrong = judge_mounted(*running, history, allowed, use_everything, judgement);
  if (!judgement.wrong.empty()) return judgement;
  if (const auto unmounted = running->unmount(); !unmounted.ok()) {
    judgement.wrong = "unmount after recovery: " + unmounted.error().message();
    return judgement;
  }
  running.reset();
  judgement.wrong = mount_again(engine, region, use_everything);
  return judgement;
}

}  // namespace daxlab::crash
