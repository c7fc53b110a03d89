#include "engines/native/recovery.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "engines/base/counters.h"
#include "engines/base/random.h"
#include "engines/native/log_reader.h"
#include "engines/native/replay.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {

/// A name found: the inode it means.
struct Reference {
  uint32_t ino;
  uint32_t generation;
  NodeKind kind;
  uint64_t time_ns;
  InodeId parent;
};

/// Making a name changes what it names; only the directory's record says when.
void raise_ctime(Inode& inode, uint64_t time_ns) {
  if (time_ns > inode.ctime_ns.load(std::memory_order_relaxed)) inode.ctime_ns.store(time_ns, std::memory_order_relaxed);
}

class Loader {
 public:
  Loader(FileSystem& fs, RecoveryMode mode) : fs_(fs), mode_(mode) {}

  Result<void> run(unsigned threads);
  uint32_t epoch() const { return epoch_; }

 private:
  using Batch = std::vector<Reference>;
  static constexpr size_t kBatch = 256;

  void work();
  Result<void> load(const Reference& reference, Batch& found);
  Result<void> load_log(Inode& inode, uint64_t head_word);
  Result<void> claim_blocks(Inode& inode, const LogShape& shape);
  Result<void> undo(Inode& inode, const LogShape& shape);
  Result<void> redo(Inode& inode, const std::vector<Redo>& redo);
  void put(Batch& found);
  bool take(Batch& batch);
  void fail(Error error);

  FileSystem& fs_;
  const RecoveryMode mode_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Batch queue_;
  std::vector<std::pair<Inode*, uint64_t>> further_names_;
  unsigned working_ = 0;
  bool failed_ = false;
  Error error_{Errc::kIo};
  std::atomic<uint32_t> epoch_{0};
};

void Loader::put(Batch& found) {
  if (found.empty()) return;
  const std::lock_guard lock(mutex_);
  queue_.insert(queue_.end(), found.begin(), found.end());
  found.clear();
  changed_.notify_all();
}

bool Loader::take(Batch& batch) {
  std::unique_lock lock(mutex_);
  if (!batch.empty()) {
    batch.clear();
    --working_;
  }
  changed_.wait(lock, [&] { return failed_ || !queue_.empty() || working_ == 0; });
  if (failed_ || queue_.empty()) {
    changed_.notify_all();
    return false;
  }
  const size_t count = std::min(queue_.size(), kBatch);
  batch.assign(queue_.end() - static_cast<ptrdiff_t>(count), queue_.end());
  queue_.resize(queue_.size() - count);
  ++working_;
  return true;
}

void Loader::fail(Error error) {
  const std::lock_guard lock(mutex_);
  if (!failed_) error_ = std::move(error);
  failed_ = true;
  changed_.notify_all();
}

void Loader::work() {
  Batch batch;
  Batch found;
  while (take(batch)) {
    for (const Reference& reference : batch) {
      const auto loaded = load(reference, found);
      if (!loaded.ok()) return fail(loaded.error());
      put(found);
    }
  }
}

// Order of each: the store, flush. None depends on another, and all are durable with the state of the mount, before anything is appended or
// committed under the number of what was undone. A crash before it leaves what the mount found, or less to undo.
Result<void> Loader::undo(Inode& inode, const LogShape& shape) {
  const bool cut = mode_ == RecoveryMode::kCrash && shape.left_over != nullptr;  // behind an unmount it is a former user's of the page
  if (!shape.torn() && !cut) return {};
  if (mode_ != RecoveryMode::kCrash) {
    return Error(Errc::kCorrupt, fmt::format("the log of inode {} is cut, but the medium was unmounted", inode.ino));
  }
  const auto store_word = [](uint64_t* word, uint64_t value) {
    pmem::store_commit(word, value);
    pmem::flush(word, sizeof *word);
  };
  for (uint64_t* const tail : shape.erase) store_word(tail, 0);
  if (cut) store_word(shape.left_over, 0);
  if (shape.clear_head) store_word(&inode.slot->head, 0);
  if (shape.clear_next) store_word(&fs_.volume.disk<LogPageDisk>(shape.pages.back(), 0)->next, 0);
  if (shape.rewrite_header) {
    LogPageDisk page{};
    page.magic = kLogPageMagic;
    page.ino = inode.ino;
    page.generation = inode.generation;
    page.ordinal = shape.head_ordinal + static_cast<uint32_t>(shape.pages.size()) - 1;
    page.crc = log_page_crc(page, inode.seed);
    auto* const disk = fs_.volume.disk<LogPageDisk>(shape.pages.back(), 0);
    pmem::store(disk, page);
    pmem::flush(disk, sizeof page);
  }
  return {};
}

// Small writes whose place may not have become durable are stored again, where their block still belongs to the page. Order: the bytes, flush;
// durable with the state of the mount, as whoever retires the records then no longer knows their places.
Result<void> Loader::redo(Inode& inode, const std::vector<Redo>& redo) {
  inode.small_unretired = !redo.empty();
  for (const Redo& write : redo) {
    if (write.bytes.empty() || inode.data.get(write.offset / kBlockBytes).block != write.block) continue;
    std::byte* const place = fs_.volume.address(write.block) + write.offset % kBlockBytes;
    if (mode_ == RecoveryMode::kVerify) continue;
    pmem::store_bytes(place, write.bytes.data(), write.bytes.size());
    pmem::flush(place, write.bytes.size());
  }
  return {};
}

Result<void> Loader::claim_blocks(Inode& inode, const LogShape& shape) {
  Allocator& allocator = fs_.volume.allocator;
  for (const uint32_t block : shape.pages) {
    if (!allocator.claim(block, 1)) return Error(Errc::kCorrupt, fmt::format("log page {} of inode {} is used twice", block, inode.ino));
  }
  for (uint64_t page = inode.data.next_mapped(0, kFilePagesMax); page < kFilePagesMax;) {
    const uint32_t block = inode.data.get(page).block;
    const uint64_t pages = inode.data.run(page, Allocator::kGroupBlocks);
    if (!allocator.claim(block, pages)) return Error(Errc::kCorrupt, fmt::format("block {} of inode {} is used twice", block, inode.ino));
    page = inode.data.next_mapped(page + pages, kFilePagesMax);
  }
  return {};
}

Result<void> Loader::load_log(Inode& inode, uint64_t head_word) {
  Volume& volume = fs_.volume;
  LogReader reader(volume, fs_.table, inode.ino, inode.generation);
  DAXLAB_ASSIGN(const LogShape shape, reader.scan(head_word));
  LogState& log = inode.log;
  if (!shape.pages.empty()) {
    log.head_block = shape.pages.front();
    log.tail_block = shape.pages.back();
    log.head_ordinal = shape.head_ordinal;
    log.tail_ordinal = shape.head_ordinal + static_cast<uint32_t>(shape.pages.size()) - 1;
    log.tail_line = shape.tail_line;
    log.compact_pages = log.pages();
    for (size_t i = 0; i + 1 < shape.pages.size(); ++i) volume.log_pages[shape.pages[i]].next = shape.pages[i + 1];
  }
  Replay replay(volume, inode);
  DAXLAB_TRY(reader.for_each(shape, [&](const LogRecord& record) { return replay.apply(record); }));
  DAXLAB_TRY(claim_blocks(inode, shape));
  DAXLAB_TRY(undo(inode, shape));
  DAXLAB_TRY(redo(inode, replay.redo()));
  uint32_t seen = epoch_.load(std::memory_order_relaxed);
  while (seen < shape.epoch && !epoch_.compare_exchange_weak(seen, shape.epoch, std::memory_order_relaxed)) {
  }
  return {};
}

Result<void> Loader::load(const Reference& reference, Batch& found) {
  const auto damage = [&](const char* what) {
    return Error(Errc::kCorrupt, fmt::format("inode {} generation {}: {}", reference.ino, reference.generation, what));
  };
  InodeDisk* const slot = fs_.table.slot(reference.ino);
  if (slot == nullptr) return damage("a name refers to it, and it has no slot");
  const InodeDisk disk = pmem::load(slot);
  const bool valid = disk.magic == kInodeMagic && disk.ino == reference.ino && disk.crc == inode_crc(disk, fs_.volume.seed);
  if (!valid) return damage("its slot is damaged");
  if (disk.generation != reference.generation) return damage("a name refers to another generation");
  if (disk.kind != static_cast<uint8_t>(reference.kind)) return damage("its name has another kind");

  auto made = make_inode(fs_.volume, disk, slot);
  Inode* inode = made.get();
  if (!fs_.table.put(std::move(made))) {
    inode = fs_.table.get(reference.ino);
    if (reference.kind == NodeKind::kDirectory) return damage("a directory has two names");
    inode->links.fetch_add(1, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    further_names_.emplace_back(inode, reference.time_ns);
    return {};
  }
  const bool directory = reference.kind == NodeKind::kDirectory;
  inode->links.fetch_add(directory ? 2 : 1, std::memory_order_relaxed);
  inode->parent.store(reference.parent, std::memory_order_relaxed);
  if (directory && reference.parent != inode->id()) {
    fs_.table.get(Inode::ino_of(reference.parent))->links.fetch_add(1, std::memory_order_relaxed);
  }
  DAXLAB_TRY(load_log(*inode, disk.head));
  raise_ctime(*inode, reference.time_ns);
  if (reference.kind == NodeKind::kSymlink && inode->target->empty()) return damage("a symlink has no target");
  if (directory) {
    inode->names->for_each(0, [&](const Dentry& dentry) {
      found.push_back({dentry.ino, dentry.generation, dentry.kind, dentry.time_ns, inode->id()});
      return true;
    });
  }
  return {};
}

Result<void> Loader::run(unsigned threads) {
  const InodeId root = uint64_t{kRootGeneration} << 32 | kRootInode;
  queue_.push_back({kRootInode, kRootGeneration, NodeKind::kDirectory, 0, root});
  std::vector<std::thread> helpers;
  for (unsigned i = 1; i < threads; ++i) {
    helpers.emplace_back([this] {
      const CounterThread counters;
      work();
      pmem::fence();  // a fence is its thread's: that of the state is behind what the mounting thread flushed
    });
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  if (failed_) return error_;
  for (const auto& [inode, time_ns] : further_names_) raise_ctime(*inode, time_ns);
  return {};
}

}  // namespace

std::unique_ptr<Inode> make_inode(const Volume& volume, const InodeDisk& disk, InodeDisk* slot) {
  const auto kind = static_cast<NodeKind>(disk.kind);
  auto inode = std::make_unique<Inode>(disk.ino, disk.generation, kind);
  inode->seed = inode_seed(volume.seed, disk.ino, disk.generation);
  inode->slot = slot;
  inode->atime_ns = inode->mtime_ns = disk.time_ns;
  inode->ctime_ns.store(disk.time_ns, std::memory_order_relaxed);
  inode->device = disk.device;
  inode->uid = disk.uid;
  inode->gid = disk.gid;
  inode->mode = disk.mode;
  if (kind == NodeKind::kDirectory) inode->names = std::make_unique<NameIndex>(volume.dirblock_bytes);
  if (kind == NodeKind::kSymlink) inode->target = std::make_unique<std::string>();
  return inode;
}

Digest digest(FileSystem& fs) {
  Digest digest;
  fs.table.for_each([&](const Inode& inode) {
    if (inode.links.load(std::memory_order_relaxed) == 0) return;  // held by number only: gone with this mount
    const uint64_t place = inode.log.head_block == 0 ? 0 : uint64_t{inode.log.tail_ordinal} << 8 | inode.log.tail_line;
    digest.sum += Random::mix(inode.id(), place);
    ++digest.inodes;
  });
  return digest;
}

Result<void> recover(FileSystem& fs, RecoveryMode mode, unsigned threads) {
  Volume& volume = fs.volume;
  DAXLAB_TRY(volume.commits.load());
  const uint64_t fixed_blocks = kInodeMapBlock + volume.superblock.inode_map_blocks;
  DAXLAB_CHECK(volume.allocator.claim(0, fixed_blocks));
  DAXLAB_CHECK(volume.allocator.claim(static_cast<uint32_t>(volume.superblock.block_count - 1), 1));
  DAXLAB_TRY(fs.table.load());
  Loader loader(fs, mode);
  DAXLAB_TRY(loader.run(threads));
  volume.epoch = std::max(volume.epoch, loader.epoch() + 1);
  return {};
}

void finish_recovery(FileSystem& fs) {
  fs.table.build_free_lists();
  fs.volume.allocator.build();
}

}  // namespace daxlab::native
