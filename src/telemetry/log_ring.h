// A bounded queue of byte records from one thread to one other, without locks or allocation.
//
// Records lie in one buffer of a power of two bytes, each behind a 4-byte length and padded to 8 bytes; one
// that would cross the end of the buffer starts again at its beginning, behind a marker. The writer publishes
// a record by moving `head_`, the reader gives its space back by moving `tail_`; each side keeps a copy of
// the other's index so that it touches the other's line only when it seems to be out of space or out of
// records.
//
// Thread: reserve/commit from one thread, front/pop from one other.

#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace tidegate::telemetry {

class LogRing {
 public:
  explicit LogRing(std::size_t bytes)
      : capacity_(std::bit_ceil(bytes)), buffer_(std::make_unique<char[]>(capacity_)) {}

  // Room for a record of up to `bytes`, or null if the ring is too full. Nothing is published before
  // commit().
  char* reserve(std::size_t bytes) {
    const std::size_t need = record_size(bytes);
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::size_t at = head & (capacity_ - 1);
    const std::size_t skip = capacity_ - at < need ? capacity_ - at : 0;
    if (need + skip > capacity_ - (head - tail_seen_)) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (need + skip > capacity_ - (head - tail_seen_)) return nullptr;
    }
    if (skip != 0) std::memcpy(&buffer_[at], &kWrap, sizeof(kWrap));
    start_ = head + skip;
    return &buffer_[(start_ & (capacity_ - 1)) + kHeader];
  }

  // Publishes the first `bytes` of what reserve() gave. Requires: not more than was reserved.
  void commit(std::size_t bytes) {
    const auto length = static_cast<std::uint32_t>(bytes);
    std::memcpy(&buffer_[start_ & (capacity_ - 1)], &length, sizeof(length));
    head_.store(start_ + record_size(bytes), std::memory_order_release);
  }

  // The oldest record, or an empty span; valid until pop().
  std::span<const char> front() {
    while (true) {
      const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
      if (tail == head_seen_) {
        head_seen_ = head_.load(std::memory_order_acquire);
        if (tail == head_seen_) return {};
      }
      const std::size_t at = tail & (capacity_ - 1);
      std::uint32_t length = 0;
      std::memcpy(&length, &buffer_[at], sizeof(length));
      if (length != kWrap) return {&buffer_[at + kHeader], length};
      tail_.store(tail + (capacity_ - at), std::memory_order_release);
    }
  }

  // Requires: front() just gave a record.
  void pop() {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    std::uint32_t length = 0;
    std::memcpy(&length, &buffer_[tail & (capacity_ - 1)], sizeof(length));
    tail_.store(tail + record_size(length), std::memory_order_release);
  }

  // For the writing side: is so much waiting that the reader should be woken?
  bool over_half() {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_seen_ <= capacity_ / 2) return false;
    tail_seen_ = tail_.load(std::memory_order_acquire);
    return head - tail_seen_ > capacity_ / 2;
  }

 private:
  static constexpr std::size_t kHeader = sizeof(std::uint32_t);
  static constexpr std::uint32_t kWrap = ~std::uint32_t{0};
  static constexpr std::size_t kLine = 64;
  static std::size_t record_size(std::size_t bytes) { return (bytes + kHeader + 7) & ~std::size_t{7}; }

  const std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  alignas(kLine) std::atomic<std::uint64_t> head_{0};  // written by the writer, as are the two below
  std::uint64_t tail_seen_ = 0;
  std::uint64_t start_ = 0;
  alignas(kLine) std::atomic<std::uint64_t> tail_{0};  // written by the reader, as is the one below
  std::uint64_t head_seen_ = 0;
};

}  // namespace tidegate::telemetry
