// check() finds what it promises to find: one damaged invariant per test, numbered as in DESIGN.md.

#include <gmock/gmock.h>

#include "engines/native/file_system.h"
#include "engines/native/test_support.h"

namespace daxlab::native {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A file of some blocks, a directory with two names, a symlink; and their inodes.
class CheckTest : public ::testing::Test {
 protected:
  CheckTest() {
    auto root = mounted_.root();
    EXPECT_TRUE(mounted_.create("file")->write(0, bytes_of(std::string(20000, 'a'))).ok());
    const auto made = root->mkdir("dir", 0755, {}).value();
    directory_ = fs().table.get(Inode::ino_of(made.ino));
    mounted_.engine().forget(made.ino, 1);
    EXPECT_TRUE(root->symlink("link", "target", {}).ok());
    const auto stat = root->stat("file").value();
    file_ = fs().table.get(Inode::ino_of(stat.ino));
    root_ = fs().table.get(kRootInode);
    EXPECT_THAT(mounted_.findings(), IsEmpty());
  }
  FileSystem& fs() { return file_system_of(mounted_.engine()); }

  Mounted mounted_;
  Inode* file_ = nullptr;
  Inode* directory_ = nullptr;
  Inode* root_ = nullptr;
};

TEST_F(CheckTest, N1FindsADamagedReplica) {
  mounted_.region().block_address(fs().volume.superblock.block_count - 1)[20] ^= std::byte{1};
  EXPECT_THAT(mounted_.findings(), HasSubstr("N1"));
}

TEST_F(CheckTest, N2FindsADamagedSlot) {
  reinterpret_cast<std::byte*>(file_->slot)[33] ^= std::byte{1};
  EXPECT_THAT(mounted_.findings(), HasSubstr("N2"));
}

TEST_F(CheckTest, N2FindsADamagedMapWord) {
  mounted_.region().block_address(kInodeMapBlock)[5] ^= std::byte{1};
  EXPECT_THAT(mounted_.findings(), HasSubstr("N2"));
}

TEST_F(CheckTest, N2FindsADamagedCommitWord) {
  mounted_.region().block_address(kCommitBlock)[64] ^= std::byte{1};
  EXPECT_THAT(mounted_.findings(), HasSubstr("N2"));
}

TEST_F(CheckTest, N4FindsALogThatEndsElsewhere) {
  ++file_->log.tail_line;
  EXPECT_THAT(mounted_.findings(), HasSubstr("N4"));
}

TEST_F(CheckTest, N2FindsADamagedLastRecord) {
  fs().volume.address(file_->log.tail_block)[(file_->log.tail_line - 1) * kLineBytes + 20] ^= std::byte{1};
  EXPECT_THAT(mounted_.findings(), HasSubstr("is cut"));
}

TEST_F(CheckTest, N5FindsAttributesThatDiffer) {
  file_->mode ^= 1;
  EXPECT_THAT(mounted_.findings(), HasSubstr("N5"));
}

TEST_F(CheckTest, N5FindsAPageInAnotherBlock) {
  BlockRef ref = file_->data.get(2);
  ++ref.block;
  file_->data.set(2, ref);
  EXPECT_THAT(mounted_.findings(), HasSubstr("N5"));
}

TEST_F(CheckTest, N6FindsAWrongCountOfReferences) {
  ++fs().volume.log_pages[file_->log.tail_block].live;
  EXPECT_THAT(mounted_.findings(), HasSubstr("N6"));
}

TEST_F(CheckTest, N7FindsABlockThatNobodyOwns) {
  EXPECT_EQ(fs().volume.allocator.allocate(1, 0).count, 1u);
  EXPECT_THAT(mounted_.findings(), HasSubstr("N7"));
}

TEST_F(CheckTest, N7FindsAnOwnedBlockThatIsFree) {
  fs().volume.allocator.free({file_->data.get(0).block, 1});
  EXPECT_THAT(mounted_.findings(), HasSubstr("N7"));
}

TEST_F(CheckTest, N8FindsAWrongCountOfLinks) {
  file_->links.fetch_add(1);
  EXPECT_THAT(mounted_.findings(), HasSubstr("N8"));
}

TEST_F(CheckTest, N8FindsAWrongParent) {
  directory_->parent.store(directory_->id());
  EXPECT_THAT(mounted_.findings(), HasSubstr("N8"));
}

TEST_F(CheckTest, N9FindsANameOfAnotherInode) {
  ++root_->names->find("file")->generation;
  EXPECT_THAT(mounted_.findings(), HasSubstr("N9"));
}

TEST_F(CheckTest, N10FindsACookieTwice) {
  Dentry* const first = root_->names->find("file");
  root_->names->find("dir")->cookie = first->cookie;
  EXPECT_THAT(mounted_.findings(), HasSubstr("N10"));
}

TEST_F(CheckTest, A1FindsAGroupThatMiscounts) {
  fs().volume.allocator.corrupt_for_test(1);
  EXPECT_THAT(mounted_.findings(), HasSubstr("A1"));
}

TEST_F(CheckTest, A2FindsAPoolThatMiscounts) {
  fs().volume.allocator.corrupt_for_test(2);
  EXPECT_THAT(mounted_.findings(), HasSubstr("A2"));
}

}  // namespace
}  // namespace daxlab::native
