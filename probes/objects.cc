#include "probes/objects.h"

#include "probes/objects.inc"  // generated: every skeleton, and DAXLAB_PROBE_OBJECTS

namespace daxlab::probes {

std::span<const std::byte> object_bytes(std::string_view name) {
  size_t size_bytes = 0;
  const void* data = nullptr;
#define X(probe) \
  if (name == #probe) data = probe##_bpf__elf_bytes(&size_bytes);
  DAXLAB_PROBE_OBJECTS(X)
#undef X
  return {static_cast<const std::byte*>(data), size_bytes};
}

}  // namespace daxlab::probes
