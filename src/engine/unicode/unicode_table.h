// The tables behind unicode.h, as tools/make_unicode_tables writes them. Only unicode.cc includes this.

#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/unicode/unicode.h"

namespace tidegate::unicode {

// From `first` up to the next run.
struct CategoryRun {
  char32_t first;
  Category category;
};

struct CombiningRun {
  char32_t first, last;
  std::uint8_t combining_class;
};

// One step of canonical decomposition; `second` is 0 where a character becomes one other.
struct Decomposition {
  char32_t whole, first, second;
};

struct Composition {
  char32_t first, second, whole;
};

extern const CategoryRun kCategoryRuns[];
extern const std::size_t kCategoryRunsSize;
extern const CombiningRun kCombiningRuns[];
extern const std::size_t kCombiningRunsSize;
extern const Decomposition kDecompositions[];
extern const std::size_t kDecompositionsSize;
extern const Composition kCompositions[];
extern const std::size_t kCompositionsSize;

}  // namespace tidegate::unicode
