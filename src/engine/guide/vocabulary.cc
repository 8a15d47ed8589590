#include "engine/guide/vocabulary.h"

#include <algorithm>

namespace tidegate::guide {

Vocabulary::Vocabulary(std::size_t size, const std::function<std::string(Token)>& bytes_of,
                       std::span<const Token> ends)
    : size_(size), by_token_(size, 0) {
  for (const Token token : ends) {
    if (token >= 0 && static_cast<std::size_t>(token) < size) ends_.push_back(token);
  }
  for (std::size_t i = 0; i < size; ++i) {
    const auto token = static_cast<Token>(i);
    if (std::find(ends_.begin(), ends_.end(), token) != ends_.end()) continue;
    const std::string text = bytes_of(token);
    if (text.empty()) continue;
    entries_.push_back(
        {token, static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(text.size()), 0});
    bytes_ += text;
    longest_ = std::max(longest_, text.size());
  }
  std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
    const int order = bytes(a).compare(bytes(b));
    return order != 0 ? order < 0 : a.token < b.token;
  });
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    by_token_[static_cast<std::size_t>(entries_[i].token)] = static_cast<std::uint32_t>(i + 1);
    if (i == 0) continue;
    const std::string_view before = bytes(entries_[i - 1]), own = bytes(entries_[i]);
    const auto differs = std::mismatch(before.begin(), before.end(), own.begin(), own.end()).first;
    entries_[i].shared = static_cast<std::uint32_t>(differs - before.begin());
  }
}

std::string_view Vocabulary::bytes(Token token) const {
  if (token < 0 || static_cast<std::size_t>(token) >= size_) return {};
  const std::uint32_t index = by_token_[static_cast<std::size_t>(token)];
  return index == 0 ? std::string_view() : bytes(entries_[index - 1]);
}

}  // namespace tidegate::guide
