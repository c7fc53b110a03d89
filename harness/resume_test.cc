// A run that is killed at any moment goes on with --resume: each repetition exactly once, nothing finished lost, no process left
// behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <set>
#include <thread>

#include "engines/base/clock.h"
#include "engines/base/random.h"
#include "harness/cli.h"
#include "harness/test_support.h"

namespace daxlab::harness {
namespace {

constexpr int kKills = 50;
constexpr uint64_t kSeed = 20160801;
constexpr size_t kRepetitions = 2 * 3 + 2;  // two cells, three processes each, and their accounted twins
constexpr int kLifeFd = 9;                  // held open by the runner and everything it starts

struct Small {
  std::string repetitions = "3";
  std::string ops = "200000";
  std::string seed = "7";
};

std::vector<std::string> words_of(const std::string& folder, const Small& small = {}) {
  return {"run",           "--any-build",
          "--no-report",   "--no-calibration",
          "--probe",       "none",
          "--engine",      "null",
          "--workload",    "append,create_unlink",
          "--threads",     "1",
          "--repetitions", small.repetitions,
          "--ops",         small.ops,
          "--seed",        small.seed,
          "--out",         folder,
          "--resume",      "--set",
          "crossing=none"};
}

/// All whole lines, in order; checks that none is there twice.
std::vector<std::string> finished(const std::string& folder) {
  std::vector<std::string> keys;
  for (const Json& record : read_records(folder)) keys.push_back(key_of(record));
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size()) << "a repetition is recorded twice";
  return keys;
}

class Life {
 public:
  Life() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_ = Fd(ends[0]);
    write_ = Fd(ends[1]);
  }
  Inherited inherited() const { return {write_.get(), kLifeFd}; }
  /// Whether everyone who held the other end is gone, within a patient while.
  bool all_gone() {
    write_.reset();
    pollfd end{read_.get(), POLLIN, 0};
    return ::poll(&end, 1, 60'000) == 1 && (end.revents & POLLHUP) != 0;
  }

 private:
  Fd read_;
  Fd write_;
};

/// The child process that the runner has at this moment, or -1.
pid_t child_of(pid_t runner) {
  const std::string text = read_text("/proc/" + std::to_string(runner) + "/task/" + std::to_string(runner) + "/children");
  return text.empty() ? -1 : static_cast<pid_t>(std::stol(text));
}

TEST(Resume, RunnerKilledAtSeededMomentsLosesNothing) {
  const Folder folder;
  Random random(kSeed);
  int run = 0;
  std::vector<std::string> before;
  // One undisturbed run says how long it takes here, so that the moments fall all over it.
  const uint64_t began_ns = monotonic_ns();
  ASSERT_EQ(run_daxlab(words_of(folder / "undisturbed")).ending.code, kExitDone);
  const double whole = static_cast<double>(monotonic_ns() - began_ns) * 1e-9;
  ASSERT_EQ(finished(folder / "undisturbed").size(), kRepetitions);

  for (int kill = 0; kill < kKills;) {
    const std::string at = folder / ("run" + std::to_string(run));
    Life life;
    const double moment = whole * static_cast<double>(random.below(1000)) / 2000.0 + 0.001;
    const Output output = run_daxlab(words_of(at), moment, {life.inherited()});
    EXPECT_TRUE(life.all_gone()) << "a child outlived its runner";
    const std::vector<std::string> now = finished(at);
    ASSERT_GE(now.size(), before.size());
    EXPECT_TRUE(std::equal(before.begin(), before.end(), now.begin())) << "a finished record is gone";
    before = now;
    if (output.ending.kind == Ending::Kind::kTimeout) {
      ++kill;
      continue;
    }
    ASSERT_EQ(output.ending.code, kExitDone) << output.err;
    EXPECT_EQ(now.size(), kRepetitions);
    before.clear();
    ++run;
  }
  const std::string last = folder / ("run" + std::to_string(run));
  const Output output = run_daxlab(words_of(last));
  EXPECT_EQ(output.ending.code, kExitDone) << output.err;
  EXPECT_EQ(finished(last).size(), kRepetitions);
}

/// Starts a run whose repetitions take `seconds` each, and sends `signal` to its child at seeded moments.
struct Disturbed {
  size_t kills = 0;
  size_t failed = 0;
  size_t ok = 0;
};

Disturbed disturb(const std::string& folder, int signal, uint64_t seed, size_t kills_wanted) {
  Random random(seed);
  const auto out = memory_file("out");
  auto child = Child::start(program(), words_of(folder, {.repetitions = "20"}),
                            {{out->get(), STDOUT_FILENO}, {out->get(), STDERR_FILENO}});
  EXPECT_TRUE(child.ok());
  Disturbed result;
  const pid_t runner = child->pid();
  std::thread killer([&] {
    pid_t last = -1;
    while (result.kills < kills_wanted && ::kill(runner, 0) == 0) {
      const pid_t victim = child_of(runner);
      if (victim <= 0 || victim == last || random.below(4) != 0) {
        std::this_thread::yield();
        continue;
      }
      last = victim;
      if (::kill(victim, signal) == 0) ++result.kills;
    }
  });
  const Ending ending = child->wait(kPatienceSeconds, [] { return true; });
  killer.join();
  EXPECT_EQ(ending.kind, Ending::Kind::kExit);
  EXPECT_EQ(finished(folder).size(), 2u * 20 + 2);
  for (const Json& record : read_records(folder)) {
    if (record["status"].text() == "ok") ++result.ok;
    if (record["status"].text() == "failed") ++result.failed;
  }
  EXPECT_EQ(ending.code, result.failed == 0 ? kExitDone : kExitFailed) << read_whole(out->get()).value();
  return result;
}

TEST(Resume, ChildKilledIsFailedWithTheSignalAndTheRestRuns) {
  const Folder folder;
  const Disturbed killed = disturb(folder / "kill", SIGKILL, kSeed, 10);
  EXPECT_GT(killed.failed, 0u);
  EXPECT_LE(killed.failed, killed.kills);
  EXPECT_GT(killed.ok, 0u);
  for (const Json& record : read_records(folder / "kill")) {
    if (record["status"].text() == "failed") {
      EXPECT_EQ(record["error"].text().find("child killed by SIGKILL"), 0u) << record["error"].text();
      EXPECT_EQ(record.find("ns_per_op"), nullptr) << "a cell that failed has a number";
    }
  }
}

TEST(Resume, FailedRepetitionsAreNotRunAgain) {
  const Folder folder;
  const Disturbed killed = disturb(folder / "run", SIGSEGV, kSeed + 1, 3);
  const Output again = run_daxlab(words_of(folder / "run", {.repetitions = "20"}));
  EXPECT_EQ(again.ending.code, killed.failed == 0 ? kExitDone : kExitFailed);
  EXPECT_EQ(finished(folder / "run").size(), 2u * 20 + 2);
}

TEST(Resume, InterruptKeepsWhatIsFinished) {
  const Folder folder;
  const auto err = memory_file("err");
  const Small long_enough{.repetitions = "3", .ops = "1000000000"};  // to be interrupted
  auto child =
      Child::start(program(), words_of(folder / "run", long_enough), {{err->get(), STDOUT_FILENO}, {err->get(), STDERR_FILENO}});
  ASSERT_TRUE(child.ok());
  const pid_t runner = child->pid();
  std::thread interrupter([&] {
    while (child_of(runner) <= 0 && ::kill(runner, 0) == 0) std::this_thread::yield();
    ::kill(runner, SIGINT);
  });
  const Ending ending = child->wait(kPatienceSeconds, [] { return true; });
  interrupter.join();
  EXPECT_EQ(ending.kind, Ending::Kind::kExit);
  EXPECT_EQ(ending.code, kExitInterrupted) << read_whole(err->get()).value();
  EXPECT_LT(finished(folder / "run").size(), kRepetitions);
}

TEST(Resume, OtherArgumentsAreRefused) {
  const Folder folder;
  ASSERT_EQ(run_daxlab(words_of(folder / "run")).ending.code, kExitDone);
  const Output output = run_daxlab(words_of(folder / "run", {.seed = "8"}));
  EXPECT_EQ(output.ending.code, kExitUsage);
  EXPECT_THAT(output.err, testing::HasSubstr("another matrix or seed"));
}

TEST(Timeout, RepetitionThatHangsIsFailed) {
  const Folder folder;
  auto words = words_of(folder / "run", {.repetitions = "1", .ops = "100000000000"});
  words.insert(words.end(), {"--timeout", "1"});
  const Output output = run_daxlab(words);
  EXPECT_EQ(output.ending.code, kExitFailed);
  const auto records = read_records(folder / "run");
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0]["error"].text(), "child still running after 1 s");
}

}  // namespace
}  // namespace daxlab::harness
