#include "engine/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <queue>
#include <utility>

#include "base/random.h"
#include "engine/unicode/unicode.h"

namespace tidegate::tokenizer {

using unicode::decode_utf8;

namespace {

constexpr Token kNone = -1;

// Below this many symbols, looking for the best pair from the start each time is faster than a heap.
constexpr std::size_t kShortWord = 24;

std::uint64_t key_of(Token left, Token right) {
  return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) | static_cast<std::uint32_t>(right);
}

}  // namespace

MergeTable::MergeTable(std::size_t merges) {
  slots_.resize(std::bit_ceil(std::max<std::size_t>(16, merges * 2)));
  mask_ = slots_.size() - 1;
}

std::size_t MergeTable::slot_of(std::uint64_t key) const {
  std::size_t at = mix64(key) & mask_;
  while (slots_[at].key != kEmpty && slots_[at].key != key) at = (at + 1) & mask_;
  return at;
}

void MergeTable::put(Token left, Token right, Merge merge) {
  const std::uint64_t key = key_of(left, right);
  slots_[slot_of(key)] = {key, merge};
}

const MergeTable::Merge* MergeTable::find(Token left, Token right) const {
  const Slot& slot = slots_[slot_of(key_of(left, right))];
  return slot.key == kEmpty ? nullptr : &slot.merge;
}

Result<Bpe> Bpe::make(const std::vector<std::string>& tokens,
                      const std::vector<std::pair<std::string, std::string>>& merges, BpeOptions options) {
  Bpe bpe;
  bpe.options_ = options;
  bpe.ids_.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!tokens[i].empty()) bpe.ids_.emplace(tokens[i], static_cast<Token>(i));
  }
  for (int b = 0; b < 256; ++b) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(b));
    const char byte = static_cast<char>(b);
    bpe.byte_ids_[static_cast<std::size_t>(b)] =
        bpe.id(options.byte_level ? std::string_view(&byte, 1) : std::string_view(name)).value_or(kNone);
  }
  bpe.merges_ = MergeTable(merges.size());
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const auto l = bpe.id(left), r = bpe.id(right), whole = bpe.id(left + right);
    if (!l || !r || !whole) {
      return invalid("model.merges[" + std::to_string(rank) + "]",
                     "names a part or a result that is not in the vocabulary");
    }
    bpe.merges_.put(*l, *r, {static_cast<std::uint32_t>(rank), *whole});
  }
  return bpe;
}

std::optional<Token> Bpe::id(std::string_view bytes) const {
  const auto found = ids_.find(bytes);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

void Bpe::encode(std::string_view word, std::vector<Token>& out) const {
  if (word.empty()) return;
  if (options_.ignore_merges) {
    if (const auto whole = id(word)) return out.push_back(*whole);
  }
  std::vector<Token> symbols;
  split(word, symbols);
  if (symbols.size() <= kShortWord) {
    merge_short(symbols);
  } else {
    merge_long(symbols);
  }
  out.insert(out.end(), symbols.begin(), symbols.end());
}

void Bpe::split(std::string_view word, std::vector<Token>& symbols) const {
  symbols.reserve(word.size());
  bool last_unknown = false;
  while (!word.empty()) {
    const std::size_t size = options_.byte_level ? 1 : decode_utf8(word).size;
    const std::string_view symbol = word.substr(0, size);
    word.remove_prefix(size);
    if (const auto known = options_.byte_level
                               ? std::optional(byte_ids_[static_cast<unsigned char>(symbol[0])])
                               : id(symbol);
        known && *known != kNone) {
      symbols.push_back(*known);
      last_unknown = false;
      continue;
    }
    const auto as_bytes = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
    if (options_.byte_fallback &&
        std::all_of(symbol.begin(), symbol.end(), [&](char c) { return as_bytes(c) != kNone; })) {
      for (const char c : symbol) symbols.push_back(as_bytes(c));
      last_unknown = false;
    } else if (options_.unk) {
      if (!(last_unknown && options_.fuse_unk)) symbols.push_back(*options_.unk);
      last_unknown = true;
    }
  }
}

void Bpe::merge_short(std::vector<Token>& symbols) const {
  while (symbols.size() > 1) {
    const MergeTable::Merge* best = nullptr;
    std::size_t where = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto* merge = merges_.find(symbols[i], symbols[i + 1]);
      if (merge && (!best || merge->rank < best->rank)) {
        best = merge;
        where = i;
      }
    }
    if (!best) return;
    symbols[where] = best->whole;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

void Bpe::merge_long(std::vector<Token>& symbols) const {
  struct Node {
    Token token;
    std::int32_t previous, next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t position;  // of the left part
    Token left, right, whole;
    bool operator<(const Candidate& other) const {  // the queue gives the largest: lowest rank, leftmost
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };
  std::vector<Node> nodes(symbols.size());
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const auto at = static_cast<std::int32_t>(i);
    nodes[i] = {symbols[i], at - 1, i + 1 < symbols.size() ? at + 1 : -1};
  }
  std::priority_queue<Candidate> queue;
  const auto consider = [&](std::int32_t left) {
    if (left < 0) return;
    const Node& a = nodes[static_cast<std::size_t>(left)];
    if (a.next < 0) return;
    const Node& b = nodes[static_cast<std::size_t>(a.next)];
    if (const auto* merge = merges_.find(a.token, b.token)) {
      queue.push({merge->rank, left, a.token, b.token, merge->whole});
    }
  };
  for (std::size_t i = 0; i + 1 < nodes.size(); ++i) consider(static_cast<std::int32_t>(i));
  while (!queue.empty()) {
    const Candidate c = queue.top();
    queue.pop();
    Node& a = nodes[static_cast<std::size_t>(c.position)];
    // Stale if either side has been merged away since.
    if (a.token != c.left || a.next < 0) continue;
    Node& b = nodes[static_cast<std::size_t>(a.next)];
    if (b.token != c.right) continue;
    a.token = c.whole;
    b.token = kNone;
    a.next = b.next;
    if (a.next >= 0) nodes[static_cast<std::size_t>(a.next)].previous = c.position;
    consider(a.previous);
    consider(c.position);
  }
  symbols.clear();
  for (std::int32_t i = 0; i >= 0; i = nodes[static_cast<std::size_t>(i)].next) {
    symbols.push_back(nodes[static_cast<std::size_t>(i)].token);
  }
}

}  // namespace tidegate::tokenizer
