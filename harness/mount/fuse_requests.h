// The request handlers of fuse_server.h: a table for libfuse, over a FuseContext as its user data. Internal.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <map>
#include <memory>

#include "engines/api/engine.h"
#include "engines/base/mutex.h"

namespace daxlab {

/// What the handlers share. The kernel calls the root 1; the engine's root may be any number, so the two are exchanged.
class FuseContext {
 public:
  explicit FuseContext(Engine& engine) : engine_(engine) {}
  ~FuseContext() { forget_all(); }

  Engine& engine() { return engine_; }
  InodeId to_engine(fuse_ino_t ino) const {
    return ino == FUSE_ROOT_ID ? engine_.root() : ino == engine_.root() ? FUSE_ROOT_ID : ino;
  }
  fuse_ino_t to_fuse(InodeId ino) const { return to_engine(ino); }  // an exchange is its own inverse

  /// References handed to the kernel, so that those it never gives back can be forgotten at the end.
  void remember(InodeId ino);
  void forget(InodeId ino, uint64_t references);

 private:
  void forget_all();
  Engine& engine_;
  Mutex mutex_;
  std::map<InodeId, uint64_t> references_ DAXLAB_GUARDED_BY(mutex_);
};

/// The handlers: names (fuse_names.cc), files (fuse_files.cc).
void add_name_requests(fuse_lowlevel_ops& table);
void add_file_requests(fuse_lowlevel_ops& table);

// Shared by the handlers.
FuseContext& context_of(fuse_req_t request);
Caller caller_of(fuse_req_t request);
struct stat to_stat(const FuseContext& context, const Attributes& attributes);
void reply(fuse_req_t request, const Result<void>& result);
void reply_error(fuse_req_t request, const Error& error);

/// Answers are cached by the kernel this long; every change goes through it, so staleness cannot be seen.
inline constexpr double kCacheSeconds = 3600;

}  // namespace daxlab
