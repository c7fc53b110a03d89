// What the crash suites run: exhaustive sequences of one and two steps over a small tree, longer histories that bring structures to
// their edges, and seeded random ones.
//
// As ACE does for block file systems (Mohan et al., OSDI 2018), the namespace is tiny and fixed, so that steps meet: files and
// directories that a first step made are found by the second. A step is one operation, or a few that only make sense together
// (a mapped store and its msync, the unlink of an open file).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engines/api/registry.h"
#include "engines/crash/op.h"

namespace daxlab::crash {

/// A run to explore: `setup` is durable before the recorder starts, `ops` are recorded.
struct Sequence {
  std::string suite;  ///< "seq1", "seq2", "edge", "random".
  std::vector<Op> setup;
  std::vector<Op> ops;
};

/// The tree that every sequence begins with.
std::vector<Op> standard_setup();

/// Whether sequences get sync points of their own beside the steps that are some. A deferred engine promises nothing before one,
/// so its suites need them behind every kind of change; a synchronous one has its commit in every step.
enum class SyncPoints : uint8_t { kOfSteps, kAdded };

/// Every step alone: about 80. With sync points added also: followed by a sync, and by an fsync of what it changed.
std::vector<Sequence> sequences_of_one(SyncPoints syncs = SyncPoints::kOfSteps);
/// Every ordered pair of steps whose operations all succeed in the model: about 5 000. With sync points added, one of: an fsync
/// of what the first changed between them, or of what the second changed behind both.
std::vector<Sequence> sequences_of_two(SyncPoints syncs = SyncPoints::kOfSteps);
/// Some 20 with setups of their own: tables, logs and lists that grow, shrink or are cleaned within the recorded operations.
std::vector<Sequence> sequences_at_edges(SyncPoints syncs = SyncPoints::kOfSteps);
/// `count` seeded sequences of `length` operations drawn at random, all of which succeed in the model. With sync points added,
/// one step in four is followed by one.
std::vector<Sequence> random_sequences(uint64_t seed, size_t count, size_t length, SyncPoints syncs = SyncPoints::kOfSteps);
/// What the traits of an engine call for.
SyncPoints sync_points_for(const Traits& traits);

}  // namespace daxlab::crash
