// append: the file grows block by block to file_size, is truncated in a pause, and grows again.
#include "engines/base/units.h"
#include "workloads/progress.h"

namespace daxlab {
namespace {

class AppendWorker final : public Worker {
 public:
  AppendWorker(std::unique_ptr<File> file, uint64_t number, uint64_t blocks, Content content, bool stores_data,
               AppendProgress& final)
      : file_(std::move(file)),
        number_(number),
        blocks_(blocks),
        content_(std::move(content)),
        stores_data_(stores_data),
        final_(final) {}
  ~AppendWorker() override { final_ = progress_; }

  Result<Step> step() override {
    const auto appended = file_->append(content_.block(number_, progress_.in_file, progress_.appends + 1));
    if (DAXLAB_UNLIKELY(!appended.ok())) return appended.error();
    ++progress_.appends;
    return ++progress_.in_file == blocks_ ? Step::kPause : Step::kDone;
  }

  Result<void> reset() override {
    if (stores_data_) DAXLAB_TRY(check_appended(*file_, content_, number_, progress_, kSampleEvery));
    DAXLAB_TRY(truncate(*file_, 0));
    progress_.in_file = 0;
    return {};
  }

  uint64_t bytes_per_op() const override { return content_.block_bytes(); }

 private:
  static constexpr uint64_t kSampleEvery = 257;  // blocks; a prime, so that every residue of a power of two comes up
  std::unique_ptr<File> file_;
  uint64_t number_;
  uint64_t blocks_;
  Content content_;
  bool stores_data_;
  AppendProgress& final_;
  AppendProgress progress_;
};

class Append final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    block_bytes_ = context.params.integer("block_bytes");
    blocks_ = context.params.integer("file_size") / block_bytes_;
    finals_.resize(context.threads);
    return files_.create(context, Content(context.seed, block_bytes_), blocks_, false, false);
  }

  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t /*seed*/) override {
    DAXLAB_ASSIGN(auto file, files_.open(context.engine, index));
    return std::unique_ptr<Worker>(std::make_unique<AppendWorker>(
        std::move(file), index, blocks_, Content(context.seed, block_bytes_), context.traits.stores_data, finals_[index]));
  }

  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    const Content content(context.seed, block_bytes_);
    for (uint32_t i = 0; i < context.threads; ++i) {
      DAXLAB_ASSIGN(auto file, files_.open(context.engine, i));
      DAXLAB_TRY(check_appended(*file, content, i, finals_[i], 1));
    }
    return {};
  }

 private:
  FileSet files_;
  uint64_t block_bytes_ = 0;
  uint64_t blocks_ = 0;
  std::vector<AppendProgress> finals_;
};

class AppendType final : public WorkloadType {
 public:
  std::string name() const override { return "append"; }
  std::string description() const override {
    return "append block_bytes to a file of one's own; truncated in a pause at file_size";
  }
  std::vector<AxisSpec> axes() const override { return {axes::block_bytes(), axes::file_size()}; }
  Result<void> check_params(const Params& params) const override { return axes::check_blocks(params); }
  std::unique_ptr<Workload> create() const override { return std::make_unique<Append>(); }
};

const RegisterWorkload<AppendType> kRegistered;

}  // namespace
}  // namespace daxlab
