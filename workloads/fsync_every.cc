// fsync_every: n operations, then one fsync, inside the step of the last of them; n=inf never syncs.
//
// op=create     a new empty file in a directory of one's own; the fsync is the directory's; unlinked in a pause at `population` names
// op=unlink     a file less of a directory of one's own, created again in a pause once all are gone; the fsync is the directory's
// op=rename     a file of a directory of one's own gets its other name, one after the other; the fsync is the directory's
// op=append     block_bytes at the end of a file of one's own; truncated in a pause at file_size
// op=overwrite  block_bytes over a random block of a full file of one's own
#include <limits>

#include "engines/base/mark.h"
#include "engines/base/units.h"
#include "workloads/directory_set.h"
#include "workloads/marks.h"
#include "workloads/progress.h"

namespace daxlab {
namespace {

/// Counts operations up to the next fsync.
class Pace {
 public:
  explicit Pace(const Params& params)
      : every_(params.is("n", "inf") ? std::numeric_limits<uint64_t>::max() : params.integer("n")), left_(every_) {}
  bool due() {
    if (--left_ != 0) return false;
    left_ = every_;
    return true;
  }

 private:
  uint64_t every_;
  uint64_t left_;
};

/// Ends a step: the fsync if it is due.
template <typename Object>
Result<void> sync_if_due(Pace& pace, Object& object) {
  if (!pace.due()) return {};
  mark<marks::kClassFsync>();
  const auto synced = object.fsync();
  mark<marks::kClassEnd>();
  return synced;
}

class CreateWorker final : public Worker {
 public:
  CreateWorker(Engine& engine, std::unique_ptr<Directory> directory, const NameSet& names, const Params& params, uint64_t& final)
      : engine_(engine), directory_(std::move(directory)), names_(names), pace_(params), final_(final) {}
  ~CreateWorker() override { final_ = next_; }

  Result<Step> step() override {
    const auto created = create_empty(engine_, *directory_, names_[next_]);
    if (DAXLAB_UNLIKELY(!created.ok())) return created.error();
    ++next_;
    const auto synced = sync_if_due(pace_, *directory_);
    if (DAXLAB_UNLIKELY(!synced.ok())) return synced.error();
    return next_ == names_.size() ? Step::kPause : Step::kDone;
  }
  Result<void> reset() override {
    for (uint64_t i = 0; i < next_; ++i) DAXLAB_TRY(directory_->unlink(names_[i]));
    next_ = 0;
    return directory_->fsync();
  }
  uint64_t bytes_per_op() const override { return 0; }

 private:
  Engine& engine_;
  std::unique_ptr<Directory> directory_;
  const NameSet& names_;
  Pace pace_;
  uint64_t& final_;
  uint64_t next_ = 0;
};

class UnlinkWorker final : public Worker {
 public:
  UnlinkWorker(Engine& engine, std::unique_ptr<Directory> directory, const NameSet& names, const Params& params, uint64_t& final)
      : engine_(engine), directory_(std::move(directory)), names_(names), pace_(params), final_(final) {}
  ~UnlinkWorker() override { final_ = next_; }

  Result<Step> step() override {
    const auto unlinked = directory_->unlink(names_[next_]);
    if (DAXLAB_UNLIKELY(!unlinked.ok())) return unlinked.error();
    ++next_;
    const auto synced = sync_if_due(pace_, *directory_);
    if (DAXLAB_UNLIKELY(!synced.ok())) return synced.error();
    return next_ == names_.size() ? Step::kPause : Step::kDone;
  }
  Result<void> reset() override {
    for (; next_ > 0; --next_) {
      const auto created = create_empty(engine_, *directory_, names_[names_.size() - next_]);
      if (!created.ok()) return created.error();
    }
    return directory_->fsync();
  }
  uint64_t bytes_per_op() const override { return 0; }

 private:
  Engine& engine_;
  std::unique_ptr<Directory> directory_;
  const NameSet& names_;
  Pace pace_;
  uint64_t& final_;
  uint64_t next_ = 0;  // names before it are gone
};

class RenameWorker final : public Worker {
 public:
  RenameWorker(std::unique_ptr<Directory> directory, const NameSet& names, const NameSet& others, const Params& params, uint64_t& final)
      : directory_(std::move(directory)), names_(names), others_(others), pace_(params), final_(final) {}
  ~RenameWorker() override { final_ = renames_; }

  Result<Step> step() override {
    const uint64_t i = renames_ % names_.size();
    const bool back = renames_ / names_.size() % 2 != 0;
    const auto renamed =
        directory_->rename(back ? others_[i] : names_[i], *directory_, back ? names_[i] : others_[i], RenameFlags::kNone);
    if (DAXLAB_UNLIKELY(!renamed.ok())) return renamed.error();
    ++renames_;
    const auto synced = sync_if_due(pace_, *directory_);
    if (DAXLAB_UNLIKELY(!synced.ok())) return synced.error();
    return Step::kDone;
  }
  uint64_t bytes_per_op() const override { return 0; }

 private:
  std::unique_ptr<Directory> directory_;
  const NameSet& names_;
  const NameSet& others_;
  Pace pace_;
  uint64_t& final_;
  uint64_t renames_ = 0;
};

class AppendWorker final : public Worker {
 public:
  AppendWorker(std::unique_ptr<File> file, uint64_t number, uint64_t blocks, Content content, const Params& params,
               AppendProgress& final)
      : file_(std::move(file)), number_(number), blocks_(blocks), content_(std::move(content)), pace_(params), final_(final) {}
  ~AppendWorker() override { final_ = progress_; }

  Result<Step> step() override {
    const auto appended = file_->append(content_.block(number_, progress_.in_file, progress_.appends + 1));
    if (DAXLAB_UNLIKELY(!appended.ok())) return appended.error();
    ++progress_.appends;
    ++progress_.in_file;
    const auto synced = sync_if_due(pace_, *file_);
    if (DAXLAB_UNLIKELY(!synced.ok())) return synced.error();
    return progress_.in_file == blocks_ ? Step::kPause : Step::kDone;
  }
  Result<void> reset() override {
    DAXLAB_TRY(truncate(*file_, 0));
    progress_.in_file = 0;
    return file_->fsync();
  }
  uint64_t bytes_per_op() const override { return content_.block_bytes(); }

 private:
  std::unique_ptr<File> file_;
  uint64_t number_;
  uint64_t blocks_;
  Content content_;
  Pace pace_;
  AppendProgress& final_;
  AppendProgress progress_;
};

class OverwriteWorker final : public Worker {
 public:
  OverwriteWorker(std::unique_ptr<File> file, uint64_t number, uint64_t blocks, Content content, const Params& params,
                  uint64_t seed, OverwriteProgress& final)
      : file_(std::move(file)),
        number_(number),
        content_(std::move(content)),
        order_(true, blocks, seed),
        pace_(params),
        final_(final) {
    final_.seed = seed;
  }
  ~OverwriteWorker() override { final_.writes = writes_; }

  Result<Step> step() override {
    const uint64_t block = order_.next();
    const auto written = file_->write(block * content_.block_bytes(), content_.block(number_, block, ++writes_));
    if (DAXLAB_UNLIKELY(!written.ok())) return written.error();
    const auto synced = sync_if_due(pace_, *file_);
    if (DAXLAB_UNLIKELY(!synced.ok())) return synced.error();
    return Step::kDone;
  }
  uint64_t bytes_per_op() const override { return content_.block_bytes(); }

 private:
  std::unique_ptr<File> file_;
  uint64_t number_;
  Content content_;
  BlockOrder order_;
  Pace pace_;
  OverwriteProgress& final_;
  uint64_t writes_ = 0;
};

class CreateEvery final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    names_ = NameSet('n', 0, context.params.integer("population"));
    finals_.resize(context.threads);
    return directories_.create(context, 0, false);
  }
  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t /*seed*/) override {
    DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, index));
    return std::unique_ptr<Worker>(
        std::make_unique<CreateWorker>(context.engine, std::move(directory), names_, context.params, finals_[index]));
  }
  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    for (uint32_t i = 0; i < context.threads; ++i) {
      Listing expected;
      for (uint64_t name = 0; name < finals_[i]; ++name) expected.emplace(names_[name], 0);
      DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, i));
      DAXLAB_TRY(check_listing(*directory, i, expected));
    }
    return {};
  }

 private:
  DirectorySet directories_;
  NameSet names_{'n', 0, 0};
  std::vector<uint64_t> finals_;  // names that are there
};

/// op=unlink and op=rename: directories that are full before.
class FullEvery final : public Workload {
 public:
  explicit FullEvery(bool unlinks) : unlinks_(unlinks) {}

  Result<void> prepare(const WorkloadContext& context) override {
    others_ = NameSet('r', 0, context.params.integer("population"));
    finals_.resize(context.threads);
    return directories_.create(context, others_.size(), false);
  }
  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t /*seed*/) override {
    DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, index));
    if (unlinks_) {
      return std::unique_ptr<Worker>(std::make_unique<UnlinkWorker>(context.engine, std::move(directory), directories_.names(),
                                                                    context.params, finals_[index]));
    }
    return std::unique_ptr<Worker>(std::make_unique<RenameWorker>(std::move(directory), directories_.names(), others_,
                                                                  context.params, finals_[index]));
  }
  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    for (uint32_t i = 0; i < context.threads; ++i) {
      DAXLAB_ASSIGN(auto directory, directories_.open(context.engine, i));
      DAXLAB_TRY(check_listing(*directory, i, unlinks_ ? left(i) : renamed(i)));
    }
    return {};
  }

 private:
  /// Any inode: a file that came back in a pause has a new one.
  Listing left(uint32_t thread) const {
    Listing expected;
    for (uint64_t i = finals_[thread]; i < others_.size(); ++i) expected.emplace(directories_.names()[i], 0);
    return expected;
  }
  Listing renamed(uint32_t thread) const {
    const uint64_t count = others_.size();
    const bool back = finals_[thread] / count % 2 != 0;
    Listing expected;
    for (uint64_t i = 0; i < count; ++i) {
      const bool other = (i < finals_[thread] % count) != back;
      expected.emplace(other ? others_[i] : directories_.names()[i], directories_.inodes(thread)[i]);
    }
    return expected;
  }

  bool unlinks_;
  DirectorySet directories_;
  NameSet others_{'r', 0, 0};
  std::vector<uint64_t> finals_;  // unlinks since the last pause, or renames in all
};

class WriteEvery final : public Workload {
 public:
  explicit WriteEvery(bool appends) : appends_(appends) {}

  Result<void> prepare(const WorkloadContext& context) override {
    block_bytes_ = context.params.integer("block_bytes");
    blocks_ = context.params.integer("file_size") / block_bytes_;
    append_finals_.resize(context.threads);
    overwrite_finals_.resize(context.threads);
    return files_.create(context, Content(context.seed, block_bytes_), blocks_, false, !appends_);
  }
  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t seed) override {
    DAXLAB_ASSIGN(auto file, files_.open(context.engine, index));
    Content content(context.seed, block_bytes_);
    if (appends_) {
      return std::unique_ptr<Worker>(std::make_unique<AppendWorker>(std::move(file), index, blocks_, std::move(content),
                                                                    context.params, append_finals_[index]));
    }
    return std::unique_ptr<Worker>(std::make_unique<OverwriteWorker>(std::move(file), index, blocks_, std::move(content),
                                                                     context.params, seed, overwrite_finals_[index]));
  }
  Result<void> verify(const WorkloadContext& context) override {
    if (!context.traits.stores_data) return {};
    const Content content(context.seed, block_bytes_);
    for (uint32_t i = 0; i < context.threads; ++i) {
      DAXLAB_ASSIGN(auto file, files_.open(context.engine, i));
      if (appends_) {
        DAXLAB_TRY(check_appended(*file, content, i, append_finals_[i], 1));
        continue;
      }
      DAXLAB_TRY(check_size(*file, i, blocks_ * block_bytes_));
      DAXLAB_TRY(check_part(*file, content, {i, 0, blocks_}, versions_after(overwrite_finals_[i], true, blocks_)));
    }
    return {};
  }

 private:
  bool appends_;
  FileSet files_;
  uint64_t block_bytes_ = 0;
  uint64_t blocks_ = 0;
  std::vector<AppendProgress> append_finals_;
  std::vector<OverwriteProgress> overwrite_finals_;
};

/// Chooses by `op` once the parameters are known.
class FsyncEvery final : public Workload {
 public:
  Result<void> prepare(const WorkloadContext& context) override {
    if (context.params.is("op", "create")) {
      chosen_ = std::make_unique<CreateEvery>();
    } else if (const bool unlinks = context.params.is("op", "unlink"); unlinks || context.params.is("op", "rename")) {
      chosen_ = std::make_unique<FullEvery>(unlinks);
    } else {
      chosen_ = std::make_unique<WriteEvery>(context.params.is("op", "append"));
    }
    return chosen_->prepare(context);
  }
  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t seed) override {
    return chosen_->make_worker(context, index, seed);
  }
  Result<void> verify(const WorkloadContext& context) override { return chosen_->verify(context); }

 private:
  std::unique_ptr<Workload> chosen_;
};

class FsyncEveryType final : public WorkloadType {
 public:
  std::string name() const override { return "fsync_every"; }
  std::string description() const override {
    return "n operations per fsync (the directory's where names change): what deferred durability saves";
  }
  std::vector<AxisSpec> axes() const override {
    return {{.name = "n",
             .kind = AxisSpec::Kind::kInteger,
             .values = {"inf"},
             .min = 1,
             .max = 1'000'000'000,
             .default_value = "1",
             .help = "operations per fsync; inf: none"},
            {.name = "op",
             .kind = AxisSpec::Kind::kEnum,
             .values = {"create", "append", "overwrite", "unlink", "rename"},
             .min = 0,
             .max = 0,
             .default_value = "create",
             .help = "the operation"},
            axes::block_bytes(),
            axes::file_size(),
            axes::population()};
  }
  Result<void> check_params(const Params& params) const override { return axes::check_blocks(params); }
  uint64_t space_bytes(const Params& params, uint32_t threads) const override {
    const bool of_names = !params.is("op", "append") && !params.is("op", "overwrite");
    return of_names ? 0 : WorkloadType::space_bytes(params, threads);
  }
  std::unique_ptr<Workload> create() const override { return std::make_unique<FsyncEvery>(); }
};

const RegisterWorkload<FsyncEveryType> kRegistered;

}  // namespace
}  // namespace daxlab
