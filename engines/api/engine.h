// What a design under test must do: Engine, Directory, File, Mapping.
//
// This is all that workloads, the harness and the suites may know of an engine. The hot path names nothing:
// operations go through an open File or Directory with one virtual call. Errors are POSIX's (errors.def maps each to its errno).
//
// Threads: every method of every class may be called from any thread at any time, except destruction of the object itself.
// Lifetime: a File, Directory or Mapping must be destroyed before its Engine; an Engine borrows its pmem::Region.
// Durability: Traits says when a change is durable. A crash is simulated on the Region, never by an Engine's destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engines/api/types.h"
#include "engines/base/result.h"

namespace daxlab {

/// A file's bytes in the address space, as mmap(MAP_SHARED): loads and stores go straight to the medium, faults to the engine.
/// An access beyond the end of the file raises SIGBUS, as on a kernel. Destruction unmaps.
class Mapping {
 public:
  virtual ~Mapping() = default;
  /// Where the mapping lies; null under the software MMU, which has no page tables: then only load() and store() reach the bytes.
  virtual std::byte* data() = 0;
  virtual uint64_t size_bytes() const = 0;
  /// Copies from or to the mapping, faulting as loads and stores through data() would; offsets from the mapping's start.
  /// kInvalid where an access would raise SIGBUS (software MMU only).
  virtual Result<void> load(uint64_t offset, std::span<std::byte> out) = 0;
  virtual Result<void> store(uint64_t offset, std::span<const std::byte> data) = 0;
  /// msync(MS_SYNC) of [offset, offset + size): makes stores through this mapping durable.
  virtual Result<void> sync(uint64_t offset, uint64_t size_bytes) = 0;
};

class File {
 public:
  virtual ~File() = default;  ///< Closes. The last close of an unlinked file frees it.

  virtual InodeId ino() const = 0;
  /// Bytes read: fewer than asked for only at the end of the file; 0 at or beyond it. kBadHandle if not open for reading.
  virtual Result<size_t> read(uint64_t offset, std::span<std::byte> out) = 0;
  /// Bytes written: all or an error (kNoSpace, kFileTooBig; then nothing is changed). A write of 0 bytes does nothing.
  virtual Result<size_t> write(uint64_t offset, std::span<const std::byte> data) = 0;
  /// Writes at the end of the file, atomically among appenders; returns the offset at which the data went.
  virtual Result<uint64_t> append(std::span<const std::byte> data) = 0;
  virtual Result<void> fallocate(FallocateMode mode, uint64_t offset, uint64_t size_bytes) = 0;
  /// The first offset >= `offset` of data or a hole; kNoData beyond the end. There is a hole at the end of every file.
  virtual Result<uint64_t> seek(uint64_t offset, SeekWhat what) = 0;
  virtual Result<void> fsync() = 0;
  virtual Result<void> fdatasync() = 0;
  virtual Result<Attributes> getattr() = 0;
  /// kBadHandle for a size if not open for writing.
  virtual Result<Attributes> setattr(const SetAttributes& changes) = 0;
  /// Maps [offset, offset + size_bytes), offset on a page boundary (kInvalid); `writable` needs the file open for writing (kBadHandle).
  /// kNotSupported without the mappable trait.
  virtual Result<std::unique_ptr<Mapping>> map(uint64_t offset, uint64_t size_bytes, bool writable) = 0;
};

/// A file that was created and opened in one step; its look-up reference is held until forget().
struct CreatedFile {
  Attributes attributes;
  std::unique_ptr<File> file;
};

class Directory {
 public:
  virtual ~Directory() = default;

  virtual InodeId ino() const = 0;

  // Names are 1 to 255 bytes without '/' and NUL (kInvalid otherwise, kNameTooLong when longer). "." and ".." are not names here:
  // path walks resolve them. Look-ups and creations that return Attributes take one reference on the inode, released by
  // Engine::forget; an inode with references keeps its number though its last name be gone.

  virtual Result<Attributes> lookup(std::string_view name) = 0;
  /// Attributes of a name without a reference: fstatat().
  virtual Result<Attributes> stat(std::string_view name) = 0;
  /// O_CREAT | O_EXCL, open for reading and writing. mode & ~umask; group and setgid inherited from a setgid directory.
  virtual Result<CreatedFile> create(std::string_view name, uint32_t mode, const Caller& caller) = 0;
  virtual Result<Attributes> mkdir(std::string_view name, uint32_t mode, const Caller& caller) = 0;
  virtual Result<Attributes> mknod(std::string_view name, NodeKind kind, uint32_t mode, uint64_t device, const Caller& caller) = 0;
  virtual Result<Attributes> symlink(std::string_view name, std::string_view target, const Caller& caller) = 0;
  /// A further name for `target`, which is no directory (kPermission) and still has a name (kNotFound).
  virtual Result<Attributes> link(std::string_view name, InodeId target) = 0;
  virtual Result<void> unlink(std::string_view name) = 0;  ///< kIsDirectory for a directory.
  virtual Result<void> rmdir(std::string_view name) = 0;
  /// rename(2): replaces what is there, all or nothing across a crash. kInvalid for a directory into its own subtree and for flags
  /// other than kNoReplace. `to` is a Directory of the same engine.
  virtual Result<void> rename(std::string_view from_name, Directory& to, std::string_view to_name, RenameFlags flags) = 0;

  /// Return false to stop the listing.
  using Visitor = std::function<bool(const DirectoryEntry&)>;
  /// Lists from `cookie` (0: from the start). Names present all the time are listed exactly once. The visitor must not call into the engine.
  virtual Result<void> readdir(uint64_t cookie, const Visitor& visit) = 0;

  virtual Result<Attributes> getattr() = 0;
  virtual Result<Attributes> setattr(const SetAttributes& changes) = 0;
  virtual Result<void> fsync() = 0;  ///< Names, and what they name, are durable on return.
};

class Engine {
 public:
  virtual ~Engine() = default;  ///< Without unmount() first, leaves the medium as a crash would.

  virtual InodeId root() const = 0;
  virtual Result<std::unique_ptr<File>> open(InodeId ino, OpenFlags flags) = 0;  ///< kIsDirectory, kStale; kLoop for a symlink.
  virtual Result<std::unique_ptr<Directory>> open_directory(InodeId ino) = 0;
  virtual Result<Attributes> getattr(InodeId ino) = 0;
  virtual Result<Attributes> setattr(InodeId ino, const SetAttributes& changes) = 0;
  virtual Result<std::string> readlink(InodeId ino) = 0;
  /// The parent of a directory: what ".." means; the root's is itself.
  virtual Result<InodeId> parent(InodeId directory) = 0;
  virtual void forget(InodeId ino, uint64_t references) = 0;
  virtual Result<FsStats> statfs() = 0;
  /// Makes everything durable: syncfs().
  virtual Result<void> sync() = 0;
  /// Proves every invariant of the engine's DESIGN.md that can be proved while mounted and idle. kNotSupported without the trait.
  virtual Result<CheckReport> check() = 0;
  /// Bytes of DRAM held for caches and indexes now.
  virtual uint64_t dram_bytes() const = 0;
  /// Clean unmount. kBusy while files, directories or mappings are open: nothing changed. After success only destruction is allowed.
  virtual Result<void> unmount() = 0;
};

}  // namespace daxlab
