// The command line: a table of commands, each in its own file, parsed by CLI11 in one place.
//
// A command registers itself: name, one-line purpose, options with their ranges and defaults, two working examples, and its
// function. Everything a person mistypes is answered with one line on stderr and exit code 2.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engines/base/result.h"

namespace daxlab::harness {

/// Exit codes of every command.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitMissing = 3;
inline constexpr int kExitAmbiguous = 4;
inline constexpr int kExitInterrupted = 130;  // as shells say it

struct OptionLine {
  std::string name;   ///< "--seconds", "-p,--pid", or a positional's name without dashes.
  std::string value;  ///< "S", "LIST"; empty: a flag.
  std::string help;   ///< With range and default.
  bool required = false;
  bool repeated = false;
};

/// What was given, by the option's long name.
class Arguments {
 public:
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  /// The only or last value; empty if not given.
  std::string get(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  void add(const std::string& name, std::string value) { values_[name].push_back(std::move(value)); }

  /// A number of the option in [min, max]; nullopt if it was not given; kUsage naming the option otherwise.
  Result<std::optional<uint64_t>> whole(std::string_view name, uint64_t min, uint64_t max) const;
  Result<std::optional<double>> real(std::string_view name, double min, double max) const;

  /// The words after the program's name, as typed.
  std::vector<std::string> command_line;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

struct Command {
  std::string name;
  std::string purpose;  ///< One line.
  std::vector<OptionLine> options;
  std::vector<std::string> examples;  ///< Two or more, each runs as it stands.
  std::string notes;                  ///< Exit codes, files read or written.
  bool passes_on = false;             ///< Every word goes to another program: only --help of no further word is ours.
  int order = 0;                      ///< Place in the overview.
  /// The exit code, or an Error: kUsage ends with 2, kMissingFacility with 3, anything else with 1.
  std::function<Result<int>(const Arguments&)> run;
};

namespace detail {
void register_command(Command command);
}

/// `const RegisterCommand kRegistered{{...}};` at namespace scope in a command_*.cc.
struct RegisterCommand {
  explicit RegisterCommand(Command command) { detail::register_command(std::move(command)); }
};

/// Parses and runs; returns the exit code.
int run_command_line(int argc, char** argv);

/// Replaces this process by another program, or kMissingFacility with `remedy`.
Result<int> execute(const std::string& path, const std::vector<std::string>& arguments, const std::string& remedy);

}  // namespace daxlab::harness
