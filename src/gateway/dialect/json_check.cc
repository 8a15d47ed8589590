#include "gateway/dialect/json_check.h"

#include <bitset>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tidegate::dialect {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// The first quote or backslash, or `end`.
const char* quote_or_backslash(const char* p, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  for (; end - p >= 16; p += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const int hits =
        _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)));
    if (hits != 0) return p + __builtin_ctz(static_cast<unsigned>(hits));
  }
#endif
  while (p < end && *p != '"' && *p != '\\') ++p;
  return p;
}

class Check {
 public:
  explicit Check(std::string_view text)
      : begin_(text.data()), p_(text.data()), end_(text.data() + text.size()) {}

  std::size_t run() {
    const bool fine = values();
    skip_blanks();
    return fine && p_ == end_ ? kJsonFine : static_cast<std::size_t>(p_ - begin_);
  }

 private:
  void skip_blanks() {
    while (p_ < end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
  }

  bool take(char c) {
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }

  // One value with all that is inside it, without recursion.
  bool values() {
    while (true) {
      skip_blanks();
      if (p_ == end_) return false;
      bool opened = false;
      if (*p_ == '{' || *p_ == '[') {
        if (depth_ == kJsonDepthMax) return false;
        const bool object = *p_++ == '{';
        is_object_[depth_++] = object;
        skip_blanks();
        if (take(object ? '}' : ']')) {
          --depth_;
        } else {
          if (object && !key()) return false;
          opened = true;
        }
      } else if (!scalar()) {
        return false;
      }
      if (!opened && !next()) return false;
      if (depth_ == 0) return true;
    }
  }

  // Behind a value: closes what ends here and moves to where the next value begins.
  bool next() {
    while (depth_ > 0) {
      skip_blanks();
      const bool object = is_object_[depth_ - 1];
      if (take(',')) {
        skip_blanks();
        return !object || key();
      }
      if (!take(object ? '}' : ']')) return false;
      --depth_;
    }
    return true;
  }

  bool key() {
    if (!take('"') || !string()) return false;
    skip_blanks();
    return take(':');
  }

  bool scalar() {
    switch (*p_) {
      case '"':
        ++p_;
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  bool word(std::string_view text) {
    if (static_cast<std::size_t>(end_ - p_) < text.size() || std::memcmp(p_, text.data(), text.size()) != 0)
      return false;
    p_ += text.size();
    return true;
  }

  bool digits() {
    if (p_ == end_ || !is_digit(*p_)) return false;
    while (p_ < end_ && is_digit(*p_)) ++p_;
    return true;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  // Behind the opening quote.
  bool string() {
    while (true) {
      p_ = quote_or_backslash(p_, end_);
      if (p_ == end_) return false;
      if (*p_++ == '"') return true;
      if (p_ == end_) return false;
      switch (*p_) {
        case 'n':
        case '"':
        case '\\':
        case 't':
        case 'r':
        case '/':
        case 'b':
        case 'f':
          ++p_;
          break;
        case 'u':
          if (end_ - p_ < 5 || !is_hex(p_[1]) || !is_hex(p_[2]) || !is_hex(p_[3]) || !is_hex(p_[4]))
            return false;
          p_ += 5;
          break;
        default:
          return false;
      }
    }
  }

  const char* const begin_;
  const char* p_;
  const char* const end_;
  std::size_t depth_ = 0;
  std::bitset<kJsonDepthMax> is_object_;
};

}  // namespace

std::size_t json_fault(std::string_view text) { return Check(text).run(); }

}  // namespace tidegate::dialect
