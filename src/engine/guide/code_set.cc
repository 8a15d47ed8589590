#include "engine/guide/code_set.h"

#include <algorithm>

namespace tidegate::guide {
namespace {

constexpr char32_t kSurrogates = 0xD800, kAfterSurrogates = 0xE000;

void append(CodeSet::Ranges& ranges, char32_t first, char32_t last) {
  if (first > last) return;
  if (!ranges.empty() && first <= ranges.back().second + 1) {
    ranges.back().second = std::max(ranges.back().second, last);
  } else {
    ranges.emplace_back(first, last);
  }
}

}  // namespace

CodeSet CodeSet::range(char32_t first, char32_t last) {
  CodeSet set;
  append(set.ranges_, first, std::min<char32_t>(last, kSurrogates - 1));
  append(set.ranges_, std::max(first, kAfterSurrogates), std::min(last, kCodeMax));
  return set;
}

CodeSet& CodeSet::add(const CodeSet& other) {
  Ranges all = ranges_;
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  std::sort(all.begin(), all.end());
  ranges_.clear();
  for (const auto& [first, last] : all) append(ranges_, first, last);
  return *this;
}

CodeSet CodeSet::complement() const {
  CodeSet out;
  char32_t next = 0;
  for (const auto& [first, last] : ranges_) {
    if (first > next) out.add(range(next, first - 1));
    next = last + 1;
  }
  if (next <= kCodeMax) out.add(range(next, kCodeMax));
  return out;
}

CodeSet& CodeSet::remove(const CodeSet& other) {
  // What is in neither the complement of this nor the other.
  *this = complement().add(other).complement();
  return *this;
}

bool CodeSet::contains(char32_t code) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [code](const auto& range) { return range.first <= code && code <= range.second; });
}

}  // namespace tidegate::guide
