#include "engines/xfslike/inode.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "engines/base/check.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {

Error damaged(uint64_t ino, const char* what) { return {Errc::kCorrupt, fmt::format("inode {}: {}", ino, what)}; }

}  // namespace

void Inode::set_local(std::span<const std::byte> bytes) {
  DAXLAB_CHECK(bytes.size() <= kForkBytes && fork_format() == ForkFormat::kLocal);
  std::copy(bytes.begin(), bytes.end(), local_.begin());
  core.fork_bytes = static_cast<uint32_t>(bytes.size());
}

void Inode::start_fork(ForkFormat format) {
  core.fork_format = static_cast<uint8_t>(format);
  core.fork_bytes = 0;
  core.extent_count = 0;
  extents.clear();
  extents_loaded = true;
  tree = {};
}

void Inode::count_fork() {
  core.extent_count = static_cast<uint32_t>(extents.size());
  core.fork_bytes = static_cast<uint32_t>(fork_format() == ForkFormat::kTree ? sizeof(TreeRootDisk) : extents.size() * sizeof(ExtentDisk));
}

void Inode::format_fork(std::byte* to) const {
  switch (fork_format()) {
    case ForkFormat::kNone:
      break;
    case ForkFormat::kLocal:
      std::memcpy(to, local_.data(), core.fork_bytes);
      break;
    case ForkFormat::kExtents:
      for (const Extent& extent : extents.all()) {
        const ExtentDisk disk = pack(extent);
        std::memcpy(to, &disk, sizeof disk);
        to += sizeof disk;
      }
      break;
    case ForkFormat::kTree: {
      const TreeRootDisk root{tree.address, tree.height, 0};
      std::memcpy(to, &root, sizeof root);
      break;
    }
  }
}

Result<void> Inode::load(const InodeDisk& disk) {
  core = disk.core;
  extents.clear();
  extents_loaded = true;
  tree = {};
  switch (fork_format()) {
    case ForkFormat::kNone:
      return {};
    case ForkFormat::kLocal:
      local_ = disk.fork;
      return {};
    case ForkFormat::kExtents:
      if (core.fork_bytes != core.extent_count * sizeof(ExtentDisk)) return damaged(ino_, "its extents are miscounted");
      for (uint32_t i = 0; i < core.extent_count; ++i) {
        ExtentDisk record;
        std::memcpy(&record, disk.fork.data() + i * sizeof record, sizeof record);
        const Extent extent = unpack(record);
        if (!volume_.plausible(extent.block, extent.count) || !extents.append_read(extent)) return damaged(ino_, "impossible extents");
      }
      return {};
    case ForkFormat::kTree: {
      TreeRootDisk root;
      std::memcpy(&root, disk.fork.data(), sizeof root);
      if (core.fork_bytes != sizeof root || !volume_.plausible(root.block) || root.height == 0 || root.height > kBtreeHeightMax) {
        return damaged(ino_, "its tree has no root");
      }
      tree = {root.block, root.height};
      extents_loaded = false;
      return {};
    }
  }
  return damaged(ino_, "no such fork");
}

Attributes Inode::attributes() const {
  Attributes a;
  a.ino = ino_;
  a.kind = kind();
  a.mode = core.mode;
  a.uid = core.uid;
  a.gid = core.gid;
  a.links = core.links;
  a.size_bytes = core.size_bytes;
  a.allocated_bytes = core.block_count * kBlockBytes;
  a.device = core.device;
  a.atime_ns = core.atime_ns;
  a.mtime_ns = core.mtime_ns;
  a.ctime_ns = core.ctime_ns;
  return a;
}

}  // namespace daxlab::xfslike
