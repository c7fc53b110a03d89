// Suite "edge": structures at the moment when they grow, shrink or are tidied up: a table of inodes that is full, a log that crosses
// into its next page or becomes long, many small writes that wait, a hole under a mapping.
//
// Where those moments are is a matter of the engine; each setup brings a medium near several, by counts that suit records of one
// line in pages of 64 and tables of 64 inodes, and the recorded operations cross it. To other engines they are longer histories.
#include <fmt/format.h>

#include <string>

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

/// The table of inodes: its first block is full after some 53 files.
void add_tables(std::vector<Sequence>& sequences) {
  constexpr size_t kFirstFull = 53;
  constexpr size_t kBlock = 64;
  constexpr size_t kKept = 10;  // of each further block, one file is left
  Ops full = standard_setup();
  extend(full, names(OpKind::kCreate, 0, kFirstFull - 1));
  sequences.push_back({"edge", full, parsed("create /B/t1; create /B/t2; unlink /B/t2; mkdir /t3; rename /B/t1 /t3/t1")});
  Ops emptied = standard_setup();
  const size_t all = kFirstFull + 4 * kBlock;
  extend(emptied, names(OpKind::kCreate, 0, all));
  Ops last;
  for (size_t i = kFirstFull; i < all; ++i) {
    Op removal{OpKind::kUnlink, fmt::format("/D/n{}", i)};
    (i % kBlock == (kFirstFull + kKept) % kBlock ? last : emptied).push_back(std::move(removal));
  }
  extend(last, parsed("create /t1; write /t1 0+5000@41"));
  sequences.push_back({"edge", std::move(emptied), std::move(last)});
}

/// A log near the end of a page, in steps of its records: the operations cross into the next one, whose head may then be dropped.
void add_page_ends(std::vector<Sequence>& sequences) {
  for (const size_t before : {54, 57, 60}) {
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
}

/// A log of many pages, each of which holds something that is still so: cleaning begins within the recorded operations.
void add_long_logs(std::vector<Sequence>& sequences) {
  constexpr size_t kPages = 8;
  for (const size_t pairs : {28, 30}) {
    Ops names_setup = standard_setup();
    Ops data_setup = standard_setup();
    for (size_t page = 0; page < kPages; ++page) {
      extend(names_setup, parsed(fmt::format("create /D/kept{}", page)));
      extend(names_setup, repeated(pairs, "create /D/t; unlink /D/t"));
      extend(data_setup, parsed(fmt::format("write /foo {}+4096@45", page * kBlockBytes * 2)));
      extend(data_setup, repeated(2 * pairs, "setattr /foo 384+5@6"));
    }
    Ops names_ops = repeated(8, "create /D/t; unlink /D/t");
    extend(names_ops, parsed("rename /D/kept0 /B/kept"));
    sequences.push_back({"edge", std::move(names_setup), std::move(names_ops)});
    Ops data_ops = repeated(5, "write /foo 100+64@46; setattr /foo 384+5@6; write /foo 8292+24@47");
    sequences.push_back({"edge", std::move(data_setup), std::move(data_ops)});
  }
}

/// More small writes than may wait for their places at once, the first of them overwritten.
void add_small_writes(std::vector<Sequence>& sequences) {
  constexpr size_t kWaiting = 128;
  Ops ops;
  for (size_t i = 0; i < kWaiting + 2; ++i) ops.push_back({OpKind::kWrite, "/foo", {}, i % 40 * 100, 16 + i % 3 * 8, 48 + i});
  extend(ops, parsed("mapped-store /foo 200+30@47; write /foo 210+16@48"));
  sequences.push_back({"edge", standard_setup(), std::move(ops)});
}

}  // namespace

std::vector<Sequence> sequences_at_edges(SyncPoints syncs) {
  std::vector<Sequence> sequences;
  add_tables(sequences);
  add_page_ends(sequences);
  add_long_logs(sequences);
  add_small_writes(sequences);
  if (syncs == SyncPoints::kAdded) {
    for (Sequence& sequence : sequences) sequence.ops.push_back({OpKind::kSync, "/"});
  }
  return sequences;
}

}  // namespace daxlab::crash
