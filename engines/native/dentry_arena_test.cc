#include "engines/native/dentry_arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "engines/base/random.h"

namespace daxlab::native {
namespace {

TEST(DentryArena, WhatIsAllocatedKeepsItsBytesAmongOthersThatComeAndGo) {
  struct Piece {
    size_t size_bytes;
    std::byte filled_with;
  };
  DentryArena arena;
  std::map<uint32_t, Piece> live;
  Random random(3);
  const auto check = [&](uint32_t number, const Piece& piece) {
    const std::byte* const bytes = arena.address(number);
    for (size_t i = 0; i < piece.size_bytes; ++i) ASSERT_EQ(bytes[i], piece.filled_with);
  };
  for (int i = 0; i < 20'000; ++i) {
    if (live.empty() || random.below(5) < 3) {
      const Piece piece{48 + random.below(256), static_cast<std::byte>(random.below(256))};
      const uint32_t number = arena.allocate(piece.size_bytes);
      ASSERT_NE(number, DentryArena::kNone);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(arena.address(number)) % DentryArena::kLineBytes, 0u);
      std::memset(arena.address(number), static_cast<int>(piece.filled_with), piece.size_bytes);
      ASSERT_TRUE(live.emplace(number, piece).second);
    } else {
      auto at = live.lower_bound(static_cast<uint32_t>(random.below(live.rbegin()->first + 1)));
      check(at->first, at->second);
      arena.free(at->first, at->second.size_bytes);
      live.erase(at);
    }
  }
  for (const auto& [number, piece] : live) check(number, piece);
}

TEST(DentryArena, WhatIsFreedIsUsedAgain) {
  constexpr size_t kNames = 1000;
  DentryArena arena;
  std::vector<uint32_t> numbers;
  uint32_t highest = 0;
  for (size_t i = 0; i < kNames; ++i) {
    numbers.push_back(arena.allocate(300));
    highest = std::max(highest, numbers.back());
  }
  EXPECT_EQ(arena.dram_bytes(), kNames * 320);
  for (const uint32_t number : numbers) arena.free(number, 300);
  EXPECT_EQ(arena.dram_bytes(), 0u);
  for (size_t i = 0; i < 4 * kNames; ++i) EXPECT_LE(arena.allocate(60), highest + 5);  // shorter ones, out of the longer ones' lines
}

}  // namespace
}  // namespace daxlab::native
