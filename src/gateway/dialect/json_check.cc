#include "gateway/dialect/json_check.h"

#include <bitset>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tidegate::dialect {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Characters of an escape behind its backslash; 0 where there is no such escape.
std::size_t escape_length(const char* p, const char* end) {
  if (p == end) return 0;
  switch (*p) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return 1;
    case 'u':
      return end - p >= 5 && is_hex(p[1]) && is_hex(p[2]) && is_hex(p[3]) && is_hex(p[4]) ? 5 : 0;
    default:
      return 0;
  }
}

// The end of a string, by ever narrower steps. Each step moves `p` on and says whether it came to an end.
enum class Scan { kClosed, kBroken, kGoOn };

Scan scan_bytes(const char*& p, const char* end) {
  while (p < end) {
    const char c = *p++;
    if (c == '"') return Scan::kClosed;
    if (c != '\\') continue;
    const std::size_t length = escape_length(p, end);
    if (length == 0) return Scan::kBroken;
    p += length;
  }
  return Scan::kBroken;
}

#if defined(__x86_64__)
// One block: `hits` has a bit for each quote and backslash among its `width` bytes. Prompts are full of
// escaped newlines and quotes, so those are followed inside the block instead of starting a new one behind
// each.
inline Scan scan_block(const char*& p, const char* end, std::uint32_t hits, std::size_t width) {
  std::size_t done = 0;
  while (hits != 0) {
    const auto place = static_cast<std::size_t>(__builtin_ctz(hits));
    if (p[place] == '"') {
      p += place + 1;
      return Scan::kClosed;
    }
    const std::size_t length = escape_length(p + place + 1, end);
    if (length == 0) {
      p += place;
      return Scan::kBroken;
    }
    done = place + 1 + length;
    if (done >= width) break;
    hits &= ~std::uint32_t{0} << done;
  }
  p += done > width ? done : width;
  return Scan::kGoOn;
}

__attribute__((target("avx2"))) Scan scan_avx2(const char*& p, const char* end) {
  const __m256i quote = _mm256_set1_epi8('"');
  const __m256i backslash = _mm256_set1_epi8('\\');
  while (end - p >= 32) {
    const __m256i block = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i either =
        _mm256_or_si256(_mm256_cmpeq_epi8(block, quote), _mm256_cmpeq_epi8(block, backslash));
    const Scan result = scan_block(p, end, static_cast<std::uint32_t>(_mm256_movemask_epi8(either)), 32);
    if (result != Scan::kGoOn) return result;
  }
  return Scan::kGoOn;
}

Scan scan_sse2(const char*& p, const char* end) {
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  while (end - p >= 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i either = _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash));
    const Scan result = scan_block(p, end, static_cast<std::uint32_t>(_mm_movemask_epi8(either)), 16);
    if (result != Scan::kGoOn) return result;
  }
  return Scan::kGoOn;
}

Scan scan_string(const char*& p, const char* end) {
  static const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
  Scan result = kHasAvx2 ? scan_avx2(p, end) : Scan::kGoOn;
  if (result == Scan::kGoOn) result = scan_sse2(p, end);
  return result == Scan::kGoOn ? scan_bytes(p, end) : result;
}
#else
Scan scan_string(const char*& p, const char* end) { return scan_bytes(p, end); }
#endif

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
  bool string() { return scan_string(p_, end_) == Scan::kClosed; }

  const char* const begin_;
  const char* p_;
  const char* const end_;
  std::size_t depth_ = 0;
  std::bitset<kJsonDepthMax> is_object_;
};

}  // namespace

std::size_t json_fault(std::string_view text) { return Check(text).run(); }

}  // namespace tidegate::dialect
