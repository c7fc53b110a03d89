#include "harness/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "harness/json.h"
#include "harness/results.h"

namespace daxlab::harness {
namespace {

struct Line {
  std::vector<double> ns_per_op;
  std::string trouble;
};

}  // namespace

Result<void> print_summary(const std::string& folder, const Matrix& matrix) {
  std::ifstream in(folder + "/results.jsonl");
  std::map<std::string, Line> lines;
  for (std::string text; std::getline(in, text);) {
    DAXLAB_ASSIGN(const Json record, Json::parse(text));
    Line& line = lines[record["cell"].text()];
    if (record["status"].text() != "ok") {
      if (line.trouble.empty()) line.trouble = record["status"].text() + ": " + record["error"].text();
    } else if (record["kind"].text() == name(Kind::kPlain)) {
      line.ns_per_op.push_back(record["ns_per_op"].real());
    }
  }
  fmt::print("{:>12}  {:>12}  {:>12}  {:>2}  {}\n", "ns/op median", "least", "most", "n", "cell");
  for (const Cell& cell : matrix.cells) {
    const Line& line = lines[cell.id()];
    if (!line.ns_per_op.empty()) {
      const auto [least, most] = std::minmax_element(line.ns_per_op.begin(), line.ns_per_op.end());
      fmt::print("{:12.1f}  {:12.1f}  {:12.1f}  {:>2}  {}\n", median(line.ns_per_op), *least, *most, line.ns_per_op.size(),
                 cell.describe());
    }
    if (!line.trouble.empty())
      fmt::print("{:>12}  {:>12}  {:>12}  {:>2}  {}: {}\n", "-", "-", "-", "", cell.describe(), line.trouble);
  }
  return {};
}

}  // namespace daxlab::harness
