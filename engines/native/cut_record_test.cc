// A record that a crash cut, and another that a second crash cuts in the same place: what the two have in common must not complete the
// first, which did not happen. Every way to cut both by words, at a place within a page and at the beginning of one.

#include <cstring>
#include <vector>

#include "engines/base/clock.h"
#include "engines/native/format.h"
#include "engines/native/test_support.h"
#include "engines/pmem/crash_images.h"
#include "engines/pmem/recorder.h"

namespace daxlab::native {
namespace {

constexpr uint64_t kImageBytes = 512 * kKiB;
constexpr uint64_t kFrozenNs = 1'700'000'000'000'000'000;  // records of equal times have most words in common
constexpr unsigned kWordBits = 256;
constexpr unsigned kHeaderAndTail = 0x81;

class CutRecord : public ::testing::Test {
 protected:
  CutRecord() : mounted_("native:background=inline:mmu=soft:cpus=1", kImageBytes) {
    freeze_realtime(kFrozenNs);
    mounted_.create("f");
  }
  ~CutRecord() override { freeze_realtime(0); }

  using Image = std::vector<std::byte>;
  Image image() const {
    const auto bytes = region().bytes();
    return {bytes.begin(), bytes.end()};
  }
  pmem::Region& region() const { return const_cast<Mounted&>(mounted_).region(); }
  void put(const Image& image) { std::memcpy(region().bytes().data(), image.data(), image.size()); }

  /// One record: its line, before and after.
  struct Change {
    Image before;
    std::vector<size_t> lines;  ///< That differ.
    Image after;
  };
  void set_mode(uint32_t mode) {
    auto root = mounted_.root();
    SetAttributes changes;
    changes.mode = mode;
    Mounted::must(mounted_.engine().setattr(root->stat("f").value().ino, changes));
  }
  Change change_mode(uint32_t mode) {
    Change change;
    change.before = image();
    set_mode(mode);
    change.after = image();
    for (size_t at = 0; at < change.before.size(); at += kLineBytes) {
      if (std::memcmp(&change.before[at], &change.after[at], kLineBytes) != 0) change.lines.push_back(at);
    }
    return change;
  }
  /// Of the line that holds the record, the words in `mask`; of every other changed line, all.
  static Image cut(const Change& change, size_t record, unsigned mask) {
    Image image = change.before;
    for (const size_t line : change.lines) {
      for (unsigned word = 0; word < 8; ++word) {
        if (line == record && (mask >> word & 1) == 0) continue;
        std::memcpy(&image[line + word * 8], &change.after[line + word * 8], 8);
      }
    }
    return image;
  }
  uint32_t mode() { return mounted_.root()->stat("f").value().mode; }

  /// Cuts a change to 0600 and, behind the recovery, one to 0640 at every point in every way. The file has mode 0644 before.
  void cut_twice() {
    const Change first = change_mode(0600);
    const size_t record = first.lines.back();
    mounted_.crash();
    for (unsigned cut_first = 0; cut_first + 1 < kWordBits; ++cut_first) {
      if ((cut_first & kHeaderAndTail) != kHeaderAndTail) continue;  // without them nothing can be completed
      const Image left = cut(first, record, cut_first);
      if (left == first.after) continue;  // what is missing was there before
      put(left);
      mounted_.mount();
      ASSERT_EQ(mode(), 0644u) << cut_first;
      Image base = image();
      pmem::Recorder recorder(region());
      set_mode(0640);
      const pmem::Trace trace = recorder.take();
      mounted_.crash();
      ASSERT_NO_FATAL_FAILURE(cut_again(trace, base, cut_first));
    }
    mounted_.mount();
  }
  void cut_again(const pmem::Trace& trace, Image& base, unsigned cut_first) {
    pmem::CrashOptions everything;
    everything.images_per_point = 0;
    pmem::CrashImages images(trace, region(), base, everything);
    while (images.next()) {
      mounted_.mount();
      const uint32_t found = mode();
      mounted_.crash();
      ASSERT_TRUE(found == 0644 || found == 0640) << std::oct << found << std::dec << ": what the first crash cut is back; words " << cut_first
                                                  << ", then " << images.id();
    }
  }

  Mounted mounted_;
};

TEST_F(CutRecord, WithinAPageIsNotCompletedByTheNextOne) {
  set_mode(0600);
  set_mode(0644);
  cut_twice();
}

TEST_F(CutRecord, AtTheBeginningOfALogIsNotCompletedByTheNextOne) { cut_twice(); }

}  // namespace
}  // namespace daxlab::native
