#include "engines/dax/mapping.h"

#include <algorithm>
#include <cstring>

#include "engines/base/trace.h"
#include "engines/dax/address_space_state.h"
#include "engines/dax/user_buffer.h"
#include "engines/pmem/persist.h"

namespace daxlab::dax {

DaxMapping::~DaxMapping() {
  if (established_) space_.unmap(window_);
}

Result<void> DaxMapping::load(uint64_t offset, std::span<std::byte> out) {
  if (!contains(offset, out.size())) return Errc::kInvalid;
  if (window_.address != nullptr) {
    std::memcpy(out.data(), window_.address + offset, out.size());
    return {};
  }
  DestinationBuffer buffer(out);
  DAXLAB_TRY(space_.soft_access(window_, offset, buffer.bytes().data(), out.size(), Access::kRead));
  buffer.finish(out.size());
  return {};
}

Result<void> DaxMapping::store(uint64_t offset, std::span<const std::byte> data) {
  if (!contains(offset, data.size())) return Errc::kInvalid;
  if (!window_.writable) return Errc::kAccess;
  if (window_.address != nullptr) {
    std::memcpy(window_.address + offset, data.data(), data.size());
    return {};
  }
  const SourceBuffer buffer(data);
  // soft_access only reads from the bytes of a write.
  return space_.soft_access(window_, offset, const_cast<std::byte*>(buffer.bytes().data()), data.size(), Access::kWrite);
}

Result<void> DaxMapping::sync(uint64_t offset, uint64_t size_bytes) {
  if (!contains(offset, size_bytes)) return Errc::kInvalid;
  if (size_bytes == 0) return {};
  const uint64_t first = offset / kBlockBytes;
  return space_.writeback(window_.first_page + first, div_up(offset + size_bytes, kBlockBytes) - first);
}

// Without page table entries to revoke, the entry's lock is what keeps a block in place while it is copied from or to.
Result<void> AddressSpace::soft_access(Window& window, uint64_t offset, std::byte* bytes, size_t size_bytes, Access access) {
  State& state = *state_;
  while (size_bytes > 0) {
    const uint64_t page = window.first_page + offset / kBlockBytes;
    const uint64_t at = offset % kBlockBytes;
    const size_t piece = std::min<size_t>(size_bytes, kBlockBytes - at);
    bool copied = false;
    while (!copied) {
      {
        const ScopedLockScope scope(LockScope::kFault);
        state.policy->enter();
        const Slot slot = state.lock_page(page);
        if (mmu_.allows(window, page, access)) {
          std::byte* const frame = Entry::frame(slot.value);
          if (access == Access::kWrite) {
            pmem::store_bytes(frame + at, bytes, piece);
          } else if (frame != nullptr) {
            std::memcpy(bytes, frame + at, piece);
          } else {
            std::memset(bytes, 0, piece);
          }
          copied = true;
        }
        state.unlock(slot);
        state.policy->leave();
      }
      if (!copied && !fault(window, page, access)) return Errc::kInvalid;
    }
    bytes += piece;
    offset += piece;
    size_bytes -= piece;
  }
  return {};
}

}  // namespace daxlab::dax
