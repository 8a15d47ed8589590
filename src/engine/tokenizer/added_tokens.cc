#include "engine/tokenizer/added_tokens.h"

#include "engine/unicode/unicode.h"

namespace tidegate::tokenizer {

using unicode::Category;
using unicode::category;
using unicode::decode_utf8;
using unicode::Decoded;
using unicode::is_letter;

namespace {

bool in_word(char32_t point) {
  const Category c = category(point);
  return is_letter(c) || c == Category::kMark || c == Category::kNumber || point == '_';
}

// The start of the character that ends before `end`.
std::size_t character_before(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 && in_word(decode_utf8(text.substr(character_before(text, begin))).point)) return false;
  return end == text.size() || !in_word(decode_utf8(text.substr(end)).point);
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(const std::vector<AddedToken>& tokens) : nodes_(1) {
  for (const AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    std::uint32_t at = 0;
    for (const char c : token.content) {
      const auto known = nodes_[at].children.find(c);
      if (known != nodes_[at].children.end()) {
        at = known->second;
        continue;
      }
      const auto made = static_cast<std::uint32_t>(nodes_.size());
      nodes_[at].children.emplace(c, made);
      nodes_.emplace_back();
      at = made;
    }
    if (nodes_[at].token >= 0) continue;  // the first of equal contents counts
    nodes_[at].token = static_cast<std::int32_t>(tokens_.size());
    tokens_.push_back(token);
  }
}

std::optional<AddedTokenFinder::Found> AddedTokenFinder::next(std::string_view text, std::size_t from) const {
  if (empty()) return std::nullopt;
  for (std::size_t start = from; start < text.size(); ++start) {
    std::int32_t longest = -1;
    std::size_t end = start;
    std::uint32_t node = 0;
    for (std::size_t i = start; i < text.size(); ++i) {
      const auto child = nodes_[node].children.find(text[i]);
      if (child == nodes_[node].children.end()) break;
      node = child->second;
      if (nodes_[node].token >= 0) {
        longest = nodes_[node].token;
        end = i + 1;
      }
    }
    if (longest < 0) continue;
    const AddedToken& token = tokens_[static_cast<std::size_t>(longest)];
    if (token.single_word && !stands_alone(text, start, end)) {
      start = end - 1;  // the reference library's search does not look inside a match it drops
      continue;
    }
    Found found{start, end, token.id};
    while (token.lstrip && found.begin > from) {
      const std::size_t before = character_before(text, found.begin);
      if (before < from || category(decode_utf8(text.substr(before)).point) != Category::kSpace) break;
      found.begin = before;
    }
    while (token.rstrip && found.end < text.size()) {
      const Decoded d = decode_utf8(text.substr(found.end));
      if (category(d.point) != Category::kSpace) break;
      found.end += d.size;
    }
    return found;
  }
  return std::nullopt;
}

}  // namespace tidegate::tokenizer
