// create_unlink: files come and go in a directory that holds `population` others.
//
// phase=pair    a step creates a name, closes the file and unlinks it: the directory stays as it is
// phase=create  a step creates a name and closes the file; after kBatch names a pause unlinks them
// phase=unlink  a step unlinks one of kBatch extra names; a pause creates them anew
// The names come and go in an order of their own, the same in every phase.
#include "engines/base/mark.h"
#include "workloads/axes.h"
#include "workloads/directory_set.h"
#include "workloads/marks.h"

namespace daxlab {
namespace {

enum class Churn : uint8_t { kPair, kCreate, kUnlink };
constexpr uint64_t kBatch = 4096;  // names beside the population: enough that none is warm when it comes again

/// Which of the extra names [begin, end) were there when the worker ended.
struct ChurnState {
  uint64_t begin = 0;
  uint64_t end = 0;
};

class CreateUnlinkWorker final : public Worker {
 public:
  CreateUnlinkWorker(Engine& engine, std::unique_ptr<Directory> directory, const NameSet& names, Churn churn, ChurnState& final)
      : engine_(engine), directory_(std::move(directory)), names_(names), churn_(churn), final_(final) {}
  ~CreateUnlinkWorker() override {
    if (churn_ == Churn::kCreate) final_ = {0, next_};
    if (churn_ == Churn::kUnlink) final_ = {next_, names_.size()};
  }

  Result<Step> step() override {
    const std::string_view name = names_[next_];
    if (churn_ != Churn::kUnlink) {
      mark<marks::kClassCreate>();
      const auto created = create_empty(engine_, *directory_, name);
      if (DAXLAB_UNLIKELY(!created.ok())) return created.error();
    }
    if (churn_ != Churn::kCreate) {
      mark<marks::kClassUnlink>();
      const auto unlinked = directory_->unlink(name);
      if (DAXLAB_UNLIKELY(!unlinked.ok())) return unlinked.error();
    }
    mark<marks::kClassEnd>();
    if (++next_ < names_.size()) return Step::kDone;
    if (churn_ != Churn::kPair) return Step::kPause;
    next_ = 0;
    return Step::kDone;
  }

  Result<void> reset() override {
    for (uint64_t i = 0; i < names_.size(); ++i) {
      if (churn_ == Churn::kCreate) DAXLAB_TRY(directory_->unlink(names_[i]));
      if (churn_ == Churn::kUnlink) DAXLAB_TRY(create_empty(engine_, *directory_, names_[i]));
    }
    next_ = 0;
    return directory_->fsync();
  }

  uint64_t bytes_per_op() const override { return 0; }

 private:
  Engine& engine_;
  std::unique_ptr<Directory> directory_;
  const NameSet& names_;
  Churn churn_;
  ChurnState& final_;
  uint64_t next_ = 0;
};

class CreateUnlink final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    if (context.params.is("phase", "create")) churn_ = Churn::kCreate;
    if (context.params.is("phase", "unlink")) churn_ = Churn::kUnlink;
    DAXLAB_TRY(directories_.create(context, context.params.integer("population"), context.params.is("sharing", "shared")));
    finals_.resize(context.threads);
    for (uint32_t i = 0; i < context.threads; ++i) extra_.emplace_back('x', i * kBatch, kBatch);
    if (churn_ != Churn::kUnlink) return {};
    for (uint32_t i = 0; i < context.threads; ++i) {
      DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, directories_.part(i).directory));
      for (uint64_t name = 0; name < kBatch; ++name) DAXLAB_TRY(create_empty(context.engine, *directory, extra_[i][name]));
      finals_[i].end = kBatch;
      DAXLAB_TRY(directory->fsync());
    }
    return {};
  }

  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t /*seed*/) override {
    DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, directories_.part(index).directory));
    return std::unique_ptr<Worker>(
        std::make_unique<CreateUnlinkWorker>(context.engine, std::move(directory), extra_[index], churn_, finals_[index]));
  }

  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    for (uint64_t number = 0; number < directories_.directory_count(); ++number) {
      Listing expected;
      for (uint64_t i = 0; i < directories_.names().size(); ++i) {
        expected.emplace(directories_.names()[i], directories_.inodes(number)[i]);
      }
      for (uint32_t thread = 0; thread < context.threads; ++thread) {
        if (directories_.part(thread).directory != number) continue;
        for (uint64_t i = finals_[thread].begin; i < finals_[thread].end; ++i) expected.emplace(extra_[thread][i], 0);
      }
      DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, number));
      DAXLAB_TRY(check_listing(*directory, number, expected));
    }
    return {};
  }

 private:
  DirectorySet directories_;
  std::vector<NameSet> extra_;
  std::vector<ChurnState> finals_;
  Churn churn_ = Churn::kPair;
};

class CreateUnlinkType final : public WorkloadType {
 public:
  std::string name() const override { return "create_unlink"; }
  std::string description() const override {
    return "create a name among `population` others, close, unlink it (phase=pair); or one half alone";
  }
  std::vector<AxisSpec> axes() const override {
    return {axes::population(),
            {.name = "phase",
             .kind = AxisSpec::Kind::kEnum,
             .values = {"pair", "create", "unlink"},
             .min = 0,
             .max = 0,
             .default_value = "pair",
             .help = "what one step does: create, close and unlink, or one of them alone"},
            axes::sharing()};
  }
  std::unique_ptr<Workload> create() const override { return std::make_unique<CreateUnlink>(); }
};

const RegisterWorkload<CreateUnlinkType> kRegistered;

}  // namespace
}  // namespace daxlab
