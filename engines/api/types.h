// The vocabulary of a file system, shared by engines, workloads and the FUSE bridge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace daxlab {

using InodeId = uint64_t;  ///< Never 0; the root's is the engine's choice. Not reused while anyone holds a reference.

inline constexpr size_t kNameBytesMax = 255;
inline constexpr size_t kSymlinkBytesMax = 4095;

enum class NodeKind : uint8_t { kFile = 1, kDirectory, kSymlink, kFifo, kSocket, kCharDevice, kBlockDevice };

/// Who asks: owner of what is created. Permission checks are the caller's business (FUSE: default_permissions).
struct Caller {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t umask = 0;
};

struct Attributes {
  InodeId ino = 0;
  NodeKind kind = NodeKind::kFile;
  uint32_t mode = 0;        ///< Permission bits, setuid, setgid, sticky: 07777.
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t links = 0;
  uint64_t size_bytes = 0;
  uint64_t allocated_bytes = 0;
  uint64_t device = 0;      ///< Of a device node.
  uint64_t atime_ns = 0;    ///< Since 1970. Engines may leave atime as set (noatime).
  uint64_t mtime_ns = 0;
  uint64_t ctime_ns = 0;
};

/// What to change; absent fields stay. Truncation is size_bytes. All of it happens or none.
struct SetAttributes {
  std::optional<uint64_t> size_bytes = {};
  std::optional<uint32_t> mode = {};
  std::optional<uint32_t> uid = {};
  std::optional<uint32_t> gid = {};
  std::optional<uint64_t> atime_ns = {};
  std::optional<uint64_t> mtime_ns = {};
};

/// Of File::open.
struct OpenFlags {
  bool read = true;
  bool write = true;
  bool truncate = false;
};

enum class FallocateMode : uint8_t {
  kAllocate,   ///< Allocate and extend the size.
  kKeepSize,   ///< Allocate, size unchanged.
  kPunchHole,  ///< Deallocate, size unchanged; reads give zeroes.
  kZeroRange,  ///< Reads give zeroes afterwards, blocks stay allocated; extends the size.
};

enum class SeekWhat : uint8_t { kData, kHole };

enum class RenameFlags : uint32_t { kNone = 0, kNoReplace = 1 };  ///< Linux's RENAME_NOREPLACE; any other bit is kInvalid.

/// One name in a directory. `cookie` resumes a listing *after* this entry and stays valid while other names come and go.
/// "." is not listed, nor is "..".
struct DirectoryEntry {
  std::string_view name;
  InodeId ino;
  NodeKind kind;
  uint64_t cookie;
};

struct FsStats {
  uint64_t blocks_total = 0;
  uint64_t blocks_free = 0;
  uint64_t inodes_total = 0;
  uint64_t inodes_free = 0;
};

/// What Engine::check() found: empty means that every invariant holds.
struct CheckReport {
  std::vector<std::string> findings;
  uint64_t inodes = 0;
  uint64_t blocks_used = 0;
  bool clean() const { return findings.empty(); }
};

}  // namespace daxlab
