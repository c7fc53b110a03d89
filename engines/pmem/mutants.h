// Mutants: every flush, fence, commit store and edge flush of a streaming copy is a *site*, which can be left out or put in the
// wrong order, to see whether the crash laboratory notices.
//
// A site registers itself when it is first reached, so a list is complete for what ran before it was asked for. Its key (file,
// line, primitive) is stable for one source; its number is its rank among the sites seen, sorted by key: stable for one binary
// and one recording run. Only in the build with DAXLAB_MUTANTS; elsewhere the list is empty and set_mutant() says
// kMissingFacility. Thread-safe; set and clear while no engine is mounted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engines/base/result.h"
#include "engines/pmem/persist.h"

namespace daxlab::pmem {

enum class Mutation : uint8_t {
  kOmit,   ///< The site does nothing.
  kDefer,  ///< Flushes only: done after the thread's next fence, as if flush and fence had changed places.
};

struct MutantSite {
  uint32_t number;
  std::string file;
  int line;
  Primitive primitive;
  uint64_t hits;            ///< How often it was reached.
  std::string key() const;  ///< "engines/native/journal.cc:120:fence"
};

const char* name(Primitive primitive);
/// The sites reached so far whose file name contains `in_file`, in order of their numbers.
std::vector<MutantSite> mutant_sites(std::string_view in_file = {});
/// Puts one mutation in force. kUsage when no such site has been reached or the mutation does not fit its primitive.
Result<void> set_mutant(std::string_view key, Mutation mutation);
void clear_mutants();
/// How often the mutation in force has taken effect since set_mutant(): a mutant that never did proves nothing.
uint64_t mutant_hits();

}  // namespace daxlab::pmem
