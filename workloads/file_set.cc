#include "workloads/file_set.h"

#include <fmt/core.h>

#include <algorithm>

#include "engines/base/units.h"

namespace daxlab {
namespace {
constexpr uint64_t kChunkBytes = 256 * kKiB;  // of untimed reads and writes: large enough that calls do not matter

uint64_t blocks_per_chunk(const Content& content) { return std::max<uint64_t>(1, kChunkBytes / content.block_bytes()); }
}  // namespace

Result<void> FileSet::create(const WorkloadContext& context, const Content& content, uint64_t blocks_per_thread, bool shared,
                             bool filled) {
  shared_ = shared;
  blocks_per_thread_ = blocks_per_thread;
  blocks_per_file_ = shared ? blocks_per_thread * context.threads : blocks_per_thread;
  const uint64_t files = shared ? 1 : context.threads;
  DAXLAB_ASSIGN(auto root, context.engine.open_directory(context.engine.root()));
  for (uint64_t i = 0; i < files; ++i) {
    DAXLAB_ASSIGN(auto created, root->create(fmt::format("data{}", i), 0644, Caller{}));
    inodes_.push_back(created.attributes.ino);
    if (!filled) continue;
    DAXLAB_TRY(fill_part(*created.file, content, {i, 0, blocks_per_file_}));
    DAXLAB_TRY(created.file->fsync());
  }
  return root->fsync();
}

FilePart FileSet::part(uint32_t thread) const {
  if (shared_) return {0, thread * blocks_per_thread_, blocks_per_thread_};
  return {thread, 0, blocks_per_thread_};
}

Result<std::unique_ptr<File>> FileSet::open(Engine& engine, uint64_t file, OpenFlags flags) const {
  DAXLAB_CHECK(file < inodes_.size());
  return engine.open(inodes_[file], flags);
}

Result<void> truncate(File& file, uint64_t size_bytes) {
  SetAttributes changes;
  changes.size_bytes = size_bytes;
  DAXLAB_TRY(file.setattr(changes));
  return {};
}

Result<void> fill_part(File& file, const Content& content, const FilePart& part) {
  const uint64_t block_bytes = content.block_bytes();
  AlignedBuffer chunk(blocks_per_chunk(content) * block_bytes);
  const uint64_t end = part.first_block + part.block_count;
  for (uint64_t first = part.first_block; first < end; first += blocks_per_chunk(content)) {
    const uint64_t blocks = std::min(blocks_per_chunk(content), end - first);
    for (uint64_t i = 0; i < blocks; ++i) content.write_block(part.file, first + i, 0, chunk.data() + i * block_bytes);
    DAXLAB_ASSIGN(const size_t written, file.write(first * block_bytes, chunk.span().first(blocks * block_bytes)));
    if (written != blocks * block_bytes) return Error(Errc::kIo, fmt::format("file {}: a short write", part.file));
  }
  return {};
}

Result<void> check_part(File& file, const Content& content, const FilePart& part, std::span<const uint64_t> versions) {
  DAXLAB_CHECK(versions.size() == part.block_count);
  const uint64_t block_bytes = content.block_bytes();
  AlignedBuffer chunk(blocks_per_chunk(content) * block_bytes);
  for (uint64_t done = 0; done < part.block_count; done += blocks_per_chunk(content)) {
    const uint64_t first = part.first_block + done;
    const uint64_t blocks = std::min(blocks_per_chunk(content), part.block_count - done);
    DAXLAB_ASSIGN(const size_t count, file.read(first * block_bytes, chunk.span().first(blocks * block_bytes)));
    const std::span<const std::byte> data = chunk.span().first(count);
    for (uint64_t i = 0; i < blocks; ++i) {
      const auto bytes = data.subspan(std::min(count, i * block_bytes));
      DAXLAB_TRY(
          content.check(part.file, first + i, versions[done + i], bytes.first(std::min<size_t>(bytes.size(), block_bytes))));
    }
  }
  return {};
}

Result<void> check_size(File& file, uint64_t number, uint64_t size_bytes) {
  DAXLAB_ASSIGN(const Attributes attributes, file.getattr());
  if (attributes.size_bytes == size_bytes) return {};
  return Error(Errc::kCorrupt, fmt::format("file {}: {} bytes long instead of {}", number, attributes.size_bytes, size_bytes));
}

}  // namespace daxlab
