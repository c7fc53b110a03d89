// Typed durability: a handle on an object on the medium that says, in its type, how far its last change has come.
//
//   Pm<Entry, Durable>  --store()-->  Pm<Entry, Dirty>  --flush()-->  Pm<Entry, Flushed>  --fence()-->  Pm<Entry, Durable>
//
// Only legal orders compile: a commit that must come after a body takes the body as Pm<Body, Durable>. For the few objects whose
// order matters; elsewhere a comment and the crash laboratory do. The idea is SquirrelFS's (LeBlanc et al., OSDI 2024).
//
// A handle is moved from step to step; the one that was moved from is spent. It owns nothing. Not thread-safe.
#pragma once

#include <tuple>
#include <type_traits>
#include <utility>

#include "engines/pmem/persist.h"

namespace daxlab::pmem {

struct Dirty {};    ///< Stored; may or may not survive a crash.
struct Flushed {};  ///< Written back; survives a crash after this thread's next fence.
struct Durable {};  ///< Survives.

template <typename T, typename State>
class [[nodiscard]] Pm {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  const T* operator->() const { return object_; }
  const T& operator*() const { return *object_; }

  /// Stores one field: `handle.store(&DirentDisk::kind, kind)`. From any state.
  template <typename Field, typename Value>
  Pm<T, Dirty> store(Field T::*field, const Value& value, Site site = {}) && {
    pmem::store(&(object_->*field), static_cast<const Field&>(value), site);
    return next<Dirty>();
  }
  /// Stores the whole object.
  Pm<T, Dirty> store(const T& value, Site site = {}) && {
    pmem::store(object_, value, site);
    return next<Dirty>();
  }
  /// The commit word, by one aligned store of 8 bytes.
  Pm<T, Dirty> commit(uint64_t T::*word, uint64_t value, Site site = {}) && {
    store_commit(&(object_->*word), value, site);
    return next<Dirty>();
  }
  Pm<T, Flushed> flush(Site site = {}) && requires std::is_same_v<State, Dirty> {
    pmem::flush(object_, sizeof(T), site);
    return next<Flushed>();
  }
  Pm<T, Durable> fence(Site site = {}) && requires std::is_same_v<State, Flushed> {
    pmem::fence(site);
    return next<Durable>();
  }

  /// What recovery or allocation found on the medium is durable.
  static Pm open(T* object) requires std::is_same_v<State, Durable> { return Pm(object); }

  Pm(Pm&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Pm& operator=(Pm&&) = delete;

 private:
  template <typename, typename>
  friend class Pm;
  friend struct FenceAll;

  explicit Pm(T* object) : object_(object) {}
  template <typename Next>
  Pm<T, Next> next() {
    DAXLAB_DCHECK(object_ != nullptr);
    return Pm<T, Next>(std::exchange(object_, nullptr));
  }

  T* object_;
};

/// One fence for two or three flushed handles: a tuple of durable ones.
struct FenceAll {
  template <typename A, typename B>
  static std::tuple<Pm<A, Durable>, Pm<B, Durable>> of(Pm<A, Flushed> a, Pm<B, Flushed> b, Site site = {}) {
    fence(site);
    return {a.template next<Durable>(), b.template next<Durable>()};
  }
  template <typename A, typename B, typename C>
  static std::tuple<Pm<A, Durable>, Pm<B, Durable>, Pm<C, Durable>> of(Pm<A, Flushed> a, Pm<B, Flushed> b, Pm<C, Flushed> c,
                                                                       Site site = {}) {
    fence(site);
    return {a.template next<Durable>(), b.template next<Durable>(), c.template next<Durable>()};
  }
};

}  // namespace daxlab::pmem
