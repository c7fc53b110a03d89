// The public interface over a mounted file system.
#pragma once

#include <memory>

#include "engines/api/engine.h"
#include "engines/xfslike/file_system.h"

namespace daxlab::xfslike {

std::unique_ptr<Engine> make_engine(std::unique_ptr<FileSystem> fs);
/// What is behind a mounted engine of the core: for tests, and for parts that report on themselves.
FileSystem& file_system_of(Engine& engine);

}  // namespace daxlab::xfslike
