// daxlab micro: the Google Benchmark micro-benchmarks, a program of their own beside this one.
#include "harness/cli.h"
#include "harness/process.h"

namespace daxlab::harness {
namespace {

Result<int> micro(const Arguments& arguments) {
  const std::string own = own_path();
  const std::string path = own.substr(0, own.rfind('/') + 1) + "daxlab_micro";
  std::vector<std::string> words;
  for (size_t i = 1; i < arguments.command_line.size(); ++i) {
    const std::string& word = arguments.command_line[i];
    words.push_back(word[0] == '-' ? word : "--benchmark_filter=" + word);
  }
  return execute(path, words, "configure with -DDAXLAB_MICRO=ON and build again");
}

const RegisterCommand kRegistered{{
    .name = "micro",
    .purpose = "runs the micro-benchmarks that stand beside their subjects",
    .options = {{"filter", "FILTER", "regular expression of names (default: all)"}},
    .examples = {"daxlab micro", "daxlab micro persist --benchmark_min_time=0.1"},
    .notes = "Options of Google Benchmark are handed on: --benchmark_list_tests, --benchmark_format=json, ...",
    .passes_on = true,
    .order = 8,
    .run = micro,
}};

}  // namespace
}  // namespace daxlab::harness
