// What an engine says of its KV cache: the events of one step, in order.
//
// A message has three frames: the topic, a sequence number of eight bytes (big-endian, from 0 when the engine
// starts), and a batch in MessagePack:
//
//   [time, [event, ...], data parallel rank]
//   ["BlockStored", [hash, ...], parent hash or nil, [token, ...], block size, lora id, medium, lora name,
//    extra keys per block, group, ...]
//   ["BlockRemoved", [hash, ...], medium, group]      ["AllBlocksCleared"]
//
// or, from newer engines, maps with these names and the event's own under "type". Trailing members may be
// missing, and members that nobody knows here are passed over. A hash is a whole number or, where the engine
// was told so, 32 bytes, of which the last eight count: the number that it would have been.
//
// Thread: values.
// Source: vLLM distributed/kv_events.py; reference model-server.md section 3.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace tidegate::kvwire {

struct BlockStored {
  std::vector<std::uint64_t> hashes;    // one block after the other
  std::optional<std::uint64_t> parent;  // of the first of them; nothing: the prompt begins here
  std::vector<std::uint32_t> tokens;    // block_tokens for each block; none: told before, by these hashes
  std::uint32_t block_tokens = 0;
  std::optional<std::int64_t> lora_id;
  std::string lora_name;  // empty: the base model, or an engine that tells numbers only
  std::string medium;     // "GPU"; empty: not said, which is the same
  std::string salt;       // to encode: the client's, told with the first block of a prompt
  // How many of the blocks, from the first, are named by nothing but their tokens and the adapter. The next
  // one has a salt or pictures in it.
  std::uint32_t plain = 0;
  std::uint32_t group = 0;  // of layers that keep their cache apart; 0: the first or only one
  bool operator==(const BlockStored&) const = default;
};

struct BlockRemoved {
  std::vector<std::uint64_t> hashes;
  std::string medium;
  std::uint32_t group = 0;
  bool operator==(const BlockRemoved&) const = default;
};

struct AllBlocksCleared {
  bool operator==(const AllBlocksCleared&) const = default;
};

using Event = std::variant<BlockStored, BlockRemoved, AllBlocksCleared>;

struct Batch {
  double time = 0;  // Unix seconds
  std::vector<Event> events;
  std::int64_t rank = 0;
};

std::string encode(const Batch& batch);

// A batch holds no more blocks and tokens than bytes. Events of a kind that nobody knows here are left out.
// Errors: kInvalid, with what is wrong and where.
Result<Batch> decode(std::string_view payload);

// Sequence numbers as frames.
std::string sequence_frame(std::uint64_t number);
std::optional<std::uint64_t> sequence_of(std::string_view frame);

// What ends a replay in place of a number.
inline constexpr std::uint64_t kReplayEnd = 0xFFFF'FFFF'FFFF'FFFF;

}  // namespace tidegate::kvwire
