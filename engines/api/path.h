// Walking paths over an Engine: for tests, tools and workloads' set-up, never inside a measured step.
//
// A path starts at the root, with or without a leading '/'; "." and ".." mean what they mean to a kernel, the root's ".." is the root.
// No look-up reference is left on return: what must stay addressable is opened (open_path) rather than resolved.
// Thread-safe as the engine is.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engines/api/engine.h"

namespace daxlab {

/// As kernels: more symlinks than this in one walk are a loop.
inline constexpr int kSymlinksFollowedMax = 40;

/// Attributes of "/a/b/c"; symlinks in the middle are followed, the last one if `follow`. kNotFound, kNotDirectory, kLoop.
Result<Attributes> resolve(Engine& engine, std::string_view path, bool follow = true);
Result<std::unique_ptr<File>> open_path(Engine& engine, std::string_view path, OpenFlags flags = {});
Result<std::unique_ptr<Directory>> open_directory_path(Engine& engine, std::string_view path);
/// The open parent directory of a path and its last component, which need not exist. kInvalid for the root, "." and "..".
Result<std::pair<std::unique_ptr<Directory>, std::string>> open_parent(Engine& engine, std::string_view path);

}  // namespace daxlab
