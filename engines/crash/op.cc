#include "engines/crash/op.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "engines/api/path.h"
#include "engines/base/random.h"
#include "engines/base/units.h"

namespace daxlab::crash {

namespace {

constexpr std::array<const char*, kOpKindCount> kNames = {
    "create",    "mkdir",           "symlink",   "link",       "unlink",     "rmdir",   "rename",       "write", "append",
    "truncate",  "allocate",        "keep-size", "punch-hole", "zero-range", "setattr", "mapped-store", "msync", "fsync",
    "fdatasync", "fsync-directory", "sync",      "hold-open",  "close-held"};

bool takes_other(OpKind kind) { return kind == OpKind::kSymlink || kind == OpKind::kLink || kind == OpKind::kRename; }

bool takes_range(OpKind kind) {
  switch (kind) {
    case OpKind::kWrite:
    case OpKind::kAppend:
    case OpKind::kTruncate:
    case OpKind::kAllocate:
    case OpKind::kKeepSize:
    case OpKind::kPunchHole:
    case OpKind::kZeroRange:
    case OpKind::kSetattr:
    case OpKind::kMappedStore:
    case OpKind::kMsync:
      return true;
    default:
      return false;
  }
}

Result<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error(Errc::kUsage, fmt::format("'{}' is not a number", text));
  }
  return value;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + separator.size());
  }
}

}  // namespace

const char* name(OpKind kind) { return kNames[static_cast<size_t>(kind)]; }

std::string Op::to_string() const {
  std::string text = fmt::format("{} {}", name(kind), path);
  if (takes_other(kind)) text += " " + other;
  if (takes_range(kind)) text += fmt::format(" {}+{}@{}", offset, size_bytes, content);
  return text;
}

Result<Op> parse_op(std::string_view text) {
  const auto words = split(text, " ");
  Op op;
  bool known = false;
  for (size_t i = 0; i < kOpKindCount; ++i) {
    if (words[0] == kNames[i]) {
      op.kind = static_cast<OpKind>(i);
      known = true;
    }
  }
  const size_t expected = 2 + (takes_other(op.kind) ? 1u : 0u) + (takes_range(op.kind) ? 1u : 0u);
  if (!known || words.size() != expected) return Error(Errc::kUsage, fmt::format("'{}' is no operation", text));
  op.path = words[1];
  if (takes_other(op.kind)) op.other = words[2];
  if (takes_range(op.kind)) {
    const auto range = split(words.back(), "+");
    if (range.size() != 2) return Error(Errc::kUsage, fmt::format("'{}' is no offset+size@content", words.back()));
    const auto rest = split(range[1], "@");
    if (rest.size() != 2) return Error(Errc::kUsage, fmt::format("'{}' is no offset+size@content", words.back()));
    DAXLAB_ASSIGN(op.offset, parse_number(range[0]));
    DAXLAB_ASSIGN(op.size_bytes, parse_number(rest[0]));
    DAXLAB_ASSIGN(op.content, parse_number(rest[1]));
  }
  return op;
}

std::string to_string(const std::vector<Op>& ops) {
  std::string text;
  for (const Op& op : ops) text += (text.empty() ? "" : "; ") + op.to_string();
  return text;
}

Result<std::vector<Op>> parse_ops(std::string_view text) {
  std::vector<Op> ops;
  if (text.empty()) return ops;
  for (const std::string_view part : split(text, "; ")) {
    DAXLAB_ASSIGN(Op op, parse_op(part));
    ops.push_back(std::move(op));
  }
  return ops;
}

void fill_content(uint64_t seed, uint64_t offset, std::span<std::byte> out) {
  for (size_t i = 0; i < out.size();) {
    const uint64_t at = offset + i;
    const uint64_t word = Random::mix(seed, at / 8) | 0x0101010101010101u;  // no zero byte: zeroes are holes
    const size_t width = std::min<size_t>(8 - at % 8, out.size() - i);
    std::memcpy(&out[i], reinterpret_cast<const std::byte*>(&word) + at % 8, width);
    i += width;
  }
}

namespace {

/// The inode at a path, symlinks not followed, with a look-up reference while this lives: what stands above a kernel (engines/posix) knows an
/// inode no longer.
class Referenced {
 public:
  static Result<Referenced> find(Engine& engine, const std::string& path) {
    if (path == "/") return Referenced(engine, engine.root(), 0);
    DAXLAB_ASSIGN(auto parent, open_parent(engine, path));
    DAXLAB_ASSIGN(const Attributes found, parent.first->lookup(parent.second));
    return Referenced(engine, found.ino, 1);
  }
  ~Referenced() {
    if (references_ != 0) engine_->forget(ino_, references_);
  }
  Referenced(Referenced&& other) noexcept
      : engine_(other.engine_), ino_(other.ino_), references_(std::exchange(other.references_, 0)) {}
  Referenced& operator=(Referenced&&) = delete;
  InodeId ino() const { return ino_; }

 private:
  Referenced(Engine& engine, InodeId ino, uint64_t references) : engine_(&engine), ino_(ino), references_(references) {}
  Engine* engine_;
  InodeId ino_;
  uint64_t references_;
};

Result<void> apply_name(Engine& engine, const Op& op) {
  constexpr uint32_t kFileMode = 0644;
  constexpr uint32_t kDirectoryMode = 0755;
  DAXLAB_ASSIGN(auto parent, open_parent(engine, op.path));
  auto& [directory, leaf] = parent;
  switch (op.kind) {
    case OpKind::kCreate: {
      DAXLAB_ASSIGN(CreatedFile created, directory->create(leaf, kFileMode, Caller{}));
      created.file.reset();
      engine.forget(created.attributes.ino, 1);
      return {};
    }
    case OpKind::kMkdir: {
      DAXLAB_ASSIGN(const Attributes made, directory->mkdir(leaf, kDirectoryMode, Caller{}));
      engine.forget(made.ino, 1);
      return {};
    }
    case OpKind::kSymlink: {
      DAXLAB_ASSIGN(const Attributes made, directory->symlink(leaf, op.other, Caller{}));
      engine.forget(made.ino, 1);
      return {};
    }
    case OpKind::kLink: {
      DAXLAB_ASSIGN(const Referenced target, Referenced::find(engine, op.path));
      DAXLAB_ASSIGN(auto to, open_parent(engine, op.other));
      DAXLAB_ASSIGN(const Attributes linked, to.first->link(to.second, target.ino()));
      engine.forget(linked.ino, 1);
      return {};
    }
    case OpKind::kUnlink:
      return directory->unlink(leaf);
    case OpKind::kRmdir:
      return directory->rmdir(leaf);
    default: {
      DAXLAB_ASSIGN(auto to, open_parent(engine, op.other));
      return directory->rename(leaf, *to.first, to.second, RenameFlags::kNone);
    }
  }
}

Result<void> apply_mapped(File& file, const Op& op) {
  const uint64_t begin = align_down(op.offset, kBlockBytes);
  const uint64_t end = align_up(op.offset + op.size_bytes, kBlockBytes);
  DAXLAB_ASSIGN(auto mapping, file.map(begin, end - begin, true));
  if (op.kind == OpKind::kMsync) return mapping->sync(0, end - begin);
  std::vector<std::byte> bytes(op.size_bytes);
  fill_content(op.content, op.offset, bytes);
  return mapping->store(op.offset - begin, bytes);
}

Result<void> apply_file(File& file, const Op& op) {
  std::vector<std::byte> bytes;
  switch (op.kind) {
    case OpKind::kWrite:
    case OpKind::kAppend: {
      bytes.resize(op.size_bytes);
      fill_content(op.content, op.offset, bytes);
      if (op.kind == OpKind::kAppend) {
        const auto appended = file.append(bytes);
        return appended.ok() ? Result<void>() : Result<void>(appended.error());
      }
      const auto written = file.write(op.offset, bytes);
      return written.ok() ? Result<void>() : Result<void>(written.error());
    }
    case OpKind::kAllocate:
      return file.fallocate(FallocateMode::kAllocate, op.offset, op.size_bytes);
    case OpKind::kKeepSize:
      return file.fallocate(FallocateMode::kKeepSize, op.offset, op.size_bytes);
    case OpKind::kPunchHole:
      return file.fallocate(FallocateMode::kPunchHole, op.offset, op.size_bytes);
    case OpKind::kZeroRange:
      return file.fallocate(FallocateMode::kZeroRange, op.offset, op.size_bytes);
    case OpKind::kFsync:
      return file.fsync();
    case OpKind::kFdatasync:
      return file.fdatasync();
    default:
      return apply_mapped(file, op);
  }
}

Result<void> apply_attributes(Engine& engine, const Op& op) {
  DAXLAB_ASSIGN(const Referenced node, Referenced::find(engine, op.path));
  SetAttributes changes;
  if (op.kind == OpKind::kTruncate) {
    changes.size_bytes = op.offset;
  } else {
    changes.mode = static_cast<uint32_t>(op.offset);
    changes.uid = static_cast<uint32_t>(op.size_bytes);
    changes.gid = static_cast<uint32_t>(op.content);
  }
  const auto changed = engine.setattr(node.ino(), changes);
  return changed.ok() ? Result<void>() : Result<void>(changed.error());
}

}  // namespace

Result<void> apply(Engine& engine, HeldFiles& held, const Op& op) {
  switch (op.kind) {
    case OpKind::kCreate:
    case OpKind::kMkdir:
    case OpKind::kSymlink:
    case OpKind::kLink:
    case OpKind::kUnlink:
    case OpKind::kRmdir:
    case OpKind::kRename:
      return apply_name(engine, op);
    case OpKind::kTruncate:
    case OpKind::kSetattr:
      return apply_attributes(engine, op);
    case OpKind::kFsyncDirectory: {
      DAXLAB_ASSIGN(auto directory, open_directory_path(engine, op.path));
      return directory->fsync();
    }
    case OpKind::kSync:
      return engine.sync();
    case OpKind::kHoldOpen: {
      DAXLAB_ASSIGN(held.by_path[op.path], open_path(engine, op.path));
      return {};
    }
    case OpKind::kCloseHeld:
      if (held.by_path.erase(op.path) == 0) return Error(Errc::kBadHandle, "not held open: " + op.path);
      return {};
    default: {
      DAXLAB_ASSIGN(auto file, open_path(engine, op.path));
      return apply_file(*file, op);
    }
  }
}

}  // namespace daxlab::crash
