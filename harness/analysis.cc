#include "harness/analysis.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "harness/environment.h"
#include "harness/process.h"

namespace daxlab::harness {
namespace {

// The system's interpreter, whatever python3 is first in PATH: Debian's packages are installed for it alone.
constexpr const char* kPython = "/usr/bin/python3";
constexpr double kTimeoutSeconds = 3600;

std::string analysis_folder() {
  const char* given = std::getenv("DAXLAB_ANALYSIS");
  return given != nullptr && *given != '\0' ? given : source_folder() + "/analysis";
}

Error missing() {
  return {Errc::kMissingFacility,
          fmt::format("the analysis needs {} with its packages: apt-get install python3-matplotlib python3-pandas python3-scipy "
                      "python3-jinja2",
                      kPython)};
}

}  // namespace

Result<int> run_analysis(const std::vector<std::string>& arguments, bool quiet_stdout) {
  const std::string folder = analysis_folder();
  if (::access(kPython, X_OK) != 0) return missing();
  if (::access((folder + "/daxlab/cli.py").c_str(), R_OK) != 0) {
    return Error(Errc::kMissingFacility, fmt::format("{}/daxlab is not there; say where it is in DAXLAB_ANALYSIS", folder));
  }
  ::setenv("PYTHONPATH", folder.c_str(), 1);
  ::setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  std::vector<std::string> words{"-m", "daxlab.cli"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<Inherited> inherited;
  if (quiet_stdout) inherited.push_back({STDERR_FILENO, STDOUT_FILENO});
  DAXLAB_ASSIGN(Child child, Child::start(kPython, words, inherited));
  const Ending ending = child.wait(kTimeoutSeconds, [] { return true; });
  if (ending.kind != Ending::Kind::kExit) return Error(Errc::kIo, fmt::format("the analysis {}", ending.describe()));
  return ending.code;
}

}  // namespace daxlab::harness
