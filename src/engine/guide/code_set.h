// A set of Unicode characters. Surrogates are never in one.
//
// Thread: a value.

#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace tidegate::guide {

inline constexpr char32_t kCodeMax = 0x10FFFF;

class CodeSet {
 public:
  using Ranges = std::vector<std::pair<char32_t, char32_t>>;  // inclusive, sorted, with gaps between them

  CodeSet() = default;
  static CodeSet of(char32_t code) { return range(code, code); }
  static CodeSet range(char32_t first, char32_t last);
  // In any order, overlapping or not.
  static CodeSet of_ranges(Ranges ranges);
  static CodeSet all() { return range(0, kCodeMax); }

  CodeSet& add(const CodeSet& other);
  CodeSet& remove(const CodeSet& other);
  CodeSet complement() const;

  bool contains(char32_t code) const;
  bool empty() const { return ranges_.empty(); }
  const Ranges& ranges() const { return ranges_; }

 private:
  Ranges ranges_;
};

}  // namespace tidegate::guide
