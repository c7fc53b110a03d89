// overwrite: blocks of a file that is there in full are written anew, in place as far as its size goes.
#include "engines/base/units.h"
#include "workloads/progress.h"

namespace daxlab {
namespace {

class OverwriteWorker final : public Worker {
 public:
  OverwriteWorker(std::unique_ptr<File> file, const FilePart& part, Content content, bool random, uint64_t seed,
                  OverwriteProgress& final)
      : file_(std::move(file)), part_(part), content_(std::move(content)), order_(random, part.block_count, seed), final_(final) {
    final_.seed = seed;
  }
  ~OverwriteWorker() override { final_.writes = writes_; }

  Result<Step> step() override {
    const uint64_t block = part_.first_block + order_.next();
    const auto written = file_->write(block * content_.block_bytes(), content_.block(part_.file, block, ++writes_));
    if (DAXLAB_UNLIKELY(!written.ok())) return written.error();
    return Step::kDone;
  }

  uint64_t bytes_per_op() const override { return content_.block_bytes(); }

 private:
  std::unique_ptr<File> file_;
  FilePart part_;
  Content content_;
  BlockOrder order_;
  OverwriteProgress& final_;
  uint64_t writes_ = 0;
};

class Overwrite final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    block_bytes_ = context.params.integer("block_bytes");
    random_ = context.params.is("order", "random");
    finals_.resize(context.threads);
    return files_.create(context, Content(context.seed, block_bytes_), context.params.integer("file_size") / block_bytes_,
                         context.params.is("sharing", "shared"), true);
  }

  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t seed) override {
    const FilePart part = files_.part(index);
    DAXLAB_ASSIGN(auto file, files_.open(context.engine, part.file));
    return std::unique_ptr<Worker>(std::make_unique<OverwriteWorker>(std::move(file), part, Content(context.seed, block_bytes_),
                                                                     random_, seed, finals_[index]));
  }

  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    const Content content(context.seed, block_bytes_);
    for (uint32_t i = 0; i < context.threads; ++i) {
      const FilePart part = files_.part(i);
      DAXLAB_ASSIGN(auto file, files_.open(context.engine, part.file));
      DAXLAB_TRY(check_size(*file, part.file, files_.blocks_per_file() * block_bytes_));
      DAXLAB_TRY(check_part(*file, content, part, versions_after(finals_[i], random_, part.block_count)));
    }
    return {};
  }

 private:
  FileSet files_;
  uint64_t block_bytes_ = 0;
  bool random_ = false;
  std::vector<OverwriteProgress> finals_;
};

class OverwriteType final : public WorkloadType {
 public:
  std::string name() const override { return "overwrite"; }
  std::string description() const override {
    return "write block_bytes over what a full file holds; file_size=128MiB leaves a 32 MiB cache behind";
  }
  std::vector<AxisSpec> axes() const override {
    return {axes::block_bytes(), axes::file_size(), axes::order("random"), axes::sharing()};
  }
  Result<void> check_params(const Params& params) const override { return axes::check_blocks(params); }
  std::unique_ptr<Workload> create() const override { return std::make_unique<Overwrite>(); }
};

const RegisterWorkload<OverwriteType> kRegistered;

}  // namespace
}  // namespace daxlab
