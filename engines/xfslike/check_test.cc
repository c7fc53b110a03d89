// check_medium() finds each class of damage, a hundred seeded corruptions of each, and nothing where nothing is wrong.

#include "engines/xfslike/check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "engines/xfslike/check_testing.h"
#include "engines/xfslike/dirblock.h"
#include "engines/xfslike/extent_map.h"

namespace daxlab::xfslike {
namespace {

using testing::Builder;
using testing::MediumMap;
using testing::Vandal;

constexpr uint64_t kCorruptions = 100;

void populate(TestVolume& test) {
  Builder builder(test);
  const uint64_t root = builder.root();
  const auto text = [](const char* prefix, uint64_t i) { return prefix + std::to_string(i); };
  std::vector<uint64_t> directories{root};
  for (uint64_t i = 0; i < 12; ++i) directories.push_back(builder.make(directories[i / 3], text("directory", i), NodeKind::kDirectory, 1));
  // Short form, block, leaf and node form; names that went leave stale entries.
  const uint64_t names[] = {3, 12, 60, 120, 300, 1100};
  std::vector<uint64_t> files;
  for (uint64_t d = 0; d < std::size(names); ++d) {
    for (uint64_t i = 0; i < names[d]; ++i) {
      if (i < 40) {
        files.push_back(builder.make(directories[1 + d], text("file", i), NodeKind::kFile, static_cast<uint32_t>(i % 5)));
      } else {
        builder.link(directories[1 + d], text("link", i), files[(i * 7) % files.size()]);
      }
    }
  }
  for (uint64_t i = 0; i < 40; ++i) {
    builder.make(directories[6], text("gone", i), NodeKind::kFifo);
    if (i % 2 == 0) builder.orphan(directories[6], text("held", i), builder.make(directories[6], text("held", i), NodeKind::kFile, 3));
  }
  for (size_t i = 0; i < files.size(); i += 2) builder.fill(files[i], i % 7, 1 + i % 5);
  for (uint64_t i = 0; i < 500; ++i) builder.fill(files[1], 2 * i, 1);  // a tree
  builder.make(root, "short", NodeKind::kSymlink, 2, "there");
  builder.make(root, "long", NodeKind::kSymlink, 2, std::string(3000, 'x'));
  builder.make(root, "longest", NodeKind::kSymlink, 2, std::string(kSymlinkBytesMax, 'y'));
}

/// A medium with one of everything, which is unmounted; made once for each size of directory block.
struct Medium {
  explicit Medium(uint32_t dirblock_bytes) {
    TestVolumeOptions options;
    options.size_bytes = 24 * kMiB;
    options.dirblock_bytes = dirblock_bytes;
    options.meta_run_blocks = 1;
    options.quota = true;
    test = std::make_unique<TestVolume>(options);
    populate(*test);
    test->unmount();
    vandal = std::make_unique<Vandal>(test->region());
    map = MediumMap::of(test->region());
  }
  static Medium& of(uint32_t dirblock_bytes) {
    static Medium small(4096);
    static Medium large(16384);
    return dirblock_bytes == 4096 ? small : large;
  }

  CheckReport check() { return check_medium(test->region()).value(); }

  std::unique_ptr<TestVolume> test;
  std::unique_ptr<Vandal> vandal;
  MediumMap map;
};

std::string text_of(const CheckReport& report) {
  std::string text;
  for (const std::string& finding : report.findings) text += finding + "\n";
  return text;
}

class Check : public ::testing::TestWithParam<uint32_t> {
 protected:
  /// corrupt(random) a hundred times, each on the pristine medium; one of the classes must be among what is found.
  void expect_found(const std::vector<std::string>& classes, const std::function<void(Random&)>& corrupt) {
    for (uint64_t seed = 1; seed <= kCorruptions; ++seed) {
      Random random(seed);
      corrupt(random);
      const CheckReport report = medium_.check();
      medium_.vandal->restore();
      const auto of_class = [&](const std::string& finding) {
        return std::any_of(classes.begin(), classes.end(), [&](const std::string& word) { return finding.starts_with(word + ":"); });
      };
      ASSERT_TRUE(std::any_of(report.findings.begin(), report.findings.end(), of_class)) << "seed " << seed << ", found:\n" << text_of(report);
    }
  }
  template <typename T>
  static const T& pick(const std::vector<T>& from, Random& random) {
    return from[random.below(from.size())];
  }

  Medium& medium_ = Medium::of(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Dirblock, Check, ::testing::Values(4096u, 16384u));

TEST_P(Check, FindsNothingWhereNothingIsWrong) {
  const CheckReport report = medium_.check();
  EXPECT_TRUE(report.clean()) << text_of(report);
  EXPECT_EQ(report.inodes, medium_.map.inodes.size());
  EXPECT_GE(medium_.map.directory_blocks.size(), 5u);
}

TEST_P(Check, FindsWrongChecksums) {
  expect_found({"group", "inode", "extents", "directory", "symlink", "quota"}, [&](Random& random) {
    const uint64_t what = random.below(3);
    const auto flip = static_cast<std::byte>(1 + random.below(255));
    if (what == 0) {
      medium_.vandal->at(pick(pick(medium_.map.objects, random), random))[random.below(kBlockBytes)] ^= flip;
    } else if (what == 1) {
      const uint64_t ino = pick(medium_.map.inodes, random);
      (medium_.vandal->at(inode_block(ino)) + inode_offset(ino))[random.below(kInodeBytes)] ^= flip;
    } else {
      const auto& [block, id] = pick(medium_.map.dquots, random);
      (medium_.vandal->at(block) + dquot_offset(id))[random.below(sizeof(DquotDisk))] ^= flip;
    }
  });
}

TEST_P(Check, FindsWrongOwners) {
  expect_found({"group", "extents", "directory", "symlink", "inode"}, [&](Random& random) {
    if (random.below(4) == 0) {
      medium_.vandal->inode(pick(medium_.map.inodes, random), [&](InodeDisk& inode) { inode.core.ino += 1 + random.below(100); });
      return;
    }
    medium_.vandal->object(pick(medium_.map.objects, random), [&](std::vector<std::byte>& bytes) {
      auto* const header = reinterpret_cast<MetaHeaderDisk*>(bytes.data());
      switch (random.below(3)) {
        case 0: header->owner += 1 + random.below(100); break;
        case 1: header->block += 1 + random.below(100); break;
        default: header->uuid[random.below(16)] ^= 1; break;
      }
    });
  });
}

TEST_P(Check, FindsBlocksWithTwoOwners) {
  expect_found({"shared"}, [&](Random& random) {
    const uint64_t from = pick(medium_.map.files, random);
    uint64_t to = from;
    while (to == from) to = pick(medium_.map.files, random);
    ExtentDisk record;
    medium_.vandal->inode(from, [&](InodeDisk& inode) { std::memcpy(&record, inode.fork.data(), sizeof record); });
    const Extent theirs = unpack(record);
    medium_.vandal->inode(to, [&](InodeDisk& inode) {
      std::memcpy(&record, inode.fork.data(), sizeof record);
      Extent ours = unpack(record);
      ours.block = theirs.block;
      record = pack(ours);
      std::memcpy(inode.fork.data(), &record, sizeof record);
    });
  });
}

/// Changes a bit of a group's bitmap from `from`, and the group's count.
void flip_bit(Medium& medium, Random& random, bool from) {
  const SuperblockDisk superblock = read_superblock(medium.test->region()).value();
  const uint64_t group = random.below(superblock.group_count);
  const uint64_t first = group * superblock.group_blocks;
  const uint64_t count = std::min<uint64_t>(superblock.group_blocks, superblock.block_count - first);
  medium.vandal->object({first + kBitmapAt}, [&](std::vector<std::byte>& bytes) {
    for (;;) {
      const uint64_t bit = random.below(std::min<uint64_t>(count, kBitsPerBitmapBlock));
      std::byte& byte = bytes[kMetaHeaderBytes + bit / 8];
      const auto mask = static_cast<std::byte>(1u << (bit % 8));
      if (((byte & mask) != std::byte{0}) != from) continue;
      byte ^= mask;
      break;
    }
  });
  medium.vandal->object({first + kGroupSpaceAt}, [&](std::vector<std::byte>& bytes) {
    auto* const space = reinterpret_cast<GroupSpaceDisk*>(bytes.data() + kMetaHeaderBytes);
    space->free_blocks += from ? -1u : 1u;
  });
}

TEST_P(Check, FindsLeakedBlocks) {
  expect_found({"leaked"}, [&](Random& random) { flip_bit(medium_, random, true); });
}

TEST_P(Check, FindsBlocksInUseThatAreFree) {
  expect_found({"shared"}, [&](Random& random) { flip_bit(medium_, random, false); });
}

TEST_P(Check, FindsWrongLinkCounts) {
  expect_found({"links", "orphan"}, [&](Random& random) {
    uint64_t ino = 0;
    do {
      ino = pick(medium_.map.inodes, random);
    } while (ino == medium_.map.inodes[1] || ino == medium_.map.inodes[2]);  // the quota files, which nobody names
    medium_.vandal->inode(ino, [&](InodeDisk& inode) {
      const bool up = inode.core.links == 0 || random.below(2) == 0;
      inode.core.links += up ? 1 + static_cast<uint32_t>(random.below(3)) : -1u;
    });
  });
}

TEST_P(Check, FindsWrongDquotCounts) {
  expect_found({"quota"}, [&](Random& random) {
    medium_.vandal->dquot(pick(medium_.map.dquots, random), [&](DquotDisk& dquot) {
      uint64_t& count = random.below(2) == 0 ? dquot.block_count : dquot.inode_count;
      count += random.below(2) == 0 || count == 0 ? 1 + random.below(9) : uint64_t{0} - 1;
    });
  });
}

/// Something in a directory's index or its data that the other does not say.
void derange(std::vector<std::byte>& bytes, Random& random) {
  const auto u32 = [&](size_t at) -> uint32_t& { return *reinterpret_cast<uint32_t*>(bytes.data() + at); };
  const uint32_t magic = u32(kDirHeaderBytes);
  const size_t pairs_at = kDirHeaderBytes + 16;
  if (magic == kDirBlockMagic) {
    const size_t tail = bytes.size() - sizeof(DirBlockTailDisk);
    const size_t entry = tail - (1 + random.below(u32(tail))) * sizeof(DirLeafEntryDisk);
    u32(entry + (random.below(2) == 0 ? 0 : 4)) ^= 1u << random.below(20);
  } else if (magic == kDirLeafMagic || magic == kDirNodeLeafMagic) {
    const uint16_t count = *reinterpret_cast<uint16_t*>(bytes.data() + kDirHeaderBytes + 4);
    const size_t entry = pairs_at + random.below(count) * sizeof(DirLeafEntryDisk);
    if (random.below(8) == 0) {
      bytes[kDirHeaderBytes + 6] ^= std::byte{1};  // how many are stale
    } else {
      u32(entry + 4) ^= 1u << random.below(20);
    }
  } else if (magic == kDirFreeIndexMagic) {
    const uint32_t count = u32(kDirHeaderBytes + 8);
    bytes[pairs_at + 2 * random.below(count)] ^= static_cast<std::byte>(8u << random.below(4));
  } else if (magic == kDirNodeMagic) {
    u32(pairs_at + sizeof(DirNodeEntryDisk)) = 0;  // the lower bound of the second child
  } else {
    // A name becomes another one, which its hash does not lead to.
    const size_t name_at = kDirHeaderBytes + 16 + 9;
    bytes[name_at] ^= std::byte{1};
  }
}

TEST_P(Check, FindsDirectoriesOutOfStepWithTheirIndexes) {
  expect_found({"directory"}, [&](Random& random) {
    medium_.vandal->object(pick(medium_.map.directory_blocks, random), [&](std::vector<std::byte>& bytes) { derange(bytes, random); });
  });
}

TEST_P(Check, FindsWrongParentsAndUnreachedDirectories) {
  // Swaps the numbers of two directories that are entries of the root, or gives one another parent.
  expect_found({"directory", "links", "leaked"}, [&](Random& random) {
    uint64_t ino = 0;
    bool done = false;
    while (!done) {
      ino = pick(medium_.map.inodes, random);
      medium_.vandal->inode(ino, [&](InodeDisk& inode) {
        const bool is_short = inode.core.kind == static_cast<uint8_t>(NodeKind::kDirectory) &&
                              inode.core.fork_format == static_cast<uint8_t>(ForkFormat::kLocal);
        if (!is_short) return;
        inode.fork[2] ^= static_cast<std::byte>(1 + random.below(7));  // the parent's number
        done = true;
      });
    }
  });
}

TEST_P(Check, FindsInodesThatNobodyOwns) {
  // Free in the chunk's record but in use, or in use there but free.
  expect_found({"leaked", "inode", "links"}, [&](Random& random) {
    const SuperblockDisk superblock = read_superblock(medium_.test->region()).value();
    uint64_t bit = 0;
    const uint64_t root_block = inode_block(superblock.root_ino);
    // Group 0's first index block lies behind its bitmap; record 0 is the root's chunk.
    const uint64_t index = kBitmapAt + bitmap_blocks(superblock.group_blocks);
    bool freed = false;
    medium_.vandal->object({index}, [&](std::vector<std::byte>& bytes) {
      auto* const chunk = reinterpret_cast<ChunkDisk*>(bytes.data() + kMetaHeaderBytes);
      ASSERT_EQ(chunk->first_block, root_block);
      bit = 3 + random.below(kInodesPerChunk - 3);
      freed = (chunk->free_mask >> bit & 1) == 0;
      chunk->free_mask ^= uint64_t{1} << bit;
      chunk->orphan_mask &= ~(uint64_t{1} << bit);
    });
    medium_.vandal->object({kGroupInodesAt}, [&](std::vector<std::byte>& bytes) {
      auto* const inodes = reinterpret_cast<GroupInodesDisk*>(bytes.data() + kMetaHeaderBytes);
      inodes->free_inodes += freed ? 1u : -1u;
    });
  });
}

TEST_P(Check, FindsOrphansThatTheirGroupDoesNotKnow) {
  expect_found({"orphan"}, [&](Random& random) {
    for (;;) {
      const uint64_t ino = pick(medium_.map.inodes, random);
      bool orphan = false;
      medium_.vandal->inode(ino, [&](InodeDisk& inode) { orphan = inode.core.links == 0; });
      if (!orphan) continue;
      medium_.vandal->inode(ino, [&](InodeDisk& inode) { inode.core.links = 1; });
      return;
    }
  });
}

TEST_P(Check, AFlippedByteAnywhereInMetadataIsFoundAndNeverCrashes) {
  Random random(77);
  for (const std::vector<uint64_t>& object : medium_.map.objects) {
    for (int i = 0; i < 2; ++i) {
      medium_.vandal->at(object[random.below(object.size())])[random.below(kBlockBytes)] ^= static_cast<std::byte>(1 + random.below(255));
      const auto report = check_medium(medium_.test->region());
      EXPECT_TRUE(!report.ok() || !report->clean());
      medium_.vandal->restore();
    }
  }
}

/// With a right checksum the step behind it must hold: any byte may have any value.
TEST_P(Check, AFlippedByteUnderARightChecksumNeverCrashes) {
  Random random(78);
  for (uint64_t i = 0; i < 600; ++i) {
    const auto flip = static_cast<std::byte>(1 + random.below(255));
    if (random.below(2) == 0) {
      medium_.vandal->object(pick(medium_.map.objects, random), [&](std::vector<std::byte>& bytes) {
        // Where headers are as often as elsewhere.
        const size_t range = random.below(2) == 0 ? bytes.size() : 160;
        bytes[kMetaHeaderBytes + random.below(range - kMetaHeaderBytes)] ^= flip;
      });
    } else {
      medium_.vandal->inode(pick(medium_.map.inodes, random), [&](InodeDisk& inode) {
        reinterpret_cast<std::byte*>(&inode)[24 + random.below(kInodeBytes - 24)] ^= flip;
      });
    }
    (void)check_medium(medium_.test->region()).ok();
    medium_.vandal->restore();
  }
}

}  // namespace
}  // namespace daxlab::xfslike
