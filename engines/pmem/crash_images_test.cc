#include "engines/pmem/crash_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "engines/base/random.h"
#include "engines/pmem/persist.h"

namespace daxlab::pmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kRegionBytes = 16 * kBlockBytes;

/// A region with known contents, what it held at first, and a trace of what a body does to it.
struct Recorded {
  std::unique_ptr<Region> region;
  std::vector<std::byte> base;
  Trace trace;
  std::vector<std::byte> final_bytes;

  std::byte* at(uint64_t offset) const { return region->bytes().data() + offset; }
  std::string text(uint64_t offset, size_t size) const { return {reinterpret_cast<const char*>(at(offset)), size}; }
};

using Body = std::function<void(Recorded&, Recorder&)>;

Recorded record(const Body& body) {
  Recorded r{Region::for_test(kRegionBytes).value(), {}, {}, {}};
  std::memset(r.region->bytes().data(), '.', kRegionBytes);
  r.base.assign(r.region->bytes().begin(), r.region->bytes().end());
  {
    Recorder recorder(*r.region);
    body(r, recorder);
    r.trace = recorder.take();
  }
  r.final_bytes.assign(r.region->bytes().begin(), r.region->bytes().end());
  return r;
}

void put(Recorded& r, uint64_t offset, std::string_view text) { store_bytes(r.at(offset), text.data(), text.size()); }
void put_durable(Recorded& r, uint64_t offset, std::string_view text) {
  put(r, offset, text);
  persist(r.at(offset), text.size());
}

CrashOptions unlimited(CrashModel model = CrashModel::kClwb) {
  CrashOptions options;
  options.model = model;
  options.images_per_point = 0;
  return options;
}

/// What `size` bytes at `offset` hold in each image, by point.
std::map<uint64_t, std::set<std::string>> contents(Recorded& r, const CrashOptions& options, uint64_t offset, size_t size) {
  std::map<uint64_t, std::set<std::string>> found;
  CrashImages images(r.trace, *r.region, r.base, options);
  while (images.next()) found[images.point()].insert(r.text(offset, size));
  return found;
}

TEST(CrashImages, AFencedFlushIsInEveryLaterImage) {
  Recorded r = record([](Recorded& to, Recorder&) {
    put_durable(to, 0, "first");
    put_durable(to, 64, "after");
  });
  const auto found = contents(r, unlimited(), 0, 5);
  EXPECT_EQ(found.at(0), (std::set<std::string>{".....", "first"}));
  EXPECT_EQ(found.at(1), (std::set<std::string>{"first"}));
  EXPECT_EQ(found.at(2), (std::set<std::string>{"first"}));
}

TEST(CrashImages, AFlushWithoutAFenceGuaranteesNothing) {
  Recorded r = record([](Recorded& to, Recorder&) {
    put(to, 0, "first");
    flush(to.at(0), 5);
  });
  EXPECT_EQ(contents(r, unlimited(), 0, 5).at(0), (std::set<std::string>{".....", "first"}));
}

TEST(CrashImages, AFenceWithoutAFlushGuaranteesNothing) {
  Recorded r = record([](Recorded& to, Recorder&) {
    put(to, 0, "first");
    fence();
  });
  EXPECT_EQ(contents(r, unlimited(), 0, 5).at(1), (std::set<std::string>{".....", "first"}));
}

TEST(CrashImages, AStoreBehindTheFlushOfItsLineIsNotCoveredByIt) {
  Recorded r = record([](Recorded& to, Recorder&) {
    put(to, 0, "a");
    flush(to.at(0), 1);
    put(to, 8, "b");
    fence();
  });
  EXPECT_EQ(contents(r, unlimited(), 0, 9).at(1), (std::set<std::string>{"a........", "a.......b"}));
}

TEST(CrashImages, StoresToOneLineBecomeDurableInOrder) {
  Recorded r = record([](Recorded& to, Recorder&) {
    for (const char* letter : {"a", "b", "c"}) put(to, static_cast<uint64_t>(letter[0] - 'a') * 8, letter);
  });
  const auto found = contents(r, unlimited(), 0, 17).at(0);
  EXPECT_EQ(found, (std::set<std::string>{".................", "a................", "a.......b........", "a.......b.......c"}));
}

TEST(CrashImages, StoresToTwoLinesBecomeDurableInAnyOrder) {
  Recorded r = record([](Recorded& to, Recorder&) {
    put(to, 56, "a");
    put(to, 64, "b");
  });
  EXPECT_EQ(contents(r, unlimited(), 56, 9).at(0), (std::set<std::string>{".........", "a........", "........b", "a.......b"}));
}

TEST(CrashImages, AnAlignedWordIsNeverTorn) {
  Recorded r = record([](Recorded& to, Recorder&) { put(to, 16, "12345678"); });
  EXPECT_EQ(contents(r, unlimited(), 16, 8).at(0), (std::set<std::string>{"........", "12345678"}));
}

TEST(CrashImages, AStoreAcrossTwoWordsTears) {
  Recorded r = record([](Recorded& to, Recorder&) { put(to, 12, "12345678"); });
  EXPECT_EQ(contents(r, unlimited(), 12, 8).at(0), (std::set<std::string>{"........", "1234....", "....5678", "12345678"}));
}

TEST(CrashImages, AStreamedLineKeepsAnySubsetOfItsWordsUntilItsFence) {
  Recorded r = record([](Recorded& to, Recorder&) {
    const std::string line(64, 'x');
    stream(to.at(128), line.data(), line.size());
    fence();
  });
  const auto found = contents(r, unlimited(), 128, 64);
  EXPECT_EQ(found.at(0).size(), 256u);
  EXPECT_EQ(found.at(1), (std::set<std::string>{std::string(64, 'x')}));
}

TEST(CrashImages, ALineWithBothKindsOfStoresHasBothFreedoms) {
  Recorded r = record([](Recorded& to, Recorder&) {
    put(to, 0, "a");
    put(to, 8, "b");
    const std::string line(64, 'x');
    stream(to.at(0), line.data(), line.size());
  });
  const auto found = contents(r, unlimited(), 0, 64).at(0);
  std::string only_stored(64, '.');
  only_stored[0] = 'a';
  EXPECT_TRUE(found.contains(only_stored));
  EXPECT_TRUE(found.contains(std::string(64, 'x')));
  only_stored[8] = 'b';
  EXPECT_TRUE(found.contains(only_stored));
}

TEST(CrashImages, AFenceOrdersOnlyItsOwnThread) {
  Recorded r = record([](Recorded& to, Recorder&) {
    put(to, 0, "mine");
    flush(to.at(0), 4);
    std::thread([] { fence(); }).join();
  });
  EXPECT_EQ(contents(r, unlimited(), 0, 4).at(1), (std::set<std::string>{"....", "mine"}));
}

TEST(CrashImages, AFlushCoversStoresOfOtherThreads) {
  Recorded r = record([](Recorded& to, Recorder&) {
    std::thread([&] { put(to, 0, "other"); }).join();
    persist(to.at(0), 5);
  });
  EXPECT_EQ(contents(r, unlimited(), 0, 5).at(1), (std::set<std::string>{"other"}));
}

TEST(CrashImages, ADurableStoreBehindAStreamInFlightIsInEveryImage) {
  Recorded r = record([](Recorded& to, Recorder&) {
    std::thread([&] {
      const std::string line(64, 'x');
      stream(to.at(0), line.data(), line.size());
    }).join();
    put_durable(to, 0, "late");
  });
  const auto found = contents(r, unlimited(), 0, 64).at(1);
  EXPECT_GT(found.size(), 1u);
  for (const std::string& text : found) EXPECT_EQ(text.substr(0, 4), "late");
}

TEST(CrashImages, UnderEadrStoresAreDurableInTheirOrderWithoutAnyFlush) {
  Recorded r = record([](Recorded& to, Recorder&) {
    put(to, 0, "a");
    put(to, 640, "b");
    put(to, 64, "c");
  });
  std::set<std::string> found;
  CrashImages images(r.trace, *r.region, r.base, unlimited(CrashModel::kEadr));
  while (images.next()) found.insert(r.text(0, 1) + r.text(640, 1) + r.text(64, 1));
  EXPECT_EQ(found, (std::set<std::string>{"a..", "ab.", "abc"}));
}

TEST(CrashImages, UnderEadrStreamingStoresStillWaitForTheirFence) {
  Recorded r = record([](Recorded& to, Recorder&) {
    const std::string line(64, 'x');
    stream(to.at(0), line.data(), line.size());
    put(to, 64, "commit");
    fence();
  });
  const auto found = contents(r, unlimited(CrashModel::kEadr), 0, 70).at(1);
  EXPECT_TRUE(found.contains(std::string(64, '.') + "commit"));
}

TEST(CrashImages, OperationsAreRunningUntilTheyEndAndFinishedAfterwards) {
  Recorded r = record([](Recorded& to, Recorder& recorder) {
    recorder.op_begin(7);
    put_durable(to, 0, "a");
    recorder.op_end(7);
    recorder.op_begin(9);
    put_durable(to, 64, "b");
    recorder.op_end(9);
  });
  CrashImages images(r.trace, *r.region, r.base, unlimited());
  EXPECT_EQ(images.point_count(), 4u);
  ASSERT_TRUE(images.apply("0/all").ok());
  EXPECT_THAT(images.running(), ElementsAre(7));
  EXPECT_THAT(images.finished(), IsEmpty());
  ASSERT_TRUE(images.apply("1/none").ok());
  EXPECT_THAT(images.running(), IsEmpty());
  EXPECT_THAT(images.finished(), ElementsAre(7));
  EXPECT_EQ(r.text(0, 1), "a");
  ASSERT_TRUE(images.apply("2/none").ok());
  EXPECT_THAT(images.running(), ElementsAre(9));
  ASSERT_TRUE(images.apply("3/none").ok());
  EXPECT_THAT(images.finished(), ElementsAre(7, 9));
}

/// A seeded mess of stores, streams, flushes and fences over a few lines.
Recorded record_random(uint64_t seed, int steps) {
  return record([=](Recorded& to, Recorder&) {
    Random random(seed);
    for (int i = 0; i < steps; ++i) {
      const uint64_t offset = random.below(6 * 64);
      const std::string text(1 + random.below(90), static_cast<char>('a' + i % 26));
      switch (random.below(6)) {
        case 0:
        case 1:
          put(to, offset, text.substr(0, 1 + random.below(std::min<uint64_t>(text.size(), 20))));
          break;
        case 2:
          stream(to.at(offset), text.data(), text.size());
          break;
        case 3:
        case 4:
          flush(to.at(offset), 1 + random.below(128));
          break;
        default:
          fence();
      }
    }
  });
}

/// A second, slower account of the model, to hold the images against: what each line may hold, worked out from its stores alone.
class LineOracle {
 public:
  LineOracle(const Trace& trace, size_t events, const std::vector<std::byte>& base) {
    for (size_t i = 0; i < events; ++i) take(trace, trace.events[i], base);
  }

  /// Whether `bytes` is something that line `number` may hold after a crash.
  bool may_hold(uint64_t number, const std::byte* bytes) const {
    const auto found = lines_.find(number);
    return found == lines_.end() || possible(found->second, bytes);
  }
  bool knows(uint64_t number) const { return lines_.contains(number); }

 private:
  struct Change {
    std::vector<int> bytes;  // 64: new value or -1
    bool streamed;
    bool durable;
    bool flushed;
  };
  struct Line {
    std::vector<std::byte> first;
    std::vector<Change> changes;
  };

  void take(const Trace& trace, const Event& event, const std::vector<std::byte>& base) {
    if (event.kind == Event::Kind::kFence) {
      for (auto& [number, line] : lines_) {
        size_t last_flushed = 0;
        for (size_t i = 0; i < line.changes.size(); ++i) last_flushed = line.changes[i].flushed ? i + 1 : last_flushed;
        for (size_t i = 0; i < line.changes.size(); ++i) {
          if (line.changes[i].streamed || i < last_flushed) line.changes[i].durable = true;
        }
      }
      return;
    }
    for (uint64_t at = event.offset_bytes; at < event.offset_bytes + event.size_bytes; ++at) {
      const uint64_t number = at / 64;
      const bool new_line = at == event.offset_bytes || at % 64 == 0;
      if (event.kind == Event::Kind::kFlush) {
        if (lines_.contains(number)) lines_[number].changes.back().flushed = true;
        continue;
      }
      Line& line = lines_[number];
      if (line.first.empty())
        line.first.assign(base.begin() + static_cast<long>(number * 64), base.begin() + static_cast<long>(number * 64 + 64));
      if (new_line) line.changes.push_back({std::vector<int>(64, -1), event.kind == Event::Kind::kStream, false, false});
      line.changes.back().bytes[at % 64] = static_cast<int>(trace.data[event.data_at + at - event.offset_bytes]);
    }
  }

  /// Tries every number of cached stores; then every word must come from a consistent choice of its own streaming stores.
  static bool possible(const Line& line, const std::byte* bytes) {
    size_t cached = 0;
    for (const Change& change : line.changes) cached += change.streamed || change.durable ? 0u : 1u;
    for (size_t full = 0; full <= cached; ++full) {
      bool all_words = true;
      for (size_t word = 0; word < 8 && all_words; ++word) all_words = word_possible(line, full, word, bytes);
      if (all_words) return true;
    }
    return false;
  }

  static bool word_possible(const Line& line, size_t full, size_t word, const std::byte* bytes) {
    for (const bool next_too : {false, true}) {
      for (const bool streams : {false, true}) {
        std::vector<std::byte> made = line.first;
        size_t cached = 0;
        for (const Change& change : line.changes) {
          bool applied = change.durable;
          if (!change.durable && change.streamed) applied = streams;
          if (!change.durable && !change.streamed) {
            applied = cached < full || (cached == full && next_too);
            ++cached;
          }
          for (size_t i = 0; applied && i < 64; ++i) {
            if (change.bytes[i] >= 0) made[i] = static_cast<std::byte>(change.bytes[i]);
          }
        }
        if (std::memcmp(made.data() + word * 8, bytes + word * 8, 8) == 0) return true;
      }
    }
    return false;
  }

  std::map<uint64_t, Line> lines_;
};

TEST(CrashImages, EveryImageOfARandomTraceIsOneThatTheModelAllows) {
  uint64_t checked = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Recorded r = record_random(seed, 25);
    CrashOptions options;
    options.images_per_point = 64;
    CrashImages images(r.trace, *r.region, r.base, options);
    const std::vector<std::byte> first = r.base;
    while (images.next()) {
      const LineOracle oracle(r.trace, images.event(), first);
      for (uint64_t line = 0; line < kRegionBytes / 64; ++line) {
        ASSERT_TRUE(oracle.may_hold(line, r.at(line * 64))) << "seed " << seed << " image " << images.id() << " line " << line;
        if (oracle.knows(line)) continue;
        ASSERT_EQ(std::memcmp(r.at(line * 64), first.data() + line * 64, 64), 0) << "seed " << seed << " line " << line;
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 5000u);
}

TEST(CrashImages, AnIdPutsTheSameImageBack) {
  Recorded r = record_random(11, 30);
  std::map<std::string, std::vector<std::byte>> seen;
  std::map<std::string, uint64_t> digests;
  {
    CrashImages images(r.trace, *r.region, r.base, {});
    while (images.next()) {
      seen[images.id()] = {r.region->bytes().begin(), r.region->bytes().end()};
      digests[images.id()] = images.digest();
    }
  }
  ASSERT_GT(seen.size(), 100u);
  CrashOptions other;
  other.seed = 99;
  other.images_per_point = 2;
  CrashImages again(r.trace, *r.region, r.base, other);
  for (const auto& [id, bytes] : seen) {
    ASSERT_TRUE(again.apply(id).ok()) << id;
    EXPECT_EQ(again.id(), id);
    EXPECT_EQ(again.digest(), digests[id]) << id;
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), r.region->bytes().begin())) << id;
  }
}

TEST(CrashImages, DigestsAreEqualExactlyForEqualImages) {
  Recorded r = record_random(5, 40);
  std::map<uint64_t, std::vector<std::byte>> by_digest;
  std::set<std::vector<std::byte>> distinct;
  CrashImages images(r.trace, *r.region, r.base, {});
  while (images.next()) {
    std::vector<std::byte> bytes(r.region->bytes().begin(), r.region->bytes().end());
    const auto [known, added] = by_digest.try_emplace(images.digest(), bytes);
    EXPECT_EQ(known->second, bytes) << images.id();
    distinct.insert(std::move(bytes));
  }
  EXPECT_EQ(by_digest.size(), distinct.size());
}

TEST(CrashImages, WhatIsStoredIntoAnImageIsUndoneWithIt) {
  Recorded r = record_random(3, 30);
  const std::vector<std::byte> first = r.base;
  std::vector<std::vector<std::byte>> untouched;
  {
    CrashImages images(r.trace, *r.region, r.base, {});
    while (images.next()) untouched.emplace_back(r.region->bytes().begin(), r.region->bytes().end());
  }
  EXPECT_EQ(r.base, first);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), r.region->bytes().begin()));

  Random random(1);
  CrashImages images(r.trace, *r.region, r.base, {});
  size_t at = 0;
  while (images.next()) {
    ASSERT_TRUE(std::equal(untouched[at].begin(), untouched[at].end(), r.region->bytes().begin())) << images.id();
    ++at;
    for (int i = 0; i < 5; ++i) put(r, random.below(kRegionBytes - 200), std::string(1 + random.below(200), '#'));
    const std::string streamed(200, '!');
    stream(r.at(random.below(kRegionBytes - 200)), streamed.data(), streamed.size());
    const uint64_t behind = random.below(kRegionBytes - 8);
    std::memset(r.at(behind), '?', 8);
    images.dirtied(behind, 8);
  }
  EXPECT_EQ(at, untouched.size());
}

TEST(CrashImages, RestoreFinalLeavesTheRegionAsTheEngineDid) {
  Recorded r = record_random(8, 30);
  const std::vector<std::byte> first = r.base;
  {
    CrashImages images(r.trace, *r.region, r.base, {});
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(images.next());
    put(r, 4096, "scribble");
    images.restore_final();
  }
  EXPECT_TRUE(std::equal(r.final_bytes.begin(), r.final_bytes.end(), r.region->bytes().begin()));
  EXPECT_EQ(r.base, first);
}

std::vector<std::string> ids(Recorded& r, const CrashOptions& options) {
  std::vector<std::string> all;
  CrashImages images(r.trace, *r.region, r.base, options);
  while (images.next()) all.push_back(images.id());
  return all;
}

/// Forty lines in flight at one point.
Recorded record_many_lines() {
  return record([](Recorded& to, Recorder&) {
    for (uint64_t line = 0; line < 40; ++line) put(to, line * 64 + 8, "some bytes of this line");
  });
}

TEST(CrashImages, ABudgetIsKeptAndDrawnBySeed) {
  Recorded r = record_many_lines();
  CrashOptions options;
  options.images_per_point = 100;
  const std::vector<std::string> once = ids(r, options);
  EXPECT_LE(once.size(), 100u);
  EXPECT_GE(once.size(), 80u);
  EXPECT_EQ(std::set<std::string>(once.begin(), once.end()).size(), once.size());
  EXPECT_EQ(ids(r, options), once);
  options.seed = 2;
  EXPECT_NE(ids(r, options), once);
}

TEST(CrashImages, WithoutABudgetEveryLineAndEveryPairIsTried) {
  Recorded r = record_many_lines();
  const std::vector<std::string> all = ids(r, unlimited());
  const std::set<std::string> found(all.begin(), all.end());
  EXPECT_EQ(found.size(), all.size());
  for (uint64_t a = 0; a < 40; ++a) {
    EXPECT_TRUE(found.contains("0/one-" + std::to_string(a)));
    EXPECT_TRUE(found.contains("0/but-" + std::to_string(a)));
    for (uint64_t b = a + 1; b < 40; ++b) EXPECT_TRUE(found.contains("0/two-" + std::to_string(a) + "-" + std::to_string(b)));
  }
}

TEST(CrashImages, EverySubsetOfTheLinesThatRecoveryReadsIsTried) {
  Recorded r = record_many_lines();
  CrashOptions options;
  options.images_per_point = 200;
  CrashImages images(r.trace, *r.region, r.base, options);
  std::set<std::string> found;
  const std::vector<uint64_t> reads = {2, 5, 17, 31, 500};
  while (images.next()) {
    if (images.first_of_point()) images.recovery_reads(reads);
    found.insert(images.id());
  }
  for (const char* id : {"0/set-2.5", "0/set-2.17", "0/set-2.31", "0/set-5.17", "0/set-5.31", "0/set-17.31", "0/set-2.5.17",
                         "0/set-2.5.31", "0/set-2.17.31", "0/set-5.17.31", "0/set-2.5.17.31"}) {
    EXPECT_TRUE(found.contains(id)) << id;
  }
}

TEST(CrashImages, PointsAreCountedBeforeTheWalkAsTheyAreWalked) {
  for (const CrashModel model : {CrashModel::kClwb, CrashModel::kEadr}) {
    Recorded r = record_random(21, 50);
    CrashOptions options;
    options.model = model;
    options.images_per_point = 2;
    CrashImages images(r.trace, *r.region, r.base, options);
    uint64_t points = 0;
    while (images.next()) points += images.first_of_point() ? 1 : 0;
    EXPECT_EQ(images.point_count(), points);
  }
}

TEST(CrashImages, ACrashInsideRecoveryNestsInAnImage) {
  Recorded r = record_random(4, 30);
  CrashImages outer(r.trace, *r.region, r.base, {});
  ASSERT_TRUE(outer.apply("2/all").ok());
  std::vector<std::byte> inner_base(r.region->bytes().begin(), r.region->bytes().end());
  Trace recovery;
  {
    Recorder recorder(*r.region);
    put_durable(r, 8192, "repaired");
    recovery = recorder.take();
  }
  {
    CrashImages inner(recovery, *r.region, inner_base, unlimited());
    std::set<std::string> found;
    while (inner.next()) found.insert(r.text(8192, 8));
    EXPECT_EQ(found, (std::set<std::string>{"........", "repaired"}));
  }
  ASSERT_TRUE(outer.next());
  EXPECT_EQ(r.text(8192, 8), "........");
}

TEST(CrashImages, AMalformedOrForeignIdIsRefusedInOneLine) {
  Recorded r = record_many_lines();
  CrashImages images(r.trace, *r.region, r.base, {});
  for (const char* id :
       {"", "all", "0", "0/", "0/alle", "0/one", "0/one-40", "0/two-1", "0/two-1-40", "0/part-1-2-3", "0/part-1-0-0f-00-some",
        "0/set-", "0/set-3.2", "0/set-40", "7/all", "x/all", "0/random-", "0/random-xyz"}) {
    const Result<void> applied = images.apply(id);
    ASSERT_FALSE(applied.ok()) << id;
    EXPECT_EQ(applied.code(), Errc::kUsage) << id;
    EXPECT_EQ(applied.error().message().find('\n'), std::string::npos);
  }
  EXPECT_TRUE(images.apply("0/one-39").ok());
}

}  // namespace
}  // namespace daxlab::pmem
