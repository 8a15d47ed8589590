// Letters of protocols: ASCII only, no locale, no allocation.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tidegate::ascii {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// Eight letters at once, none of them carried into its neighbour.
constexpr std::uint64_t lower_eight(std::uint64_t letters) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  const std::uint64_t low = letters & (kOnes * 0x7f);
  const std::uint64_t from_a = low + kOnes * (0x80 - 'A');      // high bit: 'A' or above
  const std::uint64_t past_z = low + kOnes * (0x80 - 'Z' - 1);  // high bit: above 'Z'
  return letters | ((from_a & ~past_z & ~letters & (kOnes * 0x80)) >> 2);
}

// Every field of every message passes here, so whole words are compared; the last one overlaps the one
// before.
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto word = [](const char* from, auto as) {
    std::memcpy(&as, from, sizeof as);
    return as;
  };
  const char* x = a.data();
  const char* y = b.data();
  std::size_t left = a.size();
  if (left >= 8) {
    const auto same = [&](std::size_t at) {
      return lower_eight(word(x + at, std::uint64_t{})) == lower_eight(word(y + at, std::uint64_t{}));
    };
    for (std::size_t at = 0; at + 8 < left; at += 8) {
      if (!same(at)) return false;
    }
    return same(left - 8);
  }
  if (left >= 4) {
    const auto both = [&](const char* from) {
      return lower_eight(word(from, std::uint32_t{}) |
                         (std::uint64_t{word(from + left - 4, std::uint32_t{})} << 32));
    };
    return both(x) == both(y);
  }
  for (; left > 0; --left, ++x, ++y) {
    if (lower(*x) != lower(*y)) return false;
  }
  return true;
}

inline std::string to_lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

// Without the blanks (space, tab) of HTTP's optional white space around it.
inline std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace tidegate::ascii
