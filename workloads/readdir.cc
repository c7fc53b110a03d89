// readdir: one step lists a whole directory of `population` names.
#include <fmt/core.h>

#include "workloads/axes.h"
#include "workloads/directory_set.h"

namespace daxlab {
namespace {

class ReaddirWorker final : public Worker {
 public:
  ReaddirWorker(std::unique_ptr<Directory> directory, uint64_t expected)
      : directory_(std::move(directory)), expected_(expected), visit_([this](const DirectoryEntry& entry) {
          inode_sum_ += entry.ino;
          ++listed_;
          return true;
        }) {}

  Result<Step> step() override {
    listed_ = 0;
    const auto done = directory_->readdir(0, visit_);
    if (DAXLAB_UNLIKELY(!done.ok())) return done.error();
    if (DAXLAB_UNLIKELY(expected_ != 0 && listed_ != expected_)) {
      return Error(Errc::kCorrupt, fmt::format("a listing gave {} names instead of {}", listed_, expected_));
    }
    return Step::kDone;
  }

  uint64_t bytes_per_op() const override { return 0; }

 private:
  std::unique_ptr<Directory> directory_;
  uint64_t expected_;  // 0: the engine keeps no names
  uint64_t listed_ = 0;
  uint64_t inode_sum_ = 0;  // what a caller does with an entry: look at it
  Directory::Visitor visit_;
};

class Readdir final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    return directories_.create(context, context.params.integer("population"), context.params.is("sharing", "shared"));
  }

  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t /*seed*/) override {
    DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, directories_.part(index).directory));
    return std::unique_ptr<Worker>(
        std::make_unique<ReaddirWorker>(std::move(directory), context.traits.stores_data ? directories_.names().size() : 0));
  }

  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    for (uint64_t number = 0; number < directories_.directory_count(); ++number) {
      Listing expected;
      for (uint64_t i = 0; i < directories_.names().size(); ++i) {
        expected.emplace(directories_.names()[i], directories_.inodes(number)[i]);
      }
      DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, number));
      DAXLAB_TRY(check_listing(*directory, number, expected));
    }
    return {};
  }

 private:
  DirectorySet directories_;
};

class ReaddirType final : public WorkloadType {
 public:
  std::string name() const override { return "readdir"; }
  std::string description() const override { return "list a whole directory of `population` names"; }
  std::vector<AxisSpec> axes() const override { return {axes::population(), axes::sharing()}; }
  std::unique_ptr<Workload> create() const override { return std::make_unique<Readdir>(); }
};

const RegisterWorkload<ReaddirType> kRegistered;

}  // namespace
}  // namespace daxlab
