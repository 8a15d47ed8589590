// What a tokenizer needs of Unicode: UTF-8 in and out, categories, canonical composition (NFC).
//
// Input may be any bytes. Decoding is lossy in the way the Unicode standard recommends (section 3.9, "maximal
// subpart"): every part of an ill-formed sequence that could have begun a character becomes one U+FFFD.
//
// Thread: pure functions.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::unicode {

// General categories as far as pre-tokenizers tell them apart. White space is what \s matches, whatever its
// category.
enum class Category : std::uint8_t {
  kOther,
  kSpace,
  kUpper,
  kLower,
  kTitle,
  kModifier,
  kLetter,
  kMark,
  kNumber,
  kPunctuation,
  kSymbol,
};

Category category(char32_t point);

inline bool is_letter(Category c) { return c >= Category::kUpper && c <= Category::kLetter; }

inline constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t point = 0;
  std::size_t size = 0;  // bytes taken, at least 1
  bool valid = true;     // false: ill-formed, point is U+FFFD
};

// The first character of `text`. Requires: text is not empty.
Decoded decode_utf8(std::string_view text);

void append_utf8(std::string& out, char32_t point);

bool is_valid_utf8(std::string_view text);

// `text` itself if it is valid, else with ill-formed parts as U+FFFD.
std::string to_valid_utf8(std::string_view text);

// How many bytes at the end of `text` begin a character that is not finished (0 to 3).
std::size_t unfinished_tail(std::string_view text);

// Canonical decomposition, ordering and composition (UAX 15). Requires: valid UTF-8.
// Runs of combining marks longer than 64 are ordered in pieces of 64, so that hostile text costs no quadratic
// time.
std::string to_nfc(std::string_view text);

}  // namespace tidegate::unicode
