// mmap_fault: each step touches one word of a 4 KiB page, each `stride` bytes, of a mapped file that is not ready for it.
//
// touch=first    pages that exist and were never touched through this mapping; at the end a pause maps the file anew
// touch=redirty  pages that were written, then made clean by msync; at the end a pause syncs the mapping
// stride=2MiB    the files are allocated in one piece before they are written, as who wants huge pages does: written from front to end they
//                lie where the file system happens to be, and no huge page table entry fits extents that do not begin at 2 MiB
// touch=hole     pages of a hole, which the fault must allocate (access=write); at the end a pause punches the file empty and
// maps anew
#include <fmt/core.h>

#include "engines/base/units.h"
#include "workloads/axes.h"
#include "workloads/file_set.h"
#include "workloads/mapped.h"

namespace daxlab {
namespace {

enum class Touch : uint8_t { kFirst, kRedirty, kHole };

/// The word at the start of the i-th page of the order was stored `passes` times, and once more where i < next.
struct TouchProgress {
  uint64_t seed = 0;
  uint64_t passes = 0;
  uint64_t next = 0;
};

struct FaultParams {
  explicit FaultParams(const Params& params)
      : touch(params.is("touch", "first")     ? Touch::kFirst
              : params.is("touch", "redirty") ? Touch::kRedirty
                                              : Touch::kHole),
        writes(params.is("access", "write")),
        random(params.is("order", "random")),
        shared(params.is("sharing", "shared")),
        pages(params.integer("file_size") / kBlockBytes),
        stride_pages(params.integer("stride") / kBlockBytes) {}
  Touch touch;
  bool writes;
  bool random;
  bool shared;
  uint64_t pages;         ///< Of one thread.
  uint64_t stride_pages;  ///< From one page that is touched to the next.
  uint64_t touches() const { return pages / stride_pages; }
};

class FaultWorker final : public Worker {
 public:
  FaultWorker(std::unique_ptr<File> file, const FilePart& part, const FaultParams& params, const Content& content, uint64_t seed,
              TouchProgress& final)
      : file_(std::move(file)),
        part_(part),
        params_(params),
        content_(content),
        order_(page_order(params.random, params.touches(), seed)),
        final_(final) {
    final_.seed = seed;
  }
  ~FaultWorker() override {
    final_.passes = passes_;
    final_.next = next_;
  }

  /// Maps; for touch=redirty also writes every page once and makes it clean.
  Result<void> start() {
    DAXLAB_TRY(map());
    if (params_.touch != Touch::kRedirty) return {};
    while (next_ < order_.size()) DAXLAB_TRY(step());
    return reset();
  }

  Result<Step> step() override {
    const uint64_t page = order_[next_++] * params_.stride_pages;
    if (params_.writes || params_.touch == Touch::kRedirty) {
      const auto stored =
          mapped_.store_word(page * kBlockBytes, content_.tag_of(part_.file, part_.first_block + page, passes_ + 1));
      if (DAXLAB_UNLIKELY(!stored.ok())) return stored.error();
    } else {
      const auto loaded = mapped_.load_word(page * kBlockBytes);
      if (DAXLAB_UNLIKELY(!loaded.ok())) return loaded.error();
      const uint64_t expected = params_.touch == Touch::kHole ? 0 : content_.tag_of(part_.file, part_.first_block + page, 0);
      if (DAXLAB_UNLIKELY(*loaded != expected)) return Error(Errc::kCorrupt, "a mapped page holds another block's data");
    }
    return next_ == order_.size() ? Step::kPause : Step::kDone;
  }

  Result<void> reset() override {
    next_ = 0;
    ++passes_;
    if (params_.touch == Touch::kRedirty) return mapped_.mapping().sync(0, params_.pages * kBlockBytes);
    if (params_.touch == Touch::kHole) {
      mapped_.unmap();
      passes_ = 0;
      DAXLAB_TRY(file_->fallocate(FallocateMode::kPunchHole, part_.first_block * kBlockBytes, part_.block_count * kBlockBytes));
    }
    return map();
  }

  uint64_t bytes_per_op() const override { return sizeof(uint64_t); }

 private:
  Result<void> map() { return mapped_.map(*file_, part_.first_block * kBlockBytes, part_.block_count * kBlockBytes, true); }

  std::unique_ptr<File> file_;
  MappedFile mapped_;  // after the file: unmapped before it is closed
  FilePart part_;
  FaultParams params_;
  const Content& content_;
  std::vector<uint32_t> order_;
  TouchProgress& final_;
  uint64_t passes_ = 0;
  uint64_t next_ = 0;
};

class MmapFault final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    params_ = std::make_unique<FaultParams>(context.params);
    content_ = std::make_unique<Content>(context.seed, kBlockBytes);
    finals_.resize(context.threads);
    const bool holes = params_->touch == Touch::kHole;
    const bool huge = !holes && params_->stride_pages * kBlockBytes == kHugeBytes;
    DAXLAB_TRY(files_.create(context, *content_, params_->pages, params_->shared, !holes && !huge));
    for (uint64_t i = 0; huge && i < files_.file_count(); ++i) {
      DAXLAB_ASSIGN(auto file, files_.open(context.engine, i));
      DAXLAB_TRY(file->fallocate(FallocateMode::kAllocate, 0, files_.blocks_per_file() * kBlockBytes));
      DAXLAB_TRY(fill_part(*file, *content_, {i, 0, files_.blocks_per_file()}));
      DAXLAB_TRY(file->fsync());
    }
    for (uint64_t i = 0; holes && i < files_.file_count(); ++i) {
      DAXLAB_ASSIGN(auto file, files_.open(context.engine, i));
      DAXLAB_TRY(truncate(*file, files_.blocks_per_file() * kBlockBytes));
    }
    return {};
  }

  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t seed) override {
    const FilePart part = files_.part(index);
    DAXLAB_ASSIGN(auto file, files_.open(context.engine, part.file));
    auto worker = std::make_unique<FaultWorker>(std::move(file), part, *params_, *content_, seed, finals_[index]);
    DAXLAB_TRY(worker->start());
    return std::unique_ptr<Worker>(std::move(worker));
  }

  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    for (uint32_t i = 0; i < context.threads; ++i) {
      const FilePart part = files_.part(i);
      DAXLAB_ASSIGN(auto file, files_.open(context.engine, part.file));
      DAXLAB_TRY(check_size(*file, part.file, files_.blocks_per_file() * kBlockBytes));
      const std::vector<uint32_t> order = page_order(params_->random, params_->touches(), finals_[i].seed);
      for (uint64_t at = 0; at < order.size(); ++at) {
        const bool stores = params_->writes || params_->touch == Touch::kRedirty;
        const uint64_t version = stores ? finals_[i].passes + (at < finals_[i].next ? 1 : 0) : 0;
        DAXLAB_TRY(check_page(*file, part.file, part.first_block + order[at] * params_->stride_pages, version));
      }
    }
    return {};
  }

 private:
  /// A page holds what prepare() left, but for its first word, which is that of the last touch.
  Result<void> check_page(File& file, uint64_t number, uint64_t page, uint64_t version) {
    const bool hole = params_->touch == Touch::kHole;
    AlignedBuffer expected(kBlockBytes);
    std::memset(expected.data(), 0, kBlockBytes);
    if (!hole) content_->write_block(number, page, 0, expected.data());
    const uint64_t tag = content_->tag_of(number, page, version);
    if (version != 0) std::memcpy(expected.data(), &tag, sizeof(tag));
    AlignedBuffer found(kBlockBytes);
    DAXLAB_ASSIGN(const size_t count, file.read(page * kBlockBytes, found.span()));
    if (count == kBlockBytes && std::memcmp(found.data(), expected.data(), kBlockBytes) == 0) return {};
    return Error(Errc::kCorrupt,
                 fmt::format("file {}, page {}: not what was stored through the mapping (touch {})", number, page, version));
  }

  std::unique_ptr<FaultParams> params_;
  std::unique_ptr<Content> content_;
  FileSet files_;
  std::vector<TouchProgress> finals_;
};

class MmapFaultType final : public WorkloadType {
 public:
  std::string name() const override { return "mmap_fault"; }
  std::string description() const override {
    return "touch a 4 KiB page of a mapped file that is absent, clean or a hole: one fault a step";
  }
  std::vector<AxisSpec> axes() const override {
    return {{.name = "touch",
             .kind = AxisSpec::Kind::kEnum,
             .values = {"first", "redirty", "hole"},
             .min = 0,
             .max = 0,
             .default_value = "first",
             .help = "the page was never touched, was made clean by msync, or is not allocated"},
            axes::access(),
            axes::file_size(),
            {.name = "stride",
             .kind = AxisSpec::Kind::kSize,
             .values = {},
             .min = 4 * kKiB,
             .max = 2 * kMiB,
             .default_value = "4KiB",
             .help = "distance of the pages that are touched; at 2MiB every step is a fault of its own huge page"},
            axes::order("random"),
            axes::sharing()};
  }
  Result<void> check_params(const Params& params) const override {
    if (params.is("touch", "redirty") && params.is("access", "read")) {
      return Error(Errc::kUsage, "touch=redirty needs access=write: a load does not dirty a page");
    }
    if (params.integer("stride") % kBlockBytes != 0) {
      return Error(Errc::kUsage, fmt::format("stride={}: not a multiple of 4KiB", params.get("stride")));
    }
    if (params.integer("file_size") % params.integer("stride") == 0) return {};
    return Error(Errc::kUsage, fmt::format("file_size={}: not a multiple of stride={}", params.get("file_size"), params.get("stride")));
  }
  uint64_t space_bytes(const Params& params, uint32_t threads) const override {
    const uint64_t whole = WorkloadType::space_bytes(params, threads);
    return params.is("touch", "hole") ? whole / params.integer("stride") * kBlockBytes : whole;  // what is touched
  }
  std::unique_ptr<Workload> create() const override { return std::make_unique<MmapFault>(); }
  std::string unsuited(const Traits& traits) const override { return traits.mappable ? "" : "needs mmap"; }
};

const RegisterWorkload<MmapFaultType> kRegistered;

}  // namespace
}  // namespace daxlab
