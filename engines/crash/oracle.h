// The judge: may a crash at this point leave this tree?
//
// A History is what happened: the operations of a sequence and the model's tree after each. At a crash point (operations
// finished, and perhaps one under way) the engine's traits say which trees are allowed:
//   durable on return   exactly the tree after the last finished operation; with one under way, that or the tree after it
//   deferred            the metadata of any tree from the last sync point on. A sync is one. So is an fsync, not where it was
//                       called but where what it was called for last changed (attributes, size, links, names by which it is
//                       held, a directory's entries): one log is forced up to there, and later or unrelated changes may be
//                       missing, as in XFS (xfs_file_fsync forces the log to the inode's last commit; Linux 6.1).
// and which bytes may differ from that tree's:
//   1. Bytes that were fsynced are at least as new as the fsync, however old the metadata found (an overwrite in place may be
//      durable while the creation of another file before it is not).
//   2. Aligned 8 bytes may hold any version that they had since they were last made durable, if they were written by a write that
//      is not atomic and did not return, through a mapping and not synced, or at all by a deferred engine without atomic data.
//   3. No version crosses a truncation: what it cut off does not come back once the metadata has it, and what was written after
//      it is not seen before it (except in the block where it cut, which the file keeps).
// Everything else is exact.
//
// Pure functions of values; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engines/api/registry.h"
#include "engines/base/result.h"
#include "engines/crash/op.h"
#include "engines/crash/tree.h"

namespace daxlab::crash {

struct History {
  std::vector<Op> ops;
  std::vector<Tree> trees;  ///< trees[0] before the first operation, trees[i] after ops[i - 1]; ops.size() + 1 of them.

  /// Runs the model. An operation that the model refuses leaves the tree as it was.
  static History of(Tree initial, std::vector<Op> ops);
};

/// How far the run had come: `finished` operations returned; the next one was under way if `under_way`.
struct CrashPoint {
  size_t finished = 0;
  bool under_way = false;
};

/// Bytes of a file that may be old or new.
struct MixedRange {
  NodeNumber node;
  uint64_t begin;
  uint64_t end;
  size_t since;  ///< Versions from trees[since] on are allowed.
};

/// Bytes of a file that are at least as new as in trees[at].
struct DurableRange {
  NodeNumber node;
  uint64_t begin;
  uint64_t end;
  size_t at;
};

/// What is allowed at a crash point.
struct Allowed {
  std::vector<size_t> trees;  ///< Indices into History::trees whose metadata is allowed, ascending.
  std::vector<MixedRange> mixed;
  std::vector<DurableRange> durable;
  size_t newest = 0;  ///< The last tree whose data may appear.
  /// Bytes that may be old or new may be so each by itself: what a kernel copies and a program stores need not be aligned, and a word that two
  /// stores meet in can be cut between them.
  bool torn_words = false;
};

Allowed allowed_after_crash(const History& history, const Traits& traits, CrashPoint point);

/// Empty if `recovered` is allowed, else what is wrong, compared with the newest allowed tree whose metadata is alike, if one is,
/// or the newest.
std::string judge(const History& history, const Allowed& allowed, const Tree& recovered);

/// Exact comparison, numbers apart: empty if alike, else the first difference. For mixed bytes see judge().
std::string difference(const Tree& expected, const Tree& actual);

}  // namespace daxlab::crash
