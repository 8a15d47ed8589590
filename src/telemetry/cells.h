// Memory for the numbers that one worker writes: 64-bit words that no other worker writes a neighbour of.
//
// Each shard (one worker, or the control side) has slabs of its own, so two workers never share a cache line,
// while the counters that one worker touches for a request lie close together. Words are handed out zeroed,
// in runs, and go back to a free list when a label set is removed.
//
// Thread: allocate and release under the registry's lock. A word has one writer (the shard's thread) and any
// number of readers; both sides use relaxed atomics, so an increment is a plain load, add and store.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace tidegate::telemetry {

using Word = std::atomic<std::uint64_t>;

class CellArena {
 public:
  CellArena() = default;
  CellArena(const CellArena&) = delete;
  CellArena& operator=(const CellArena&) = delete;

  // `words` zeroed words in a row; stable until released. Requires: words > 0.
  Word* allocate(std::size_t words);
  void release(Word* run, std::size_t words);

  // Bytes held from the operating system.
  std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kSlabWords = 512;  // 4 KiB

  struct Freed {
    void operator()(Word* slab) const;
  };

  std::vector<std::unique_ptr<Word[], Freed>> slabs_;
  std::size_t used_ = 0;      // words taken from the newest slab
  std::size_t capacity_ = 0;  // words of the newest slab
  std::size_t bytes_ = 0;
  std::map<std::size_t, std::vector<Word*>> free_;  // by run length
};

}  // namespace tidegate::telemetry
