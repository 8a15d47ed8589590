// Names of KV blocks by content, so that equal prefixes are found again.
//
//   H(i) = SHA-256 of canonical CBOR of [H(i-1) as bytes, [token, ...], extras or null]
//
// vLLM's `sha256_cbor`. The parent of the first block is the seed: random bytes, so that nobody can foresee
// which prompts collide, or the hash of a given string, so that several engines agree. Extras hold the
// adapter's content digest (vLLM: its name; a name reloaded with other weights must not find the old blocks)
// and, for the first block, the client's cache_salt.
//
// Thread: BlockHasher belongs to one thread; the rest are values.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace tidegate::kv {

struct BlockHash {
  std::array<std::uint8_t, 32> bytes{};

  // What consumers of KV events use as an integer: the last eight bytes, big-endian.
  std::uint64_t low64() const;

  auto operator<=>(const BlockHash&) const = default;
};

struct HashOfHash {
  std::size_t operator()(const BlockHash& hash) const {
    std::size_t value;
    std::memcpy(&value, hash.bytes.data(), sizeof value);
    return value;
  }
};

class BlockHasher {
 public:
  // An empty `seed` draws one from the operating system; PYTHONHASHSEED's text makes vLLM's (CBOR of the
  // string, hashed).
  explicit BlockHasher(std::string_view seed = {});
  ~BlockHasher();
  BlockHasher(BlockHasher&&) noexcept;

  const BlockHash& none() const { return none_; }

  // The hash of one full block. `adapter` and `salt` may be empty; give the salt for the first block only.
  BlockHash block(const BlockHash& parent, std::span<const std::int32_t> tokens, std::string_view adapter,
                  std::string_view salt);

  // Brings `chain` up to the full blocks of `history`; hashes that are there already are kept.
  void extend(std::vector<BlockHash>& chain, std::span<const std::int32_t> history, std::size_t block_tokens,
              std::string_view adapter, std::string_view salt);

 private:
  struct Digest;
  BlockHash sha256(std::span<const std::uint8_t> bytes);

  std::unique_ptr<Digest> digest_;
  std::vector<std::uint8_t> cbor_;
  BlockHash none_;
};

}  // namespace tidegate::kv
