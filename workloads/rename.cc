// rename: a random file of a full directory changes between its two names, within the directory.
#include "workloads/axes.h"
#include "workloads/directory_set.h"

namespace daxlab {
namespace {

/// What verify() replays: the worker's generator and how often it drew.
struct RenameState {
  uint64_t seed = 0;
  uint64_t renames = 0;
};

class RenameWorker final : public Worker {
 public:
  RenameWorker(std::unique_ptr<Directory> directory, const NamePart& part, const NameSet& names, const NameSet& other_names,
               uint64_t seed, RenameState& final)
      : directory_(std::move(directory)),
        part_(part),
        names_(names),
        other_names_(other_names),
        order_(true, part.count, seed),
        renamed_(part.count, 0),
        final_(final) {
    final_.seed = seed;
  }
  ~RenameWorker() override { final_.renames = renames_; }

  Result<Step> step() override {
    const uint64_t i = order_.next();
    const std::string_view name = names_[part_.first + i];
    const std::string_view other = other_names_[part_.first + i];
    const bool back = renamed_[i] != 0;
    renamed_[i] = !back;
    const auto done = directory_->rename(back ? other : name, *directory_, back ? name : other, RenameFlags::kNone);
    if (DAXLAB_UNLIKELY(!done.ok())) return done.error();
    ++renames_;
    return Step::kDone;
  }

  uint64_t bytes_per_op() const override { return 0; }

 private:
  std::unique_ptr<Directory> directory_;
  NamePart part_;
  const NameSet& names_;
  const NameSet& other_names_;
  BlockOrder order_;
  std::vector<uint8_t> renamed_;
  RenameState& final_;
  uint64_t renames_ = 0;
};

class Rename final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    const uint64_t population = context.params.integer("population");
    other_names_ = NameSet('r', 0, population);
    finals_.resize(context.threads);
    return directories_.create(context, population, context.params.is("sharing", "shared"));
  }

  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t seed) override {
    const NamePart part = directories_.part(index);
    DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, part.directory));
    return std::unique_ptr<Worker>(
        std::make_unique<RenameWorker>(std::move(directory), part, directories_.names(), other_names_, seed, finals_[index]));
  }

  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    for (uint64_t number = 0; number < directories_.directory_count(); ++number) {
      std::vector<uint8_t> renamed(directories_.names().size(), 0);
      for (uint32_t thread = 0; thread < context.threads; ++thread) {
        const NamePart part = directories_.part(thread);
        if (part.directory != number) continue;
        BlockOrder order(true, part.count, finals_[thread].seed);
        for (uint64_t done = 0; done < finals_[thread].renames; ++done) renamed[part.first + order.next()] ^= 1;
      }
      Listing expected;
      for (uint64_t i = 0; i < renamed.size(); ++i) {
        expected.emplace(renamed[i] ? other_names_[i] : directories_.names()[i], directories_.inodes(number)[i]);
      }
      DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, number));
      DAXLAB_TRY(check_listing(*directory, number, expected));
    }
    return {};
  }

 private:
  DirectorySet directories_;
  NameSet other_names_{'r', 0, 0};
  std::vector<RenameState> finals_;
};

class RenameType final : public WorkloadType {
 public:
  std::string name() const override { return "rename"; }
  std::string description() const override {
    return "give a random one of `population` files its other name, in the same directory";
  }
  std::vector<AxisSpec> axes() const override { return {axes::population(), axes::sharing()}; }
  std::unique_ptr<Workload> create() const override { return std::make_unique<Rename>(); }
};

const RegisterWorkload<RenameType> kRegistered;

}  // namespace
}  // namespace daxlab
