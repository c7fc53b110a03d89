// Suite "edge": structures at the moment when they grow, shrink or are tidied up: a table of inodes that is full, a log that crosses
// into its next page or becomes long, many small writes that wait, a hole under a mapping.
//
// Where those moments are is a matter of the engine; each setup brings a medium near several, by counts that suit records of one
// line in pages of 64 and tables of 64 inodes, and the recorded operations cross it. To other engines they are longer histories.
#include <fmt/format.h>

#include <string>
#include <utility>

#include "engines/base/check.h"
#include "engines/base/units.h"
#include "engines/crash/sequences.h"

namespace daxlab::crash {

namespace {

using Ops = std::vector<Op>;

Ops parsed(std::string_view text) {
  auto ops = parse_ops(text);
  DAXLAB_CHECK(ops.ok());
  return std::move(ops).value();
}

void extend(Ops& ops, const Ops& more) { ops.insert(ops.end(), more.begin(), more.end()); }

Ops repeated(size_t count, std::string_view text) {
  Ops ops;
  for (size_t i = 0; i < count; ++i) extend(ops, parsed(text));
  return ops;
}

Ops names(OpKind kind, size_t begin, size_t end) {
  Ops ops;
  for (size_t i = begin; i < end; ++i) ops.push_back({kind, fmt::format("/D/n{}", i)});
  return ops;
}

/// Files without anything but their names: the first change of each takes space for itself, and whatever was just freed is first in
/// line. So what is freed too early is found overwritten.
constexpr size_t kTakers = 20;

Ops takers() {
  Ops ops;
  for (size_t i = 0; i < kTakers; ++i) ops.push_back({OpKind::kCreate, fmt::format("/B/e{}", i)});
  return ops;
}

Op take(size_t i) { return {OpKind::kSetattr, fmt::format("/B/e{}", i), {}, 0600, 5, 6}; }

/// The table of inodes: its first block is full after some 53 files.
void add_tables(std::vector<Sequence>& sequences) {
  constexpr size_t kFirstFull = 53;
  constexpr size_t kBlock = 64;
  constexpr size_t kKept = 10;  // of each further block, one file is left
  Ops full = standard_setup();
  extend(full, names(OpKind::kCreate, 0, kFirstFull - 1));
  sequences.push_back({"edge", full, parsed("create /B/t1; create /B/t2; unlink /B/t2; mkdir /t3; rename /B/t1 /t3/t1")});

  Ops emptied = standard_setup();
  extend(emptied, takers());
  const size_t all = kFirstFull - kTakers + 4 * kBlock;
  extend(emptied, names(OpKind::kCreate, 0, all));
  Ops last;
  for (size_t i = 0; i < kTakers - 5; ++i) last.push_back(take(i));
  for (size_t i = kFirstFull - kTakers; i < all; ++i) {
    Op removal{OpKind::kUnlink, fmt::format("/D/n{}", i)};
    if (i % kBlock == (kFirstFull - kTakers + kKept) % kBlock) {
      last.push_back(std::move(removal));
      last.push_back(take(kTakers - 5 + i / kBlock));
    } else {
      emptied.push_back(std::move(removal));
    }
  }
  sequences.push_back({"edge", std::move(emptied), std::move(last)});
}

/// A log near the end of a page, in steps of its records: the operations cross into the next one, and the first may be dropped.
void add_page_ends(std::vector<Sequence>& sequences) {
  for (const size_t before : {54u, 57u, 60u}) {
    for (const char* path : {"/foo", "/x"}) {
      Ops setup = standard_setup();
      extend(setup, repeated(before, fmt::format("setattr {} 384+5@6", path)));
      Ops ops = parsed(fmt::format("setattr {0} 420+1@2; write {0} 0+4096@42; write {0} 100+64@43; append {0} 0+100@44; "
                                   "truncate {0} 3000+0@0; setattr {0} 384+3@4",
                                   path));
      sequences.push_back({"edge", std::move(setup), std::move(ops)});
    }
    Ops setup = standard_setup();
    extend(setup, repeated(before / 2, "create /D/t; unlink /D/t"));
    Ops ops = parsed("create /D/a; link /foo /D/b; rename /D/b /B/c; rename /B/c /D/d; mkdir /D/e; symlink /D/f target; unlink /D/a");
    sequences.push_back({"edge", std::move(setup), std::move(ops)});
  }
  Ops setup = standard_setup();
  extend(setup, takers());
  extend(setup, repeated(58, "setattr /x 384+5@6"));
  Ops ops;
  for (size_t i = 0; i < kTakers; ++i) {
    ops.push_back({OpKind::kSetattr, "/x", {}, 0600, i, 6});
    if (i >= 3) ops.push_back(take(i));
  }
  sequences.push_back({"edge", std::move(setup), std::move(ops)});
}

/// A log that grows to many pages within the recorded operations, each page with something that is still so: it is cleaned.
void add_long_logs(std::vector<Sequence>& sequences) {
  constexpr size_t kPages = 12;
  const std::string one = "/D/" + std::string(kNameBytesMax, 'a');
  const std::string two = "/D/" + std::string(kNameBytesMax, 'b');
  Ops setup = standard_setup();
  setup.push_back({OpKind::kCreate, one});
  Ops ops;
  for (size_t page = 0; page < kPages; ++page) {
    ops.push_back({OpKind::kCreate, fmt::format("/D/kept{}", page)});
    for (size_t i = 0; i < 6; ++i) {  // records of five lines
      ops.push_back({OpKind::kRename, one, two});
      ops.push_back({OpKind::kRename, two, one});
    }
  }
  sequences.push_back({"edge", std::move(setup), std::move(ops)});

  Ops data;
  for (uint64_t page = 0; page < kPages; ++page) {
    data.push_back({OpKind::kWrite, "/foo", {}, page * kBlockBytes * 2, kBlockBytes, 45});
    for (uint64_t i = 0; i < 4; ++i) data.push_back({OpKind::kWrite, "/foo", {}, i * 700, 1000, 46 + i});  // records of 17 lines
  }
  sequences.push_back({"edge", standard_setup(), std::move(data)});
}

/// More small writes than may wait for their places at once, the first of them overwritten.
void add_small_writes(std::vector<Sequence>& sequences) {
  constexpr size_t kWaiting = 128;
  Ops ops;
  for (size_t i = 0; i < kWaiting + 2; ++i) ops.push_back({OpKind::kWrite, "/foo", {}, i % 40 * 100, 16 + i % 3 * 8, 48 + i});
  extend(ops, parsed("mapped-store /foo 200+30@47; write /foo 210+16@48"));
  sequences.push_back({"edge", standard_setup(), std::move(ops)});
}

/// A log of a fixed size that has gone around its end: a megabyte and more of small records, each durable by itself, lies behind.
void add_rounds(std::vector<Sequence>& sequences) {
  constexpr size_t kRecords = 1100;  // of a kilobyte where records are padded
  Ops setup = standard_setup();
  extend(setup, repeated(kRecords, "setattr /x 384+5@6; fsync /x"));
  sequences.push_back({"edge", setup, parsed("create /D/a; fsync /D/a; rename /foo /B/moved; sync /; write /x 100+9000@50; fsync /x")});
  sequences.push_back({"edge", setup, parsed("mkdir /D/e; sync /; symlink /D/f target; unlink /A/bar; sync /; truncate /foo 100+0@0")});
}

}  // namespace

std::vector<Sequence> sequences_at_edges(SyncPoints syncs) {
  std::vector<Sequence> sequences;
  add_tables(sequences);
  add_page_ends(sequences);
  add_long_logs(sequences);
  add_small_writes(sequences);
  add_rounds(sequences);
  if (syncs == SyncPoints::kAdded) {
    for (Sequence& sequence : sequences) sequence.ops.push_back({OpKind::kSync, "/"});
  }
  return sequences;
}

}  // namespace daxlab::crash
