// A directory of the kernel's file system as an Engine; see DESIGN.md for which call is which system call.
//
// Threads: as api/engine.h. Invariants:
//   1. Every open handle and look-up holds a reference on its Node; the root holds one for ever.
//   2. handles_ counts open files, directories and mappings: unmount() is kBusy until it is 0.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "engines/api/engine.h"
#include "engines/base/mutex.h"
#include "engines/posix/node.h"

namespace daxlab::posix {

class PosixEngine final : public Engine {
 public:
  /// Serves the directory at `path`; removes it at the end if `temporary`.
  static Result<std::unique_ptr<PosixEngine>> mount(std::string path, bool temporary);
  ~PosixEngine() override;

  InodeId root() const override { return root_->ino; }
  Result<std::unique_ptr<File>> open(InodeId ino, OpenFlags flags) override;
  Result<std::unique_ptr<Directory>> open_directory(InodeId ino) override;
  Result<Attributes> getattr(InodeId ino) override;
  Result<Attributes> setattr(InodeId ino, const SetAttributes& changes) override;
  Result<std::string> readlink(InodeId ino) override;
  Result<InodeId> parent(InodeId directory) override;
  void forget(InodeId ino, uint64_t references) override;
  Result<FsStats> statfs() override;
  Result<void> sync() override;
  Result<CheckReport> check() override { return Errc::kNotSupported; }
  uint64_t dram_bytes() const override;
  Result<void> unmount() override;

  // --- for File, Directory and Mapping
  NodeTable& nodes() { return nodes_; }
  void handle_opened() { handles_.fetch_add(1, std::memory_order_relaxed); }
  void handle_closed() { handles_.fetch_sub(1, std::memory_order_relaxed); }
  void handle_closed(Node* node) {
    nodes_.release(node->ino, 1);
    handle_closed();
  }
  /// A reference on the inode that `fd` (O_PATH) opened, and its attributes. kCrossDevice below another mount.
  Result<Attributes> refer(Fd fd);

 private:
  PosixEngine(std::string path, bool temporary) : path_(std::move(path)), temporary_(temporary) {}

  const std::string path_;
  const bool temporary_;
  NodeTable nodes_;
  Node* root_ = nullptr;
  dev_t device_ = 0;
  std::atomic<uint64_t> handles_{0};

  // parent() gives no reference, yet its answer must be usable: the last few stay referenced.
  Mutex parents_mutex_;
  std::array<InodeId, 64> parents_ DAXLAB_GUARDED_BY(parents_mutex_){};
  size_t parents_next_ DAXLAB_GUARDED_BY(parents_mutex_) = 0;
};

}  // namespace daxlab::posix
