// Batches of KV events from anybody: what is read stays within what was sent, and is read alike when written
// again.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kvwire/batch.h"

namespace {

using namespace tidegate::kvwire;

void require(bool condition) {
  if (!condition) std::abort();
}

struct WithinBounds {
  std::size_t size;
  void operator()(const BlockStored& stored) const {
    require(stored.hashes.size() <= size && stored.tokens.size() <= size);
    require(stored.block_tokens > 0 && stored.plain <= stored.hashes.size());
    require(stored.tokens.empty() || stored.tokens.size() == stored.hashes.size() * stored.block_tokens);
  }
  void operator()(const BlockRemoved& removed) const { require(removed.hashes.size() <= size); }
  void operator()(const AllBlocksCleared&) const {}
};

// What encode() leaves out of it is not compared.
void forget_unwritten(Event& event) {
  if (auto* const stored = std::get_if<BlockStored>(&event)) {
    stored->group = 0;
    stored->plain = static_cast<std::uint32_t>(stored->hashes.size());
  } else if (auto* const removed = std::get_if<BlockRemoved>(&event)) {
    removed->group = 0;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  static_cast<void>(sequence_of(payload));
  auto batch = decode(payload);
  if (!batch) return 0;
  for (Event& event : batch->events) {
    std::visit(WithinBounds{size}, event);
    forget_unwritten(event);
  }
  const auto again = decode(encode(*batch));
  require(again.has_value() && again->events == batch->events && again->rank == batch->rank);
  return 0;
}
