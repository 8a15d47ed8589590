// Byte buffers that are used again, by size class: 16 KiB, 64 KiB, 256 KiB, 1 MiB, 4 MiB. Larger ones come from the heap
// and go back to it. A connection holds a buffer only while it has bytes to keep.
//
// Contents are never cleared: reading is bounded by what was written, and clearing 400 KB costs more than parsing it.
//
// Thread: one owner; buffers must not outlive the pool.

#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

namespace tidegate::net {

class BufferPool;

class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  Buffer& operator=(Buffer&& other) noexcept {
    release();
    pool_ = std::exchange(other.pool_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    size_ = other.size_;
    return *this;
  }
  ~Buffer() { release(); }

  char* data() const { return data_; }
  std::size_t size() const { return data_ ? size_ : 0; }
  explicit operator bool() const { return data_ != nullptr; }
  void release();

 private:
  friend class BufferPool;
  Buffer(BufferPool* pool, char* data, std::size_t size) : pool_(pool), data_(data), size_(size) {}
  BufferPool* pool_ = nullptr;
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

class BufferPool {
 public:
  explicit BufferPool(std::size_t kept_bytes_max = 16 * 1024 * 1024) : kept_bytes_max_(kept_bytes_max) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  static constexpr std::size_t kSmallest = 16 * 1024;

  // At least `size` bytes.
  Buffer take(std::size_t size = kSmallest);

 private:
  friend class Buffer;
  static constexpr std::size_t kClasses = 5;
  void give_back(char* data, std::size_t size);

  std::size_t kept_bytes_max_;
  std::size_t kept_bytes_ = 0;
  std::array<std::vector<char*>, kClasses> free_;
};

}  // namespace tidegate::net
