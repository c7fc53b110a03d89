#include "engines/dax/user_buffer.h"

#include <cstring>

#include "engines/base/counters.h"
#include "engines/dax/mmu.h"

namespace daxlab::dax {

SourceBuffer::SourceBuffer(std::span<const std::byte> user) : bytes_(user) {
  if (DAXLAB_LIKELY(!in_window(user.data(), user.size()))) return;
  bounce_.assign(user.begin(), user.end());  // faults here, before the engine holds anything
  bytes_ = bounce_;
  count(Counter::bounced_bytes, user.size());
}

DestinationBuffer::DestinationBuffer(std::span<std::byte> user) : user_(user), bytes_(user) {
  if (DAXLAB_LIKELY(!in_window(user.data(), user.size()))) return;
  bounce_.resize(user.size());
  bytes_ = bounce_;
  count(Counter::bounced_bytes, user.size());
}

void DestinationBuffer::finish(size_t size_bytes) {
  if (!bounce_.empty()) std::memcpy(user_.data(), bounce_.data(), size_bytes);
}

}  // namespace daxlab::dax
