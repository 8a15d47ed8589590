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

CodeSet CodeSet::range(char32_t first, char32_t last) { return of_ranges({{first, last}}); }

CodeSet CodeSet::of_ranges(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end());
  CodeSet set;
  for (const auto& [first, last] : ranges) {
    append(set.ranges_, first, std::min<char32_t>(last, kSurrogates - 1));
    append(set.ranges_, std::max(first, kAfterSurrogates), std::min(last, kCodeMax));
  }
  return set;
}

CodeSet& CodeSet::add(const CodeSet& other) {
  Ranges all = ranges_;
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  *this = of_ranges(std::move(all));
  return *this;
}

CodeSet CodeSet::complement() const {
  Ranges between;
  char32_t next = 0;
  for (const auto& [first, last] : ranges_) {
    if (first > next) between.emplace_back(next, first - 1);
    next = last + 1;
  }
  if (next <= kCodeMax) between.emplace_back(next, kCodeMax);
  return of_ranges(std::move(between));
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
