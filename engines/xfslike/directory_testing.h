// A directory in memory beside a std::map that says what must be in it: for tests.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "engines/base/random.h"
#include "engines/xfslike/directory_index.h"
#include "engines/xfslike/space_testing.h"

namespace daxlab::xfslike::testing {

class FakeHome : public DirectoryHome {
 public:
  FakeHome(uint32_t block_bytes, uint32_t piece_bytes) : space_(block_bytes, piece_bytes) {}
  uint64_t ino() const override { return 77; }
  BlockSpace& blocks() override { return space_; }
  bool is_short() const override { return is_short_; }
  std::span<const std::byte> short_form() const override { return bytes_; }
  uint32_t short_form_bytes_max() const override { return 336; }
  void set_short_form(std::span<const std::byte> bytes) override {
    is_short_ = true;
    bytes_.assign(bytes.begin(), bytes.end());
  }
  void leave_short_form() override {
    is_short_ = false;
    bytes_.clear();
  }
  uint64_t size_bytes() const override { return size_bytes_; }
  void set_size_bytes(uint64_t size_bytes) override { size_bytes_ = size_bytes; }

  FakeSpace& space() { return space_; }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  FakeSpace space_;
  bool is_short_ = true;
  std::vector<std::byte> bytes_;
  uint64_t size_bytes_ = 0;
};

class DirectoryModel {
 public:
  struct At {
    uint64_t ino;
    NodeKind kind;
    uint64_t cookie;
  };

  DirectoryModel(uint32_t block_bytes, uint32_t piece_bytes) : home_(block_bytes, piece_bytes), index_(home_) { index_.make_empty(5); }

  DirectoryIndex& index() { return index_; }
  FakeHome& home() { return home_; }
  FakeSpace& space() { return home_.space(); }
  bool is_short() const { return home_.is_short(); }
  const std::map<std::string, At>& names() const { return names_; }

  static NodeKind kind_of(uint64_t ino) { return static_cast<NodeKind>(1 + ino % 7); }

  /// A present name, or any: mostly short ones, some of 255 bytes.
  std::string draw_name(Random& random, bool present) {
    if (present && !names_.empty()) {
      auto at = names_.lower_bound(text(random));
      if (at == names_.end()) at = names_.begin();
      return at->first;
    }
    return text(random);
  }

  void insert(const std::string& name, uint64_t ino) {
    const uint64_t added = space().added();
    const uint32_t promised = index_.insert_blocks(name.size()).value();
    const auto inserted = index_.insert(name, {ino, kind_of(ino)});
    if (names_.contains(name)) {
      ASSERT_EQ(inserted.code(), Errc::kExists);
      ASSERT_EQ(space().added(), added);
      return;
    }
    ASSERT_TRUE(inserted.ok()) << inserted.error().message();
    ASSERT_LE(space().added() - added, promised);
    names_[name] = {ino, kind_of(ino), *inserted};
  }
  void erase(const std::string& name) {
    const uint64_t added = space().added();
    const auto erased = index_.erase(name);
    const auto at = names_.find(name);
    ASSERT_EQ(erased.ok(), at != names_.end()) << (erased.ok() ? "" : erased.error().message());
    ASSERT_EQ(space().added(), added);
    if (at == names_.end()) {
      ASSERT_EQ(erased.code(), Errc::kNotFound);
      return;
    }
    ASSERT_EQ(erased->ino, at->second.ino);
    ASSERT_EQ(erased->kind, at->second.kind);
    ASSERT_EQ(erased->cookie, at->second.cookie);
    names_.erase(at);
  }
  void replace(const std::string& name, uint64_t ino) {
    const auto replaced = index_.replace(name, {ino, kind_of(ino)});
    const auto at = names_.find(name);
    ASSERT_EQ(replaced.ok(), at != names_.end());
    if (at == names_.end()) return;
    ASSERT_EQ(replaced->ino, at->second.ino);
    at->second.ino = ino;
    at->second.kind = kind_of(ino);
  }
  void expect_lookup(const std::string& name) {
    const auto found = index_.lookup(name);
    const auto at = names_.find(name);
    ASSERT_EQ(found.ok(), at != names_.end());
    if (at == names_.end()) {
      ASSERT_EQ(found.code(), Errc::kNotFound);
      return;
    }
    ASSERT_EQ(found->ino, at->second.ino);
    ASSERT_EQ(found->kind, at->second.kind);
    ASSERT_EQ(found->cookie, at->second.cookie);
  }
  /// Verifies the structure, lists it, looks every name up.
  void expect_same() {
    std::string findings;
    const auto count = index_.verify([&](std::string_view finding) {
      findings += std::string(finding) + "\n";
      return findings.size() < 2000;
    });
    ASSERT_TRUE(count.ok());
    ASSERT_EQ(findings, "");
    ASSERT_EQ(*count, names_.size());
    std::map<std::string, At> listed;
    uint64_t before = 0;
    ASSERT_TRUE(index_.list(0, [&](const DirectoryEntry& entry) {
                        EXPECT_GT(entry.cookie, before);
                        before = entry.cookie;
                        listed[std::string(entry.name)] = {entry.ino, entry.kind, entry.cookie};
                        return true;
                      }).ok());
    ASSERT_EQ(listed.size(), names_.size());
    for (const auto& [name, at] : names_) {
      const auto found = listed.find(name);
      ASSERT_NE(found, listed.end()) << name;
      ASSERT_EQ(found->second.ino, at.ino);
      ASSERT_EQ(found->second.kind, at.kind);
      ASSERT_EQ(found->second.cookie, at.cookie);
      ASSERT_NO_FATAL_FAILURE(expect_lookup(name));
    }
    ASSERT_FALSE(space().any_in_use());
    for (const auto& [address, object] : space().objects()) {
      const auto bytes = space().get(address, BlockSpace::Access::kRead);
      const auto verified = verify_dir_block(**bytes, address);
      ASSERT_TRUE(verified.ok()) << verified.error().message();
    }
  }

 private:
  static std::string text(Random& random) {
    const uint64_t length = random.below(20) == 0 ? 1 + random.below(255) : 1 + random.below(14);
    std::string name = std::to_string(random.below(1000000));
    name.resize(length, static_cast<char>('a' + random.below(26)));
    return name;
  }

  FakeHome home_;
  DirectoryIndex index_;
  std::map<std::string, At> names_;
};

}  // namespace daxlab::xfslike::testing
