// A vector whose first N elements need no heap: what a write or a fault handler collects on its stack.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

namespace daxlab::native {

template <typename T, size_t N>
class InlineVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  InlineVector() = default;
  InlineVector(const InlineVector&) = delete;
  InlineVector& operator=(const InlineVector&) = delete;

  void push_back(const T& value) {
    if (size_ == capacity_) grow();
    data_[size_++] = value;
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  std::span<T> span() { return {data_, size_}; }

 private:
  void grow() {
    auto more = std::make_unique_for_overwrite<T[]>(capacity_ * 4);
    std::copy(data_, data_ + size_, more.get());
    heap_ = std::move(more);
    data_ = heap_.get();
    capacity_ *= 4;
  }
  std::array<T, N> inline_;  // what is beyond size_ is never read
  std::unique_ptr<T[]> heap_;
  T* data_ = inline_.data();
  size_t size_ = 0;
  size_t capacity_ = N;
};

}  // namespace daxlab::native
