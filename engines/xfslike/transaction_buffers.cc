// The buffers of a transaction: joined under their lock, kept or let go.
#include <algorithm>

#include "engines/base/check.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

MetadataRef Transaction::reference(Buffer* buffer, bool keep) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  if (buffer->transaction_ == this) {  // joined before: one reference in the cache is enough
    volume_.cache.put(buffer);
    const auto found = std::find_if(buffers_.begin(), buffers_.end(), [&](const Joined& j) { return j.buffer == buffer; });
    ++found->references;
    found->keep |= keep;
  } else {
    buffer->mutex_.lock();
    buffer->transaction_ = this;
    buffers_.push_back({buffer, 1, keep});
  }
  return {buffer, &Transaction::release};
}

void Transaction::release(MetadataBytes* bytes) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  auto* const buffer = static_cast<Buffer*>(bytes);
  Transaction* const transaction = buffer->transaction_;
  DAXLAB_CHECK(transaction != nullptr);
  auto& buffers = transaction->buffers_;
  const auto found = std::find_if(buffers.begin(), buffers.end(), [&](const Joined& j) { return j.buffer == buffer; });
  if (--found->references != 0 || found->keep) return;
  DAXLAB_CHECK(!buffer->logged_);  // changed, though asked for to read
  buffers.erase(found);
  buffer->transaction_ = nullptr;
  buffer->mutex_.unlock();
  transaction->volume_.cache.put(buffer);
}

Result<MetadataRef> Transaction::read(const BufferName& name, bool write) {
  DAXLAB_ASSIGN(Buffer* const buffer, volume_.cache.get(name));
  if (write) dirty_ = true;
  return reference(buffer, write);
}

Result<MetadataRef> Transaction::create(const BufferName& name) {
  DAXLAB_ASSIGN(Buffer* const buffer, volume_.cache.create(name));
  dirty_ = true;
  MetadataRef joined = reference(buffer, true);
  buffer->write_header();
  return joined;
}

Result<void> Transaction::invalidate(const BufferName& name) {
  DAXLAB_ASSIGN(Buffer* const buffer, volume_.cache.get(name));
  dirty_ = true;
  { const MetadataRef joined = reference(buffer, true); }
  buffer->cancel();
  volume_.cache.forget(buffer);
  return {};
}

}  // namespace daxlab::xfslike
