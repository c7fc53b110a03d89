// `daxlab crash` that is stopped writes its summary, also where it was started with SIGINT ignored, as a shell without job
// control starts what it puts in the background.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "harness/cli.h"
#include "harness/test_support.h"

namespace daxlab::harness {
namespace {

/// Starts a campaign that would not end, sends it `signal` once it has shown progress, and waits.
Output stopped_by(int signal) {
  Output output;
  const auto out = memory_file("out");
  const auto err = memory_file("err");
  EXPECT_TRUE(out.ok() && err.ok());
  auto* const before = ::signal(SIGINT, SIG_IGN);
  auto child =
      Child::start(program(), {"crash", "--engine", "native", "--suite", "fuzz", "--budget", "1000000", "--workers", "2"},
                   {{out->get(), STDOUT_FILENO}, {err->get(), STDERR_FILENO}});
  ::signal(SIGINT, before);
  EXPECT_TRUE(child.ok());
  const pid_t pid = child->pid();
  std::thread stopper([&] {
    while (read_whole(err->get()).value().find("sequences") == std::string::npos && ::kill(pid, 0) == 0)
      std::this_thread::yield();
    ::kill(pid, signal);
  });
  output.ending = child->wait(kPatienceSeconds, [] { return true; });
  stopper.join();
  output.out = read_whole(out->get()).value();
  output.err = read_whole(err->get()).value();
  return output;
}

TEST(CrashCommand, ThatIsStoppedWritesItsSummary) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const Output output = stopped_by(signal);
    EXPECT_EQ(output.ending.kind, Ending::Kind::kExit) << output.ending.describe();
    EXPECT_EQ(output.ending.code, kExitInterrupted) << output.err;
    EXPECT_THAT(output.out, testing::HasSubstr("stopped early"));
    EXPECT_THAT(output.out, testing::HasSubstr("states by operation"));
  }
}

}  // namespace
}  // namespace daxlab::harness
