// read: blocks of a file that is there in full are read into a buffer, and each is told from every other inside the step.
#include "engines/base/units.h"
#include "workloads/axes.h"
#include "workloads/file_set.h"

namespace daxlab {
namespace {

class ReadWorker final : public Worker {
 public:
  ReadWorker(std::unique_ptr<File> file, const FilePart& part, const Content& content, bool random, uint64_t seed,
             bool stores_data)
      : file_(std::move(file)),
        part_(part),
        content_(content),
        order_(random, part.block_count, seed),
        buffer_(content.block_bytes()),
        stores_data_(stores_data) {}

  Result<Step> step() override {
    const uint64_t block = part_.first_block + order_.next();
    const auto count = file_->read(block * content_.block_bytes(), buffer_.span());
    if (DAXLAB_UNLIKELY(!count.ok())) return count.error();
    uint64_t tag;
    std::memcpy(&tag, buffer_.data(), sizeof(tag));
    if (DAXLAB_UNLIKELY(stores_data_ && (*count != content_.block_bytes() || tag != content_.tag_of(part_.file, block, 0)))) {
      return Error(Errc::kCorrupt, "a read returned another block's data, or too little");
    }
    return Step::kDone;
  }

  uint64_t bytes_per_op() const override { return content_.block_bytes(); }

 private:
  std::unique_ptr<File> file_;
  FilePart part_;
  const Content& content_;
  BlockOrder order_;
  AlignedBuffer buffer_;
  bool stores_data_;
};

class Read final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    const uint64_t block_bytes = context.params.integer("block_bytes");
    content_ = std::make_unique<Content>(context.seed, block_bytes);
    return files_.create(context, *content_, context.params.integer("file_size") / block_bytes,
                         context.params.is("sharing", "shared"), true);
  }

  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t seed) override {
    const FilePart part = files_.part(index);
    DAXLAB_ASSIGN(auto file, files_.open(context.engine, part.file, {.read = true, .write = false, .truncate = false}));
    return std::unique_ptr<Worker>(std::make_unique<ReadWorker>(
        std::move(file), part, *content_, context.params.is("order", "random"), seed, context.traits.stores_data));
  }

  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    for (uint64_t i = 0; i < files_.file_count(); ++i) {
      DAXLAB_ASSIGN(auto file, files_.open(context.engine, i));
      DAXLAB_TRY(check_size(*file, i, files_.blocks_per_file() * content_->block_bytes()));
      const std::vector<uint64_t> versions(files_.blocks_per_file(), 0);
      DAXLAB_TRY(check_part(*file, *content_, {i, 0, files_.blocks_per_file()}, versions));
    }
    return {};
  }

 private:
  FileSet files_;
  std::unique_ptr<Content> content_;
};

class ReadType final : public WorkloadType {
 public:
  std::string name() const override { return "read"; }
  std::string description() const override { return "read block_bytes of a full file into a buffer"; }
  std::vector<AxisSpec> axes() const override {
    return {axes::block_bytes(), axes::file_size(), axes::order("random"), axes::sharing()};
  }
  Result<void> check_params(const Params& params) const override { return axes::check_blocks(params); }
  std::unique_ptr<Workload> create() const override { return std::make_unique<Read>(); }
};

const RegisterWorkload<ReadType> kRegistered;

}  // namespace
}  // namespace daxlab
