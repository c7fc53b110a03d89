// From a trace to the images that a crash may leave: bytes only, no knowledge of any file system.
//
// Model (x86, Model::kClwb). A cached store may become durable at any time after it was made; those to one 64-byte line become
// durable in the order of the trace, so of a line some prefix of its stores is there; of one store that touches several words,
// any of the words may come first. A flush followed by a fence of the same thread makes durable what the line held at the flush.
// Streaming stores are unordered: until their thread's next fence any subset of their aligned 8-byte words may be there. 8
// aligned bytes are atomic. A line with both kinds has both freedoms. A locked instruction is no fence. Model::kEadr: cached
// stores are durable when made; streaming stores as above.
//
// A crash *point* is the moment before a fence takes effect, the end of an operation, and the end of the trace (kEadr: also after
// every store, as its durable state changes there). Between two points no other image is possible than at the later one, because
// what is in flight only grows and a choice may leave the newest out. At each point these images are made, in this order:
//   none          nothing in flight became durable
//   all           everything did
//   one, but      one in-flight line alone; all lines but one
//   part          one line in part: a prefix of its stores, or words of its streaming stores; the other lines none or all
//   two           every pair of in-flight lines
//   set           subsets of the in-flight lines that recovery reads (see recovery_reads()), and seeded random subsets
// When a class has more members than its share of the budget, a seeded sample of it is taken.
//
// In place: an image is patched into the region, and undone by the next call of next(), apply(), rewind() or restore_final(),
// together with all that was stored into the region through the door in between (a mount, a repair, a test drive). Stores that
// bypass the door must be reported by dirtied().
//
// Use:
//   std::vector<std::byte> base(region.bytes().begin(), region.bytes().end());   // before the operations run
//   { Recorder recorder(region); ... recorder.op_begin(n); operation; recorder.op_end(n); ...; trace = recorder.take(); }
//   CrashImages images(trace, region, base, options);                            // engine gone; may be made again and again on
//   one base while (images.next()) { mount, judge by images.running() and images.finished(), drive, drop the engine }
//
// Threads: one. A Recorder may run while an image is in place (to crash inside recovery: copy the region, record the mount, and
// make a second CrashImages on the copy and the new trace; destroy it before going on with the first).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engines/base/result.h"
#include "engines/pmem/recorder.h"
#include "engines/pmem/region.h"

namespace daxlab::pmem {

enum class CrashModel : uint8_t { kClwb, kEadr };

struct CrashOptions {
  CrashModel model = CrashModel::kClwb;
  uint64_t seed = 1;
  uint32_t images_per_point = 256;  ///< Budget, at least 2; 0: everything that the classes hold.
  uint32_t words_per_line =
      16;  ///< Seeded word subsets tried per streamed line, of up to 254 in the middle; each with others none and all.
  uint32_t random_sets = 16;  ///< Seeded random subsets per point, beside those that recovery reads.
};

class CrashImages {
 public:
  /// `base` holds what the region held when recording began, and is as long. It is changed while this object lives and given back
  /// as it was. `trace` is borrowed.
  CrashImages(const Trace& trace, Region& region, std::span<std::byte> base, const CrashOptions& options);
  ~CrashImages();  ///< rewind().
  CrashImages(const CrashImages&) = delete;
  CrashImages& operator=(const CrashImages&) = delete;

  /// Undoes the image in place and puts the next one there. False after the last.
  bool next();
  /// Names the image in place: "17/all", "17/one-3", "17/part-3-2-0f-00-all", "17/set-3.5.9" (crash_choice.h). The first number
  /// is the point; the rest does not depend on seed or budget, so that the id with the trace is the image.
  std::string id() const;
  /// Puts the image named `id` in place. next() goes on with the next point. kUsage when the trace has no such image.
  Result<void> apply(std::string_view id);

  /// Lines (offset / 64) that recovery loaded from an image of this point: told after the first images of a point, they
  /// direct the class `set`. Kept for the later points too, as recoveries of neighbouring points read alike.
  void recovery_reads(std::span<const uint64_t> lines);
  /// [offset, offset + size) of the region was stored to behind the door's back.
  void dirtied(uint64_t offset_bytes, uint64_t size_bytes);

  // Where the image in place crashes.
  uint64_t point() const;
  bool first_of_point() const;                 ///< The image is the first one of its point.
  size_t event() const;                        ///< Events of the trace before the crash.
  std::span<const uint64_t> running() const;   ///< Operations begun and not ended; empty between operations.
  std::span<const uint64_t> finished() const;  ///< Operations ended, in order of their ends.
  uint32_t in_flight_lines() const;
  /// 64 bits of the whole image's contents: equal images have equal digests, whatever their id.
  uint64_t digest() const;

  /// Region and base as they were before the first operation; next() begins anew.
  void rewind();
  /// Ends the walk: the region as the engine left it, every recorded store in place. Only destruction is allowed afterwards.
  void restore_final();

  /// What can be known before the walk; the sets that recovery reads are not in it.
  uint64_t point_count() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace daxlab::pmem
