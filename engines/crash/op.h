// One operation of a crash workload, and how it is done to a mounted engine.
//
// A sequence of operations is what a suite explores: it runs on an engine under the recorder and on the model (tree.h) beside it.
// An Op is a value; its text form replays it ("write /A/foo 100+4096@7").
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engines/api/engine.h"
#include "engines/base/result.h"

namespace daxlab::crash {

enum class OpKind : uint8_t {
  kCreate,
  kMkdir,
  kSymlink,
  kLink,
  kUnlink,
  kRmdir,
  kRename,
  kWrite,
  kAppend,
  kTruncate,
  kAllocate,
  kKeepSize,
  kPunchHole,
  kZeroRange,
  kSetattr,
  kMappedStore,
  kMsync,
  kFsync,
  kFdatasync,
  kFsyncDirectory,
  kSync,
  kHoldOpen,
  kCloseHeld,
};
const char* name(OpKind kind);
inline constexpr size_t kOpKindCount = static_cast<size_t>(OpKind::kCloseHeld) + 1;

struct Op {
  OpKind kind = OpKind::kSync;
  std::string path{};   ///< What is done to, from the root: "/A/foo".
  std::string other{};  ///< Link and rename: the new name. Symlink: the target.
  uint64_t offset = 0;  ///< Of data; also the new size of kTruncate and the mode of kSetattr.
  uint64_t size_bytes = 0;
  uint64_t content = 0;  ///< Seed of what is written: every 8 aligned bytes of every write differ (fill_content).

  std::string to_string() const;
};

/// Parses what to_string() wrote. kUsage otherwise.
Result<Op> parse_op(std::string_view text);
/// A sequence, operations separated by "; ".
std::string to_string(const std::vector<Op>& ops);
Result<std::vector<Op>> parse_ops(std::string_view text);

/// The bytes that content `seed` has at [offset, offset + out.size()): no zero word, no two words alike.
void fill_content(uint64_t seed, uint64_t offset, std::span<std::byte> out);

/// Files held open by kHoldOpen, so that an unlinked file can outlive its name.
struct HeldFiles {
  std::map<std::string, std::unique_ptr<File>> by_path;
};

/// Does `op` to a mounted engine. kWrite and the like open, act and close. The error is the engine's.
Result<void> apply(Engine& engine, HeldFiles& held, const Op& op);

}  // namespace daxlab::crash
