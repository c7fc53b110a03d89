#include "engines/pmem/mutants.h"

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

namespace daxlab::pmem {

const char* name(Primitive primitive) {
  switch (primitive) {
    case Primitive::kCommit:
      return "commit";
    case Primitive::kFlush:
      return "flush";
    case Primitive::kFence:
      return "fence";
    case Primitive::kStreamFlush:
      return "stream-flush";
  }
  return "unknown";
}

std::string MutantSite::key() const { return file + ':' + std::to_string(line) + ':' + name(primitive); }

#if DAXLAB_MUTANTS

namespace {

/// The path from the source root on: __builtin_FILE() gives what the compiler was called with.
std::string relative(const char* file) {
  for (const char* root : {"engines/", "workloads/", "harness/"}) {
    if (const char* found = std::strstr(file, root)) return found;
  }
  return file;
}

struct State {
  std::mutex mutex;
  std::map<std::tuple<std::string, int, Primitive>, uint64_t> hits;
  std::tuple<std::string, int, Primitive> chosen;
  Mutation mutation = Mutation::kOmit;
  bool active = false;
  uint64_t effects = 0;
};

State& state() {
  static State* const instance = new State;
  return *instance;
}

struct Deferred {
  const void* from;
  size_t size_bytes;
};

thread_local std::vector<Deferred> t_deferred;

}  // namespace

namespace detail {

bool mutated(Primitive primitive, Site site, const void* from, size_t size_bytes) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  const auto [seen, added] = all.hits.try_emplace({relative(site.file), site.line, primitive}, 0);
  ++seen->second;
  if (!all.active || seen->first != all.chosen) return false;
  ++all.effects;
  if (all.mutation == Mutation::kDefer) t_deferred.push_back({from, size_bytes});
  return true;
}

void flush_deferred() {
  if (t_deferred.empty()) return;
  std::vector<Deferred> due;
  due.swap(t_deferred);
  for (const Deferred& range : due) {
    count(Counter::lines_flushed, lines_of(range.from, range.size_bytes));
    if (g_door.watched) {
      flush_watched(range.from, range.size_bytes, Site{"deferred", 0});
    } else {
      flush_lines(range.from, range.size_bytes);
    }
  }
}

}  // namespace detail

std::vector<MutantSite> mutant_sites(std::string_view in_file) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  std::vector<MutantSite> sites;
  uint32_t number = 0;
  for (const auto& [key, hits] : all.hits) {
    const auto& [file, line, primitive] = key;
    if (file.find(in_file) != std::string::npos) sites.push_back({number, file, line, primitive, hits});
    ++number;
  }
  return sites;
}

Result<void> set_mutant(std::string_view key, Mutation mutation) {
  for (const MutantSite& site : mutant_sites()) {
    if (site.key() != key) continue;
    if (mutation == Mutation::kDefer && site.primitive != Primitive::kFlush && site.primitive != Primitive::kStreamFlush) {
      return Error(Errc::kUsage, "mutant " + site.key() + ": only a flush can be deferred");
    }
    State& all = state();
    const std::lock_guard lock(all.mutex);
    all.chosen = {site.file, site.line, site.primitive};
    all.mutation = mutation;
    all.active = true;
    all.effects = 0;
    return {};
  }
  return Error(Errc::kUsage, "mutant " + std::string(key) + ": no such site has been reached");
}

void clear_mutants() {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  all.active = false;
  t_deferred.clear();
}

uint64_t mutant_hits() {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  return all.effects;
}

#else

std::vector<MutantSite> mutant_sites(std::string_view) { return {}; }
Result<void> set_mutant(std::string_view, Mutation) {
  return Error(Errc::kMissingFacility, "mutants exist only in the build with DAXLAB_MUTANTS (preset mutants)");
}
void clear_mutants() {}
uint64_t mutant_hits() { return 0; }

#endif

}  // namespace daxlab::pmem
