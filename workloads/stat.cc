// stat: attributes of a random name in a full directory.
#include "workloads/axes.h"
#include "workloads/directory_set.h"

namespace daxlab {
namespace {

class StatWorker final : public Worker {
 public:
  StatWorker(std::unique_ptr<Directory> directory, const NamePart& part, const NameSet& names, std::span<const InodeId> inodes,
             uint64_t seed, bool stores_data)
      : directory_(std::move(directory)),
        part_(part),
        names_(names),
        inodes_(inodes),
        order_(true, part.count, seed),
        stores_data_(stores_data) {}

  Result<Step> step() override {
    const uint64_t i = part_.first + order_.next();
    const auto found = directory_->stat(names_[i]);
    if (DAXLAB_UNLIKELY(!found.ok())) return found.error();
    if (DAXLAB_UNLIKELY(stores_data_ && found->ino != inodes_[i]))
      return Error(Errc::kCorrupt, "stat of a name gave another inode");
    return Step::kDone;
  }

  uint64_t bytes_per_op() const override { return 0; }

 private:
  std::unique_ptr<Directory> directory_;
  NamePart part_;
  const NameSet& names_;
  std::span<const InodeId> inodes_;
  BlockOrder order_;
  bool stores_data_;
};

class Stat final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    return directories_.create(context, context.params.integer("population"), context.params.is("sharing", "shared"));
  }

  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t seed) override {
    const NamePart part = directories_.part(index);
    DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, part.directory));
    return std::unique_ptr<Worker>(std::make_unique<StatWorker>(
        std::move(directory), part, directories_.names(), directories_.inodes(part.directory), seed, context.traits.stores_data));
  }

  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    for (uint64_t number = 0; number < directories_.directory_count(); ++number) {
      DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, number));
      for (uint64_t i = 0; i < directories_.names().size(); ++i) {
        DAXLAB_ASSIGN(const Attributes found, directory->stat(directories_.names()[i]));
        const bool right = found.ino == directories_.inodes(number)[i] && found.kind == NodeKind::kFile && found.links == 1 &&
                           found.size_bytes == 0;
        if (!right) return Error(Errc::kCorrupt, "stat of '" + std::string(directories_.names()[i]) + "' is wrong");
      }
    }
    return {};
  }

 private:
  DirectorySet directories_;
};

class StatType final : public WorkloadType {
 public:
  std::string name() const override { return "stat"; }
  std::string description() const override { return "attributes of a random one of `population` names, by name"; }
  std::vector<AxisSpec> axes() const override { return {axes::population(), axes::sharing()}; }
  std::unique_ptr<Workload> create() const override { return std::make_unique<Stat>(); }
};

const RegisterWorkload<StatType> kRegistered;

}  // namespace
}  // namespace daxlab
