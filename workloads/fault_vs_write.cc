// fault_vs_write: threads that fault on a mapping of a file against threads that write(2) to it: the two paths that meet in
// a file's page entries and locks.
//
// A faulter stores one word of its own into (or loads it from) the next page of its order; a write takes pages away from it, and
// after each pass a pause maps the file anew. A writer overwrites a random block. The file is small so that the two meet. With
// blocks below 4 KiB writers leave the last blocks of every page alone, so a mapped store that a write loses is found by
// verify().
#include <algorithm>

#include "engines/base/units.h"
#include "workloads/contention.h"

namespace daxlab {
namespace {

class Faulter final : public Worker {
 public:
  Faulter(std::unique_ptr<File> file, const ContentionLayout& layout, uint32_t index, uint64_t seed, FaulterProgress& final)
      : file_(std::move(file)), layout_(layout), index_(index), order_(page_order(true, layout.pages, seed)), final_(final) {
    final_.seed = seed;
  }
  ~Faulter() override {
    final_.passes = passes_;
    final_.next = next_;
  }

  Result<void> start() { return mapped_.map(*file_, 0, layout_.pages * kBlockBytes, true); }

  Result<Step> step() override {
    const uint64_t page = order_[next_++];
    if (layout_.faulters_store) {
      const auto stored = mapped_.store_word(layout_.word_offset(page, index_), layout_.word(page, index_, passes_ + 1));
      if (DAXLAB_UNLIKELY(!stored.ok())) return stored.error();
    } else {
      const auto loaded = mapped_.load_word(layout_.word_offset(page, index_));
      if (DAXLAB_UNLIKELY(!loaded.ok())) return loaded.error();
    }
    return next_ == order_.size() ? Step::kPause : Step::kDone;
  }
  Result<void> reset() override {
    next_ = 0;
    ++passes_;
    return start();
  }
  uint64_t bytes_per_op() const override { return sizeof(uint64_t); }
  std::string role() const override { return "faulter"; }

 private:
  std::unique_ptr<File> file_;
  MappedFile mapped_;  // after the file: unmapped before it is closed
  const ContentionLayout& layout_;
  uint32_t index_;
  std::vector<uint32_t> order_;
  FaulterProgress& final_;
  uint64_t passes_ = 0;
  uint64_t next_ = 0;
};

class Writer final : public Worker {
 public:
  Writer(std::unique_ptr<File> file, const ContentionLayout& layout, Content content, uint32_t index, uint64_t seed,
         OverwriteProgress& final)
      : file_(std::move(file)),
        layout_(layout),
        content_(std::move(content)),
        index_(index),
        order_(true, layout.slots(), seed),
        final_(final) {
    final_.seed = seed;
  }
  ~Writer() override { final_.writes = writes_; }

  Result<Step> step() override {
    const uint64_t block = layout_.block_of_slot(order_.next());
    const auto written =
        file_->write(block * content_.block_bytes(), content_.block(ContentionLayout::writer_id(index_), block, ++writes_));
    if (DAXLAB_UNLIKELY(!written.ok())) return written.error();
    return Step::kDone;
  }
  uint64_t bytes_per_op() const override { return content_.block_bytes(); }
  std::string role() const override { return "writer"; }

 private:
  std::unique_ptr<File> file_;
  const ContentionLayout& layout_;
  Content content_;
  uint32_t index_;
  BlockOrder order_;
  OverwriteProgress& final_;
  uint64_t writes_ = 0;
};

class FaultVsWrite final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    layout_ = std::make_unique<ContentionLayout>(context.params, context.seed);
    faulter_finals_.resize(layout_->faulters);
    writer_finals_.resize(layout_->writers);
    WorkloadContext one_file = context;
    one_file.threads = 1;
    return files_.create(one_file, layout_->content, layout_->blocks, false, true);
  }

  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t seed) override {
    DAXLAB_CHECK(index < layout_->faulters + layout_->writers);
    DAXLAB_ASSIGN(auto file, files_.open(context.engine, 0));
    if (index < layout_->faulters) {
      auto faulter = std::make_unique<Faulter>(std::move(file), *layout_, index, seed, faulter_finals_[index]);
      DAXLAB_TRY(faulter->start());
      return std::unique_ptr<Worker>(std::move(faulter));
    }
    const uint32_t writer = index - layout_->faulters;
    return std::unique_ptr<Worker>(std::make_unique<Writer>(
        std::move(file), *layout_, Content(context.seed, layout_->content.block_bytes()), writer, seed, writer_finals_[writer]));
  }

  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    DAXLAB_ASSIGN(auto file, files_.open(context.engine, 0));
    return check_contended(*file, *layout_, faulter_finals_, writer_finals_);
  }

 private:
  std::unique_ptr<ContentionLayout> layout_;
  FileSet files_;
  std::vector<FaulterProgress> faulter_finals_;
  std::vector<OverwriteProgress> writer_finals_;
};

class FaultVsWriteType final : public WorkloadType {
 public:
  std::string name() const override { return "fault_vs_write"; }
  std::string description() const override {
    return "`faulters` threads touch mapped pages of one file while `writers` threads overwrite it";
  }
  std::vector<AxisSpec> axes() const override {
    return {{.name = "faulters",
             .kind = AxisSpec::Kind::kInteger,
             .values = {},
             .min = 0,
             .max = ContentionLayout::kFaultersMax,
             .default_value = "1",
             .help = "threads that fault"},
            {.name = "writers",
             .kind = AxisSpec::Kind::kInteger,
             .values = {},
             .min = 0,
             .max = 64,
             .default_value = "1",
             .help = "threads that write"},
            axes::access(),
            axes::block_bytes(),
            axes::file_size("2MiB")};
  }
  Result<void> check_params(const Params& params) const override {
    DAXLAB_TRY(axes::check_blocks(params));
    if (params.integer("faulters") + params.integer("writers") == 0)
      return Error(Errc::kUsage, "faulters=0 and writers=0: no thread");
    if (params.integer("file_size") % kBlockBytes == 0) return {};
    return Error(Errc::kUsage, "file_size=" + params.get("file_size") + ": not a multiple of 4KiB");
  }
  std::unique_ptr<Workload> create() const override { return std::make_unique<FaultVsWrite>(); }
  std::string unsuited(const Traits& traits) const override { return traits.mappable ? "" : "needs mmap"; }
  uint32_t fixed_threads(const Params& params) const override {
    return static_cast<uint32_t>(params.integer("faulters") + params.integer("writers"));
  }
};

const RegisterWorkload<FaultVsWriteType> kRegistered;

}  // namespace
}  // namespace daxlab
