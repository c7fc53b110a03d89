#include "harness/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstring>

#include "harness/matrix.h"

namespace daxlab::harness {
namespace {

std::vector<Command>& commands() {
  static std::vector<Command> all;
  return all;
}

/// "-p,--pid" -> "--pid".
std::string long_name(const std::string& name) {
  const size_t dashes = name.find("--");
  return dashes == std::string::npos ? name : name.substr(dashes);
}

std::string footer(const Command& command) {
  std::string text = "Examples:\n";
  for (const std::string& example : command.examples) text += "  " + example + "\n";
  if (!command.notes.empty()) text += "\n" + command.notes + "\n";
  return text +
         "\nExit codes: 0 done, 1 failed or a violation found, 2 wrong input, 3 a facility is missing, 4 ambiguous (compare)";
}

int report(const Command& command, const Result<int>& result) {
  if (result.ok()) return *result;
  std::string message = result.error().message();
  std::replace(message.begin(), message.end(), '\n', ' ');
  fmt::print(stderr, "daxlab {}: {}\n", command.name, message);
  if (result.code() == Errc::kUsage || result.code() == Errc::kWrongLabel) return kExitUsage;
  return result.code() == Errc::kMissingFacility ? kExitMissing : kExitFailed;
}

/// One subcommand of CLI11's, which collects what was given.
class Parser {
 public:
  Parser(CLI::App& app, const Command& command) : command_(command), sub_(*app.add_subcommand(command.name, command.purpose)) {
    sub_.footer(footer(command));
    values_.resize(command.options.size());
    for (size_t i = 0; i < command.options.size(); ++i) {
      const OptionLine& line = command.options[i];
      if (line.value.empty()) {
        sub_.add_flag(line.name, line.help);
        continue;
      }
      CLI::Option* option = sub_.add_option(line.name, values_[i], line.help);
      option->type_name(line.value)->required(line.required)->allow_extra_args(false);
      option->expected(1)->multi_option_policy(line.repeated ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::Throw);
      if (line.repeated) option->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args(line.name[0] != '-');
    }
    if (command.passes_on) sub_.prefix_command();
  }

  bool given() const { return sub_.parsed(); }
  const Command& command() const { return command_; }

  Arguments arguments() const {
    Arguments all;
    for (size_t i = 0; i < command_.options.size(); ++i) {
      const std::string name = long_name(command_.options[i].name);
      if (command_.options[i].value.empty()) {
        if (sub_.count(name) > 0) all.add(name, "");
      } else {
        for (const std::string& value : values_[i]) all.add(name, value);
      }
    }
    return all;
  }

 private:
  const Command& command_;
  CLI::App& sub_;
  std::vector<std::vector<std::string>> values_;
};

bool known(std::string_view name) {
  return std::any_of(commands().begin(), commands().end(), [&](const Command& command) { return command.name == name; });
}

int parse_error(const CLI::App& app, const CLI::ParseError& error) {
  std::string where = "daxlab";
  for (const CLI::App* sub : app.get_subcommands()) where += " " + sub->get_name();
  std::string message = error.what();
  std::replace(message.begin(), message.end(), '\n', ' ');
  fmt::print(stderr, "{}: {}; see '{} --help'\n", where, message, where);
  return kExitUsage;
}

}  // namespace

namespace detail {

void register_command(Command command) {
  auto& all = commands();
  const auto at = std::find_if(all.begin(), all.end(), [&](const Command& c) { return c.order > command.order; });
  all.insert(at, std::move(command));
}

}  // namespace detail

std::string Arguments::get(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() || found->second.empty() ? "" : found->second.back();
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

Result<std::optional<uint64_t>> Arguments::whole(std::string_view name, uint64_t min, uint64_t max) const {
  if (!has(name)) return std::optional<uint64_t>();
  const std::string text = get(name);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < min || number > max) {
    return Error(Errc::kUsage, fmt::format("{} '{}' is not a whole number, {} to {}", name, text, min, max));
  }
  return std::optional<uint64_t>(number);
}

Result<std::optional<double>> Arguments::real(std::string_view name, double min, double max) const {
  if (!has(name)) return std::optional<double>();
  const std::string text = get(name);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number >= min && number <= max)) {
    return Error(Errc::kUsage, fmt::format("{} '{}' is not a number, {} to {}", name, text, min, max));
  }
  return std::optional<double>(number);
}

int run_command_line(int argc, char** argv) {
  if (const auto owners = check_axis_owners(); !owners.ok()) {
    fmt::print(stderr, "daxlab: {}\n", owners.error().message());
    return kExitUsage;
  }
  // A command that hands its words on does so before anything looks at them.
  for (const Command& command : commands()) {
    if (!command.passes_on || argc < 2 || command.name != argv[1]) continue;
    if (argc >= 3 && (std::strcmp(argv[2], "--help") == 0 || std::strcmp(argv[2], "-h") == 0)) break;
    Arguments words;
    words.command_line.assign(argv + 1, argv + argc);
    return report(command, command.run(words));
  }
  if (argc >= 2 && argv[1][0] != '-' && !known(argv[1])) {
    fmt::print(stderr, "daxlab: unknown command '{}'; see 'daxlab --help'\n", argv[1]);
    return kExitUsage;
  }
  CLI::App app(
      "daxlab compares persistent-memory file system designs: engines under the same workloads, counted, traced and plotted.",
      "daxlab");
  app.require_subcommand(1);
  app.set_help_flag("-h,--help", "what there is and how to use it");
  app.footer("'daxlab COMMAND --help' has options and examples of each.");
  std::vector<std::unique_ptr<Parser>> parsers;
  for (const Command& command : commands()) parsers.push_back(std::make_unique<Parser>(app, command));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForAllHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return parse_error(app, error);
  }
  for (const auto& parser : parsers) {
    if (!parser->given()) continue;
    Arguments arguments = parser->arguments();
    arguments.command_line.assign(argv + 1, argv + argc);
    return report(parser->command(), parser->command().run(arguments));
  }
  return kExitUsage;
}

Result<int> execute(const std::string& path, const std::vector<std::string>& arguments, const std::string& remedy) {
  std::vector<char*> words;
  words.push_back(const_cast<char*>(path.c_str()));
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(path.c_str(), words.data());
  return Error(Errc::kMissingFacility, fmt::format("{}: {}; {}", path, std::strerror(errno), remedy));
}

}  // namespace daxlab::harness
