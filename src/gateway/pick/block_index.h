// Which endpoint holds which blocks of tokens, as its engine itself says: the precise prefix cache.
//
//   BlockIndex index;                                  // one for all; ids are those of the PrefixIndex
//   index.store(id, key);  index.remove(id, key);      // an engine said so; keys are a TokenChain's
//   index.set_trust(id, Trust::kWhole);
//   index.match(points, now, match);                   // who holds how many of the points
//   index.expect(points, match, id, now);              // the prompt was sent there and will soon be held
//   held_bytes(...)                                    // its word and the guess of PrefixIndex in one
//
// What was sent somewhere counts as held for ten seconds, until the engine says so itself: prompts that come
// in a burst stay together.
//
// Memory is bounded: `blocks_max` blocks over all endpoints, some 30 bytes each here (and as much with who
// follows the stream, who has to know them by the engine's names). A block knows at most 64 endpoints.
//
// Thread: store, remove, clear and what is said of an endpoint as a whole: one thread. The rest any.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "gateway/pick/prefix_index.h"
#include "gateway/pick/token_map.h"

namespace tidegate::pick {

// How much the word of an endpoint's engine is worth.
enum class Trust : std::uint8_t {
  kNone,   // nothing is heard
  kPart,   // something was missed: it holds what it told since, and perhaps more
  kWhole,  // it holds what it told, and nothing else
};

class BlockIndex {
 public:
  explicit BlockIndex(std::size_t blocks_max = std::size_t{1} << 21);
  ~BlockIndex();

  // False if there is no room.
  bool store(PrefixId id, std::uint64_t key);
  void remove(PrefixId id, std::uint64_t key);
  // It holds `blocks` blocks and from now on none.
  void clear(PrefixId id, std::size_t blocks);
  void set_trust(PrefixId id, Trust trust);
  void set_block_tokens(PrefixId id, std::uint32_t tokens);

  Trust trust(PrefixId id) const {
    return id < kEndpointsMax ? trust_[id].load(std::memory_order_relaxed) : Trust::kNone;
  }
  // The engine's block size; 0: not known yet.
  std::uint32_t block_tokens(PrefixId id) const {
    return id < kEndpointsMax ? block_tokens_[id].load(std::memory_order_relaxed) : 0;
  }
  // Counts for each endpoint the points it holds from the first on; confirms those that somebody holds.
  void match(TokenPoints& points, TimePoint now, PrefixMatch& match) const;
  // `match` is what was found for the points: those that it holds already stay as they are.
  void expect(const TokenPoints& points, const PrefixMatch& match, PrefixId id, TimePoint now);

  // For metrics and tests.
  std::size_t blocks() const { return held_.load(std::memory_order_relaxed); }
  std::size_t memory_bytes() const;

 private:
  static constexpr std::size_t kEndpointsMax = PrefixIndex::kEndpointsMax;
  struct Shard;
  std::uint16_t stored_epoch(PrefixId id) const;
  std::uint16_t expected_epoch(PrefixId id, std::uint16_t time) const;
  bool counts(const Holder& holder, std::uint16_t time) const;

  const std::size_t blocks_max_;
  std::unique_ptr<Shard[]> shards_;
  std::unique_ptr<std::atomic<std::uint16_t>[]> generation_;
  std::unique_ptr<std::atomic<Trust>[]> trust_;
  std::unique_ptr<std::atomic<std::uint32_t>[]> block_tokens_;
  std::atomic<std::size_t> ids_{0};  // all that were ever spoken of are below
  std::atomic<std::size_t> held_{0};
  std::atomic<std::uint16_t> time_{0};  // of the latest prompt sent: for the writer, who needs it roughly
};

// How much of a prompt an endpoint holds: `guessed` from where prompts were sent, `told` by its engine of the
// first `known` bytes. Behind those nothing can be told, and the guess counts.
constexpr std::uint32_t held_bytes(std::uint32_t guessed, std::uint32_t told, std::uint32_t known,
                                   Trust trust) {
  if (trust == Trust::kNone || known == 0) return guessed;
  if (trust == Trust::kWhole && told < known) return told;
  return guessed > told ? guessed : told;
}

}  // namespace tidegate::pick
