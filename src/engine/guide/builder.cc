#include "engine/guide/builder.h"

#include <algorithm>
#include <array>

#include "engine/unicode/unicode.h"

namespace tidegate::guide {
namespace {

constexpr std::size_t kNodesMax = 200'000;

ByteSet bytes_between(unsigned char first, unsigned char last) {
  ByteSet set;
  for (unsigned byte = first; byte <= last; ++byte) set.set(byte);
  return set;
}

std::string utf8_of(char32_t code) {
  std::string out;
  unicode::append_utf8(out, code);
  return out;
}

// What JSON cannot hold as itself.
const CodeSet& json_escaped() {
  static const CodeSet set = [] {
    CodeSet escaped = CodeSet::range(0, 0x1F);
    escaped.add(CodeSet::of('"')).add(CodeSet::of('\\'));
    return escaped;
  }();
  return set;
}

// Its shortest escape.
std::string json_escape(char32_t code) {
  static constexpr std::array<std::pair<char, char>, 7> kShort = {
      {{'"', '"'}, {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}}};
  for (const auto& [of, letter] : kShort) {
    if (code == static_cast<char32_t>(of)) return {'\\', letter};
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  return std::string("\\u00") + kHex[code >> 4] + kHex[code & 15];
}

}  // namespace

Builder::Builder() { program_.nodes.emplace_back(); }

NodeId Builder::add(Node node) {
  if (program_.nodes.size() >= kNodesMax) {
    full_ = true;
    return kEnd;
  }
  program_.nodes.push_back(node);
  return static_cast<NodeId>(program_.nodes.size() - 1);
}

std::uint32_t Builder::set_id(const ByteSet& set) {
  const auto [found, fresh] = set_ids_.try_emplace(set, static_cast<std::uint32_t>(program_.sets.size()));
  if (fresh) program_.sets.push_back(set);
  return found->second;
}

NodeId Builder::bytes(const ByteSet& set, NodeId next) {
  return add({Node::Kind::kBytes, set_id(set), next});
}

NodeId Builder::byte(char c, NodeId next) {
  return bytes(bytes_between(static_cast<unsigned char>(c), static_cast<unsigned char>(c)), next);
}

NodeId Builder::text(std::string_view bytes, NodeId next) {
  for (std::size_t i = bytes.size(); i-- > 0 && !full_;) next = byte(bytes[i], next);
  return next;
}

NodeId Builder::either(NodeId a, NodeId b) { return add({Node::Kind::kSplit, a, b}); }
NodeId Builder::call(RuleId rule, NodeId next) { return add({Node::Kind::kCall, rule, next}); }
NodeId Builder::hole() { return add({Node::Kind::kSplit, 0, 0}); }

void Builder::fill(NodeId hole, NodeId a, NodeId b) {
  if (!full_) program_.nodes[hole] = {Node::Kind::kSplit, a, b};
}

RuleId Builder::declare() {
  program_.starts.push_back(kEnd);
  return static_cast<RuleId>(program_.starts.size() - 1);
}

RuleId Builder::rule(NodeId start) {
  const RuleId made = declare();
  define(made, start);
  return made;
}

NodeId Builder::character(const CodeSet& set, Spelling spelling, NodeId next) {
  CodeSet plain = set;
  NodeId at = kEnd;
  bool any = false;
  const auto offer = [&](NodeId way) {
    at = any ? either(way, at) : way;
    any = true;
  };
  if (spelling == Spelling::kJson) {
    for (char32_t code = 0; code < 0x80; ++code) {
      if (set.contains(code) && json_escaped().contains(code)) offer(text(json_escape(code), next));
    }
    plain.remove(json_escaped());
  }
  ByteSet ascii;
  CodeSet::Ranges beyond;
  for (const auto& [first, last] : plain.ranges()) {
    for (char32_t code = first; code <= last && code < 0x80; ++code) ascii.set(code);
    if (last >= 0x80) beyond.emplace_back(std::max<char32_t>(first, 0x80), last);
  }
  const CodeSet wide = CodeSet::of_ranges(std::move(beyond));
  if (!wide.empty()) {
    const auto known = characters_.find(wide.ranges());
    const RuleId written = known != characters_.end() ? known->second : rule(utf8(wide, kEnd));
    characters_.try_emplace(wide.ranges(), written);
    offer(call(written, next));
  }
  if (ascii.any() || !any) offer(bytes(ascii, next));  // an empty set is a dead end
  return at;
}

// The encodings of characters beyond ASCII.
NodeId Builder::utf8(const CodeSet& set, NodeId next) {
  NodeId at = kEnd;
  bool any = false;
  static constexpr std::array<std::pair<char32_t, char32_t>, 3> kSizes = {
      {{0x80, 0x7FF}, {0x800, 0xFFFF}, {0x10000, kCodeMax}}};
  for (const auto& [first, last] : set.ranges()) {
    for (const auto& [least, most] : kSizes) {
      const char32_t low = std::max(first, least), high = std::min(last, most);
      if (low > high || full_) continue;
      const NodeId way = between(utf8_of(low), utf8_of(high), '\x80', '\xBF', next);
      at = any ? either(way, at) : way;
      any = true;
    }
  }
  return at;
}

// The first byte is the low one, the high one or between them; only at those two have the bytes after it
// bounds of their own.
NodeId Builder::between(std::string_view low, std::string_view high, char least, char most, NodeId next) {
  const auto first = static_cast<unsigned char>(low[0]), last = static_cast<unsigned char>(high[0]);
  if (low.size() == 1) return bytes(bytes_between(first, last), next);
  const std::string lowest(low.size() - 1, least), highest(low.size() - 1, most);
  const std::string_view low_rest = low.substr(1), high_rest = high.substr(1);
  if (first == last) return byte(low[0], between(low_rest, high_rest, least, most, next));
  const bool low_whole = low_rest == lowest, high_whole = high_rest == highest;
  const int from = first + (low_whole ? 0 : 1), to = last - (high_whole ? 0 : 1);
  NodeId at = kEnd;
  bool any = false;
  const auto offer = [&](NodeId way) {
    at = any ? either(way, at) : way;
    any = true;
  };
  if (from <= to) {
    const ByteSet inner = bytes_between(static_cast<unsigned char>(from), static_cast<unsigned char>(to));
    offer(bytes(inner, between(lowest, highest, least, most, next)));
  }
  if (!low_whole) offer(byte(low[0], between(low_rest, highest, least, most, next)));
  if (!high_whole) offer(byte(high[0], between(lowest, high_rest, least, most, next)));
  return at;
}

Result<Program> Builder::finish() {
  if (full_) {
    return invalid({}, "is too large for this engine (over " + std::to_string(kNodesMax) +
                           " nodes); use smaller counts or fewer alternatives");
  }
  return finish_program(std::move(program_));
}

}  // namespace tidegate::guide
