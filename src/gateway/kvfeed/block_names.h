// One engine's names for the blocks it holds: from its own hash of a block, which means nothing to anybody
// else, to our key of the same tokens (pick::TokenChain). An engine may hold a block in several places, on
// the GPU and below; it is gone when it is gone from all.
//
// 17 bytes a place, a quarter to five eighths of them empty.
//
// Thread: one.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tidegate::kvfeed {

class BlockNames {
 public:
  enum Medium : std::uint8_t { kGpu = 1, kElsewhere = 2 };

  std::size_t size() const { return used_; }
  std::optional<std::uint64_t> find(std::uint64_t hash) const;
  // True if the block was not held anywhere before.
  bool add(std::uint64_t hash, std::uint64_t key, Medium medium);
  // The block's key if that was the last place that held it.
  std::optional<std::uint64_t> remove(std::uint64_t hash, Medium medium);
  void clear();

 private:
  static constexpr std::size_t kFirstPlaces = 64;
  struct Place {
    std::uint64_t hash;
    std::uint64_t key;
  };
  std::size_t home_of(std::uint64_t hash) const;
  std::size_t place_of(std::uint64_t hash) const;  // where it is or would be
  void grow();
  void erase(std::size_t at);

  std::vector<Place> places_;          // a power of two of them, searched one after the other
  std::vector<std::uint8_t> mediums_;  // of each; 0: empty
  std::size_t used_ = 0;
};

}  // namespace tidegate::kvfeed
