#include "engines/xfslike/mkfs.h"

#include <array>
#include <cstring>
#include <vector>

#include "engines/base/clock.h"
#include "engines/base/random.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/directory_index.h"
#include "engines/xfslike/format_volume.h"
#include "engines/xfslike/log.h"
#include "engines/xfslike/parts.h"

namespace daxlab::xfslike {

namespace {

/// Takes the short form of a directory that has no inode yet.
class RootHome final : public DirectoryHome {
 public:
  explicit RootHome(uint64_t ino) : ino_(ino) {}
  std::vector<std::byte> bytes;

  uint64_t ino() const override { return ino_; }
  BlockSpace& blocks() override { __builtin_unreachable(); }  // an empty directory has none
  bool is_short() const override { return true; }
  std::span<const std::byte> short_form() const override { return bytes; }
  uint32_t short_form_bytes_max() const override { return kForkBytes; }
  void set_short_form(std::span<const std::byte> form) override { bytes.assign(form.begin(), form.end()); }
  void leave_short_form() override {}
  uint64_t size_bytes() const override { return bytes.size(); }
  void set_size_bytes(uint64_t) override {}

 private:
  const uint64_t ino_;
};

/// Differs from that of any file system that was formatted here before, so that nothing it left behind validates. A function of the
/// medium's seed and history and of the clock, so that a crash run can be replayed.
Uuid new_uuid(const pmem::Region& region, uint64_t now_ns) {
  const auto before = pmem::load(reinterpret_cast<const SuperblockDisk*>(region.block_address(0))).uuid;
  std::array<uint64_t, 2> words;
  static_assert(sizeof words == sizeof before);
  std::memcpy(words.data(), before.data(), sizeof words);
  words[0] = Random::mix(Random::mix(region.spec().seed, words[0]), now_ns);
  words[1] = Random::mix(words[0], words[1]);
  Uuid uuid;
  std::memcpy(uuid.data(), words.data(), sizeof words);
  return uuid;
}

}  // namespace

LogConfig log_config(const CoreOptions& options, const Uuid& uuid) {
  LogConfig config;
  config.format = options.format;
  config.iclog_size_bytes = options.iclog_bytes;
  config.iclogs = options.iclogs;
  config.lsunit_bytes = options.log_unit_bytes;
  std::memcpy(&config.uuid, uuid.data(), sizeof config.uuid);
  config.background_threads = !options.background_inline;
  config.push_worker = !options.push_inline;
  config.completion_worker = !options.completion_inline;
  config.relog = options.relog;
  return config;
}

// Order: groups, chunks and root, flushed and fenced, the superblocks last of them; an empty log. Nothing counts before the label.
Result<void> make_file_system(pmem::Region& region, const CoreOptions& options) {
  FormatRequest request;
  request.group_count = options.ags;
  request.log_blocks = log_bytes_for(options, region.size_bytes()) / kBlockBytes;
  request.dirblock_bytes = options.dirblock_bytes;
  request.meta_run_blocks = options.meta_run_bytes / static_cast<uint32_t>(kBlockBytes);
  request.quota = options.quota;
  request.now_ns = realtime_ns();
  request.uuid = new_uuid(region, request.now_ns);
  DAXLAB_ASSIGN(const SuperblockDisk plan, plan_volume(region, request));
  RootHome root(plan.root_ino);
  DirectoryIndex(root).make_empty(plan.root_ino);
  request.root_fork = root.bytes;
  DAXLAB_ASSIGN(const SuperblockDisk superblock, format_volume(region, request));

  DAXLAB_ASSIGN(const auto runs, log_runs(options.log_run, superblock.log_first_block, superblock.log_blocks, region.spec().seed));
  CoreOptions buffered = options;  // an empty log is the same wherever a mount will put its bytes
  buffered.log = "buffered";
  DAXLAB_ASSIGN(const auto placement, make_log_placement({region, buffered, runs}));
  return Log::create(*placement, log_config(options, request.uuid));
}

uint64_t min_medium_bytes() { return 6 * kMiB; }

}  // namespace daxlab::xfslike
