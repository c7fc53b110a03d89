#include "engines/pmem/in_flight.h"

#include <algorithm>
#include <cstring>

#include "engines/base/check.h"

namespace daxlab::pmem::detail {

void Line::fence(uint32_t thread) {
  size_t covered = 0;
  for (const Mark& mark : marks_) {
    if (mark.thread == thread) covered = std::max(covered, mark.store_count);
  }
  for (size_t i = 0; i < stores.size(); ++i) {
    LineStore& store = stores[i];
    if (store.streamed ? store.thread == thread : i < covered) store.durable = true;
  }
  std::erase_if(marks_, [&](const Mark& mark) { return mark.thread == thread; });
}

size_t Line::settled() const {
  const auto first = std::find_if(stores.begin(), stores.end(), [](const LineStore& store) { return !store.durable; });
  return static_cast<size_t>(first - stores.begin());
}

void Line::drop(size_t store_count) {
  stores.erase(stores.begin(), stores.begin() + static_cast<std::ptrdiff_t>(store_count));
  for (Mark& mark : marks_) mark.store_count -= std::min(mark.store_count, store_count);
}

uint32_t Line::cached_count() const {
  return static_cast<uint32_t>(
      std::count_if(stores.begin(), stores.end(), [](const LineStore& store) { return !store.streamed && !store.durable; }));
}

uint8_t Line::stream_words() const {
  uint8_t words = 0;
  for (const LineStore& store : stores) {
    if (store.streamed && !store.durable) words = static_cast<uint8_t>(words | store.words());
  }
  return words;
}

bool Line::holds_back() const {
  return std::any_of(stores.begin(), stores.end(), [](const LineStore& store) { return store.durable; });
}

void Line::apply(const Trace& trace, const LineChoice& choice, LineBytes& bytes) const {
  uint32_t cached_seen = 0;
  for (const LineStore& store : stores) {
    uint8_t words = 0xff;
    if (!store.durable) {
      if (store.streamed) {
        words = choice.stream_words;
      } else {
        words = cached_seen < choice.full ? 0xff : (cached_seen == choice.full ? choice.next_words : 0);
        ++cached_seen;
      }
    }
    const std::byte* const data = trace.data.data() + store.data_at;
    if (words == 0xff) {
      std::memcpy(bytes.data() + store.begin, data, static_cast<size_t>(store.end - store.begin));
      continue;
    }
    for (size_t at = store.begin; at < store.end; ++at) {
      if ((words >> (at / 8) & 1) != 0) bytes[at] = data[at - store.begin];
    }
  }
}

InFlight::InFlight(const Trace& trace, CrashModel model, std::span<std::byte> base, std::span<std::byte> region)
    : trace_(trace), model_(model), base_(base), region_(region) {
  DAXLAB_CHECK(base.size() == region.size() && base.size() % kCacheLineBytes == 0);
  for (const Event& event : trace.events) {
    if (event.kind != Event::Kind::kStore && event.kind != Event::Kind::kStream) continue;
    DAXLAB_CHECK(event.offset_bytes + event.size_bytes <= base.size());
    std::memcpy(region.data() + event.offset_bytes, base.data() + event.offset_bytes, event.size_bytes);
  }
}

bool InFlight::is_point_before(const Event& event) const { return event.kind == Event::Kind::kFence; }

bool InFlight::is_point_after(const Event& event) const {
  if (event.kind == Event::Kind::kOpEnd) return true;
  return model_ == CrashModel::kEadr && (event.kind == Event::Kind::kStore || event.kind == Event::Kind::kStream);
}

bool InFlight::advance() {
  const auto found = [&] {
    point_ = begun_ ? point_ + 1 : 0;
    begun_ = true;
    return true;
  };
  while (event_ < trace_.events.size()) {
    const Event& event = trace_.events[event_];
    if (is_point_before(event) && !before_done_) {
      before_done_ = true;
      return found();
    }
    before_done_ = false;
    take(event);
    ++event_;
    if (is_point_after(event)) return found();
  }
  // The end of the trace is a point of its own unless an event just made it one.
  const bool given = event_ > trace_.events.size() || (!trace_.events.empty() && is_point_after(trace_.events.back()));
  event_ = trace_.events.size() + 1;
  if (given) return false;
  return found();
}

void InFlight::rewind() {
  for (const auto& [line, bytes] : first_bytes_) {
    std::memcpy(base_.data() + line * kCacheLineBytes, bytes.data(), kCacheLineBytes);
    std::memcpy(region_.data() + line * kCacheLineBytes, bytes.data(), kCacheLineBytes);
  }
  first_bytes_.clear();
  lines_.clear();
  running_.clear();
  finished_.clear();
  digest_ = 0;
  point_ = 0;
  event_ = 0;
  begun_ = false;
  before_done_ = false;
}

void InFlight::take(const Event& event) {
  switch (event.kind) {
    case Event::Kind::kStore:
    case Event::Kind::kStream:
      return take_store(event);
    case Event::Kind::kFlush: {
      const uint64_t end = event.offset_bytes + event.size_bytes;
      auto line = lines_.lower_bound(event.offset_bytes / kCacheLineBytes);
      for (; line != lines_.end() && line->first * kCacheLineBytes < end; ++line) line->second.flush(event.thread);
      return;
    }
    case Event::Kind::kFence:
      return take_fence(event.thread);
    case Event::Kind::kOpBegin:
      running_.push_back(event.offset_bytes);
      return;
    case Event::Kind::kOpEnd:
      std::erase(running_, event.offset_bytes);
      finished_.push_back(event.offset_bytes);
      return;
    case Event::Kind::kLoad:
      return;
  }
}

void InFlight::take_store(const Event& event) {
  const bool streamed = event.kind == Event::Kind::kStream;
  uint64_t at = event.offset_bytes;
  const uint64_t end = at + event.size_bytes;
  while (at < end) {
    const uint64_t number = at / kCacheLineBytes;
    const uint64_t line_begin = number * kCacheLineBytes;
    const uint64_t stop = std::min(end, line_begin + kCacheLineBytes);
    const auto line = lines_.try_emplace(number).first;
    line->second.stores.push_back({event.data_at + (at - event.offset_bytes), static_cast<uint8_t>(at - line_begin),
                                   static_cast<uint8_t>(stop - line_begin), streamed, model_ == CrashModel::kEadr && !streamed,
                                   event.thread});
    settle(line);
    at = stop;
  }
}

void InFlight::take_fence(uint32_t thread) {
  for (auto line = lines_.begin(); line != lines_.end();) {
    const auto here = line++;
    here->second.fence(thread);
    settle(here);
  }
}

void InFlight::settle(std::map<uint64_t, Line>::iterator line) {
  const size_t settled = line->second.settled();
  if (settled == 0) return;
  LineBytes bytes = base_line(line->first);
  Line durable;
  durable.stores.assign(line->second.stores.begin(), line->second.stores.begin() + static_cast<std::ptrdiff_t>(settled));
  durable.apply(trace_, kNothing, bytes);
  change_base(line->first, bytes);
  line->second.drop(settled);
  if (line->second.stores.empty()) lines_.erase(line);
}

std::vector<std::pair<uint64_t, LineBytes>> InFlight::stored_lines(std::span<const std::byte> bytes) const {
  std::map<uint64_t, LineBytes> found;
  for (const Event& event : trace_.events) {
    if (event.kind != Event::Kind::kStore && event.kind != Event::Kind::kStream) continue;
    const uint64_t last = (event.offset_bytes + event.size_bytes - 1) / kCacheLineBytes;
    for (uint64_t line = event.offset_bytes / kCacheLineBytes; line <= last; ++line) {
      std::memcpy(found[line].data(), bytes.data() + line * kCacheLineBytes, kCacheLineBytes);
    }
  }
  return {found.begin(), found.end()};
}

LineBytes InFlight::base_line(uint64_t line) const {
  LineBytes bytes;
  std::memcpy(bytes.data(), base_.data() + line * kCacheLineBytes, kCacheLineBytes);
  return bytes;
}

void InFlight::change_base(uint64_t line, const LineBytes& bytes) {
  const LineBytes before = base_line(line);
  first_bytes_.try_emplace(line, before);
  digest_ ^= hash(line, before) ^ hash(line, bytes);
  std::memcpy(base_.data() + line * kCacheLineBytes, bytes.data(), kCacheLineBytes);
  std::memcpy(region_.data() + line * kCacheLineBytes, bytes.data(), kCacheLineBytes);
}

uint64_t InFlight::hash(uint64_t line, const LineBytes& bytes) {
  // Multiply and fold by words, as the family of wyhash does; collisions only merge two images in a count.
  __extension__ using Wide = unsigned __int128;
  const auto fold = [](uint64_t a, uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t state = fold(line ^ 0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u);
  for (size_t at = 0; at < kCacheLineBytes; at += 16) {
    uint64_t words[2];
    std::memcpy(words, bytes.data() + at, sizeof words);
    state = fold(words[0] ^ state ^ 0x94d049bb133111ebu, words[1] ^ 0xd6e8feb86659fd93u) + state;
  }
  return fold(state ^ 0x2545f4914f6cdd1du, 0x9e3779b97f4a7c15u);
}

}  // namespace daxlab::pmem::detail
