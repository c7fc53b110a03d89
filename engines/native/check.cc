#include "engines/native/check.h"

#include <fmt/core.h>

#include "engines/native/recovery.h"
#include "engines/native/superblock.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {

class Checker {
 public:
  Checker(FileSystem& fs, FileSystem& shadow, CheckReport& report) : fs_(fs), shadow_(shadow), report_(report) {}

  void superblocks();
  void inodes();
  void blocks();

 private:
  template <typename... Args>
  void find(fmt::format_string<Args...> text, Args&&... args) {
    constexpr size_t kFindingsMax = 100;
    if (report_.findings.size() < kFindingsMax) report_.findings.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
  void same_attributes(Inode& inode, Inode& read);
  void same_log(Inode& inode, Inode& read);
  void same_data(Inode& inode, Inode& read);
  void same_names(Inode& inode, Inode& read);
  void claim_hidden(Inode& inode);

  FileSystem& fs_;
  FileSystem& shadow_;
  CheckReport& report_;
};

void Checker::superblocks() {
  const auto read = [&](uint64_t block) { return pmem::load(fs_.volume.disk<SuperblockDisk>(static_cast<uint32_t>(block), 0)); };
  for (const uint64_t block : {uint64_t{kSuperblockBlock}, fs_.volume.superblock.block_count - 1}) {
    const SuperblockDisk disk = read(block);
    if (std::memcmp(&disk, &fs_.volume.superblock, sizeof disk) != 0) find("N1: the superblock in block {} is not the one mounted", block);
  }
  const auto state = read_state(fs_.volume);
  if (!state.ok()) {
    find("N1: {}", state.error().message());
  } else if (state->clean != 0 || state->epoch != fs_.volume.epoch) {
    find("N1: the state says clean {} epoch {}, mounted is epoch {}", state->clean, state->epoch, fs_.volume.epoch);
  }
}

void Checker::same_attributes(Inode& inode, Inode& read) {
  const auto same = [&](const char* what, uint64_t dram, uint64_t medium) {
    if (dram != medium) find("N5: inode {}: {} is {}, on the medium {}", inode.ino, what, dram, medium);
  };
  same("mode", inode.mode, read.mode);
  same("uid", inode.uid, read.uid);
  same("gid", inode.gid, read.gid);
  same("device", inode.device, read.device);
  same("size", inode.size_bytes, read.size_bytes);
  same("atime", inode.atime_ns, read.atime_ns);
  same("mtime", inode.mtime_ns, read.mtime_ns);
  same("data blocks", inode.data_blocks, read.data_blocks);
  if (inode.links.load() != read.links.load()) {
    find("N8: inode {} has {} links, names on the medium {}", inode.ino, inode.links.load(), read.links.load());
  }
  if (inode.kind == NodeKind::kDirectory && inode.parent.load() != read.parent.load()) {
    find("N8: directory {} has parent {:#x}, on the medium {:#x}", inode.ino, inode.parent.load(), read.parent.load());
  }
  if (inode.target != nullptr && *inode.target != *read.target) find("N5: symlink {} has another target on the medium", inode.ino);
}

void Checker::same_log(Inode& inode, Inode& read) {
  const LogState& a = inode.log;
  const LogState& b = read.log;
  const bool same = a.head_block == b.head_block && a.tail_block == b.tail_block && a.head_ordinal == b.head_ordinal &&
                    a.tail_ordinal == b.tail_ordinal && (a.head_block == 0 || a.tail_line == b.tail_line);
  if (!same) {
    find("N4: the log of inode {} is in blocks {} to {}, line {}; on the medium {} to {}, line {}", inode.ino, a.head_block, a.tail_block,
         a.tail_line, b.head_block, b.tail_block, b.tail_line);
    return;
  }
  for (uint32_t block = a.head_block; block != 0;) {
    const LogPageInfo info = fs_.volume.log_pages[block];
    const LogPageInfo medium = shadow_.volume.log_pages[block];
    if (info.next != medium.next) {
      find("N4: log page {} of inode {} is followed by {}, on the medium {}", block, inode.ino, info.next, medium.next);
      return;
    }
    if (info.live != medium.live) {
      find("N6: log page {} of inode {} has {} references, on the medium {}", block, inode.ino, info.live, medium.live);
    }
    block = info.next;
  }
}

void Checker::same_data(Inode& inode, Inode& read) {
  uint64_t page = 0;
  uint64_t medium = 0;
  do {
    page = inode.data.next_mapped(page, kFilePagesMax);
    medium = read.data.next_mapped(medium, kFilePagesMax);
    if (page != medium) {
      find("N5: inode {}: page {} has a block, on the medium page {}", inode.ino, page, medium);
      return;
    }
    if (page < kFilePagesMax && !(inode.data.get(page) == read.data.get(page))) {
      find("N5: inode {}: page {} is in block {} by log page {}, on the medium {} by {}", inode.ino, page, inode.data.get(page).block,
           inode.data.get(page).log_page, read.data.get(page).block, read.data.get(page).log_page);
      return;
    }
    ++page;
    ++medium;
  } while (page < kFilePagesMax);
}

void Checker::same_names(Inode& inode, Inode& read) {
  if (inode.names->size() != read.names->size()) {
    find("N9: directory {} has {} names, on the medium {}", inode.ino, inode.names->size(), read.names->size());
  }
  uint64_t cookie = 0;
  uint64_t listed = 0;
  inode.names->for_each(0, [&](const Dentry& dentry) {
    ++listed;
    if (dentry.cookie <= cookie || dentry.cookie >= inode.names->next_cookie()) {
      find("N10: directory {}: cookie {} is out of order", inode.ino, dentry.cookie);
    }
    cookie = dentry.cookie;
    if (inode.names->find(dentry.name()) != &dentry) find("N10: directory {}: '{}' is not found by its name", inode.ino, dentry.name());
    const Dentry* const medium = read.names->find(dentry.name());
    const bool same = medium != nullptr && medium->cookie == dentry.cookie && medium->id() == dentry.id() && medium->kind == dentry.kind &&
                      medium->log_page == dentry.log_page;
    if (!same) find("N9: directory {}: '{}' is something else on the medium", inode.ino, dentry.name());
    const Inode* const target = fs_.table.get(dentry.ino);
    if (target == nullptr || target->id() != dentry.id() || target->kind != dentry.kind) {
      find("N9: directory {}: '{}' names no inode", inode.ino, dentry.name());
    }
    return true;
  });
  if (listed != inode.names->size()) find("N10: directory {} lists {} of {} names", inode.ino, listed, inode.names->size());
}

/// Blocks that the medium does not know about: of open files without a name, and pages that logs will grow into.
void Checker::claim_hidden(Inode& inode) {
  const auto claim = [&](uint32_t block, uint64_t count) {
    if (!shadow_.volume.allocator.claim(block, count)) find("N7: block {} of inode {} belongs to another, too", block, inode.ino);
  };
  if (inode.log.spare_block != 0) claim(inode.log.spare_block, 1);
  if (const uint32_t spare = inode.spare_data_block.load(std::memory_order_acquire); spare != 0) claim(spare, 1);
  if (inode.links.load() != 0) return;
  for (uint32_t block = inode.log.head_block; block != 0; block = fs_.volume.log_pages[block].next) claim(block, 1);
  for (uint64_t page = inode.data.next_mapped(0, kFilePagesMax); page < kFilePagesMax;
       page = inode.data.next_mapped(page + 1, kFilePagesMax)) {
    claim(inode.data.get(page).block, 1);
  }
}

void Checker::inodes() {
  uint64_t named = 0;
  fs_.table.for_each([&](Inode& inode) {
    ++report_.inodes;
    const ReaderLock lock(inode.lock);
    claim_hidden(inode);
    if (inode.links.load() == 0) return;
    ++named;
    Inode* const read = shadow_.table.get(inode.ino);
    if (read == nullptr || read->generation != inode.generation || read->kind != inode.kind) {
      find("N3: inode {} is not on the medium", inode.ino);
      return;
    }
    same_attributes(inode, *read);
    same_log(inode, *read);
    if (inode.kind == NodeKind::kFile) same_data(inode, *read);
    if (inode.kind == NodeKind::kDirectory) same_names(inode, *read);
  });
  if (named != shadow_.table.live()) find("N3: {} inodes have names, on the medium {}", named, shadow_.table.live());
}

void Checker::blocks() {
  // The shadow's inode blocks are claimed by its mount; those that this mount added are on the medium, too.
  shadow_.volume.allocator.build();
  const uint64_t count = fs_.volume.superblock.block_count;
  for (uint64_t block = 0; block < count; ++block) {
    const auto at = static_cast<uint32_t>(block);
    const bool is_free = fs_.volume.allocator.is_free(at);
    if (!is_free) ++report_.blocks_used;
    if (is_free != shadow_.volume.allocator.is_free(at)) {
      find("N7: block {} is {}, by what the medium says {}", block, is_free ? "free" : "used", is_free ? "used" : "free");
    }
  }
  fs_.volume.allocator.check(report_.findings);
}

}  // namespace

Result<CheckReport> check_file_system(FileSystem& fs) {
  CheckReport report;
  MountOptions options = fs.options;
  options.background_threads = false;
  FileSystem shadow(fs.volume.region, fs.volume.superblock, options);
  shadow.volume.epoch = fs.volume.epoch;
  Checker checker(fs, shadow, report);
  checker.superblocks();
  const auto read = recover(shadow, RecoveryMode::kVerify, 1);
  if (!read.ok()) {
    report.findings.push_back("N2: " + read.error().message());
    return report;
  }
  checker.inodes();
  checker.blocks();
  return report;
}

}  // namespace daxlab::native
