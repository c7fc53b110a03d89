#include "engines/posix/file.h"

#include <sys/mman.h>
#include <sys/uio.h>

#include "engines/base/counters.h"
#include "engines/base/trace.h"
#include "engines/base/units.h"

namespace daxlab::posix {
namespace {

class PosixMapping final : public Mapping {
 public:
  PosixMapping(PosixEngine& engine, Node* node, std::byte* data, uint64_t size_bytes)
      : engine_(engine), node_(node), data_(data), size_bytes_(size_bytes) {
    engine_.handle_opened();
    DAXLAB_TRACE2(map_region, data_, size_bytes_);
  }
  ~PosixMapping() override {
    DAXLAB_TRACE1(unmap_region, data_);
    ::munmap(data_, size_bytes_);
    engine_.handle_closed(node_);
  }
  std::byte* data() override { return data_; }
  uint64_t size_bytes() const override { return size_bytes_; }
  Result<void> load(uint64_t offset, std::span<std::byte> out) override {
    if (!inside(offset, out.size())) return Errc::kInvalid;
    std::memcpy(out.data(), data_ + offset, out.size());
    return {};
  }
  Result<void> store(uint64_t offset, std::span<const std::byte> data) override {
    if (!inside(offset, data.size())) return Errc::kInvalid;
    std::memcpy(data_ + offset, data.data(), data.size());
    return {};
  }
  Result<void> sync(uint64_t offset, uint64_t size_bytes) override {
    if (!inside(offset, size_bytes)) return Errc::kInvalid;
    const uint64_t first = align_down(offset, kBlockBytes);
    return as_result(::msync(data_ + first, offset + size_bytes - first, MS_SYNC));
  }

 private:
  bool inside(uint64_t offset, uint64_t size_bytes) const { return offset <= size_bytes_ && size_bytes <= size_bytes_ - offset; }
  PosixEngine& engine_;
  Node* const node_;
  std::byte* const data_;
  const uint64_t size_bytes_;
};

/// Cuts off what a failed write at `begin` left behind, if nobody has written after it.
void take_back(int fd, uint64_t begin, uint64_t written) {
  const Result<Attributes> now = attributes_of(fd);
  if (written == 0 || !now.ok() || now->size_bytes != begin + written) return;
  (void)!::ftruncate(fd, static_cast<off_t>(begin));
}

}  // namespace

PosixFile::PosixFile(PosixEngine& engine, Node* node, Fd fd, bool writable)
    : engine_(engine),
      node_(node),
      own_fd_(std::move(fd)),
      fd_(own_fd_.valid() ? own_fd_.get() : node->fd.get()),
      writable_(writable) {
  engine_.handle_opened();
}

PosixFile::~PosixFile() { engine_.handle_closed(node_); }

Result<size_t> PosixFile::read(uint64_t offset, std::span<std::byte> out) {
  size_t done = 0;
  while (true) {
    const ssize_t got = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0) return last_error();
    done += static_cast<size_t>(got);
    constexpr ssize_t kAtMostPerCall = 0x7ffff000;  // Linux cuts longer requests (MAX_RW_COUNT)
    if (done == out.size() || got < kAtMostPerCall) return done;
  }
}

Result<size_t> PosixFile::write(uint64_t offset, std::span<const std::byte> data) {
  count(Counter::writes);
  count(Counter::logical_bytes, data.size());
  size_t done = 0;
  do {
    const ssize_t put = ::pwrite(fd_, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
    if (put < 0) return last_error();
    done += static_cast<size_t>(put);
  } while (done < data.size());
  return done;
}

Result<uint64_t> PosixFile::append(std::span<const std::byte> data) {
  if (!writable_) return Errc::kBadHandle;
  count(Counter::writes);
  count(Counter::logical_bytes, data.size());
  if (!position_in_use_.exchange(true, std::memory_order_acquire)) {
    const Result<uint64_t> offset = append_at_position(fd_, data);
    position_in_use_.store(false, std::memory_order_release);
    return offset;
  }
  Fd fd = node_->append.take();
  if (!fd.valid()) fd = Fd(::open(ProcPath(fd_).c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return last_error();
  const Result<uint64_t> offset = append_at_position(fd.get(), data);
  node_->append.put(std::move(fd));
  return offset;
}

/// The kernel appends atomically and leaves the file position behind the new bytes: the only lock-free way to learn where
/// they went. Nobody else uses the position of `fd` meanwhile.
Result<uint64_t> PosixFile::append_at_position(int fd, std::span<const std::byte> data) {
  // iovec has no const; a write does not change what it points to.
  const iovec piece = {const_cast<std::byte*>(data.data()), data.size()};
  const ssize_t put = ::pwritev2(fd, &piece, 1, -1, RWF_APPEND);
  if (put < 0) return last_error();
  const off_t end = ::lseek(fd, 0, data.empty() ? SEEK_END : SEEK_CUR);
  if (end < 0) return last_error();
  const uint64_t begin = static_cast<uint64_t>(end) - static_cast<uint64_t>(put);
  if (static_cast<size_t>(put) == data.size()) return begin;
  take_back(fd, begin, static_cast<uint64_t>(put));
  return Errc::kNoSpace;
}

Result<void> PosixFile::fallocate(FallocateMode mode, uint64_t offset, uint64_t size_bytes) {
  const auto call = [&](int flags) {
    return ::fallocate(fd_, flags, static_cast<off_t>(offset), static_cast<off_t>(size_bytes));
  };
  switch (mode) {
    case FallocateMode::kAllocate:
      return as_result(call(0));
    case FallocateMode::kKeepSize:
      return as_result(call(FALLOC_FL_KEEP_SIZE));
    case FallocateMode::kPunchHole:
      return as_result(call(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE));
    case FallocateMode::kZeroRange:
      break;
  }
  if (call(FALLOC_FL_ZERO_RANGE) == 0) return {};
  if (errno != EOPNOTSUPP) return last_error();
  // tmpfs: zero what is there, then allocate it again. Two steps, where a disk file system has one.
  DAXLAB_TRY(as_result(call(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)));
  return as_result(call(0));
}

Result<uint64_t> PosixFile::seek(uint64_t offset, SeekWhat what) {
  // lseek() moves the file position, which an append may be using: a descriptor of its own then.
  const int whence = what == SeekWhat::kData ? SEEK_DATA : SEEK_HOLE;
  const bool own = !position_in_use_.exchange(true, std::memory_order_acquire);
  Fd other;
  if (!own) {
    other = Fd(::open(ProcPath(fd_).c_str(), O_RDONLY | O_CLOEXEC));
    if (!other.valid()) return last_error();
  }
  const off_t found = ::lseek(own ? fd_ : other.get(), static_cast<off_t>(offset), whence);
  const Errc error = found < 0 ? last_error() : Errc::kIo;
  if (own) position_in_use_.store(false, std::memory_order_release);
  if (found < 0) return error;
  return static_cast<uint64_t>(found);
}

Result<Attributes> PosixFile::setattr(const SetAttributes& changes) {
  const bool only_size =
      changes.size_bytes && !changes.mode && !changes.uid && !changes.gid && !changes.atime_ns && !changes.mtime_ns;
  if (changes.size_bytes && !writable_) return Errc::kBadHandle;
  if (!only_size) return change_attributes(fd_, changes);
  DAXLAB_TRY(as_result(::ftruncate(fd_, static_cast<off_t>(*changes.size_bytes))));
  return attributes_of(fd_);
}

Result<std::unique_ptr<Mapping>> PosixFile::map(uint64_t offset, uint64_t size_bytes, bool writable) {
  if (writable && !writable_) return Errc::kBadHandle;
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* const data = ::mmap(nullptr, size_bytes, protection, MAP_SHARED, fd_, static_cast<off_t>(offset));
  if (data == MAP_FAILED) return last_error();
  Node* const node = engine_.nodes().find(node_->ino);
  return std::unique_ptr<Mapping>(new PosixMapping(engine_, node, static_cast<std::byte*>(data), size_bytes));
}

}  // namespace daxlab::posix
