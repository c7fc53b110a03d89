// Mutation score: leaves out, one by one, every flush, fence and commit store of an engine, and sees whether the laboratory
// notices.
//
// A mutant is killed when some sequence of one step, of the edges or the format then has a violation. A survivor is a flush or
// fence that nothing needs, or a gap in the suites: each is listed, to be explained or removed. Needs the build preset `mutants`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engines/api/registry.h"
#include "engines/base/result.h"
#include "engines/crash/explorer.h"
#include "engines/pmem/mutants.h"

namespace daxlab::crash {

struct MutantOutcome {
  std::string site;  ///< "engines/native/inode_log.cc:120:fence".
  pmem::Mutation mutation;
  bool killed = false;
  std::string evidence;  ///< Killed: the sequence and what was wrong. Survived: how many states were judged.
};

struct MutationOptions {
  ExplorerOptions explorer;
  unsigned hang_s = 900;  ///< Of CPU time: a mutant that runs longer counts as killed, the engine hangs.
  uint32_t workers = 1;
};

struct MutationWatch {
  std::function<void(size_t done, size_t total, const MutantOutcome&)> progress;
  std::function<bool()> stop;  ///< Asked at least once a second while mutants are judged; true leaves out those that are not yet.
};

/// kMissingFacility outside the mutants build. In order of sites.
Result<std::vector<MutantOutcome>> run_mutants(const EngineSpec& engine, const MutationOptions& options,
                                               const MutationWatch& watch);

}  // namespace daxlab::crash
