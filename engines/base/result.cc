#include "engines/base/result.h"

#include <array>
#include <cstddef>

namespace daxlab {

namespace {

struct Entry {
  const char* name;
  int posix;
  const char* sentence;
};

constexpr auto kEntries = std::to_array<Entry>({
#define DAXLAB_ERROR(name, posix, sentence) {#name, posix, sentence},
#include "engines/base/errors.def"
#undef DAXLAB_ERROR
});

const Entry& entry_of(Errc code) {
  const auto index = static_cast<size_t>(code);
  DAXLAB_CHECK(index < kEntries.size());
  return kEntries[index];
}

}  // namespace

int to_errno(Errc code) { return entry_of(code).posix; }
const char* sentence(Errc code) { return entry_of(code).sentence; }
const char* name(Errc code) { return entry_of(code).name; }

Errc errc_from_errno(int posix) {
  // The first entry wins, so that EINVAL is kInvalid and not kUsage.
  for (size_t i = 0; i < kEntries.size(); ++i) {
    if (kEntries[i].posix == posix) return static_cast<Errc>(i);
  }
  return Errc::kIo;
}

}  // namespace daxlab
