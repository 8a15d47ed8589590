#include "gateway/dialect/json_check.h"

#include <simdjson.h>

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

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20; }

Scan scan_bytes(const char*& p, const char* end, bool& beyond_ascii) {
  for (; p < end; ++p) {
    const char c = *p;
    if (static_cast<unsigned char>(c) >= 0x80) beyond_ascii = true;
    if (is_control(c)) return Scan::kBroken;
    if (c == '"') {
      ++p;
      return Scan::kClosed;
    }
    if (c != '\\') continue;
    const std::size_t length = escape_length(p + 1, end);
    if (length == 0) return Scan::kBroken;
    p += length;
  }
  return Scan::kBroken;
}

#if defined(__x86_64__)
// One block: `hits` has a bit for each quote, backslash and control character among its `width` bytes.
// Prompts are full of escaped newlines and quotes, so those are followed inside the block instead of starting
// a new one behind each.
inline Scan scan_block(const char*& p, const char* end, std::uint32_t hits, std::size_t width) {
  std::size_t done = 0;
  while (hits != 0) {
    const auto place = static_cast<std::size_t>(__builtin_ctz(hits));
    if (p[place] == '"') {
      p += place + 1;
      return Scan::kClosed;
    }
    const std::size_t length = p[place] == '\\' ? escape_length(p + place + 1, end) : 0;
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

// Bytes behind the closing quote may be counted as beyond ASCII; that only costs a look at the whole text.
__attribute__((target("avx2"))) Scan scan_avx2(const char*& p, const char* end, bool& beyond_ascii) {
  const __m256i quote = _mm256_set1_epi8('"');
  const __m256i backslash = _mm256_set1_epi8('\\');
  const __m256i last_control = _mm256_set1_epi8(0x1f);
  while (end - p >= 32) {
    const __m256i block = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i either =
        _mm256_or_si256(_mm256_cmpeq_epi8(block, quote), _mm256_cmpeq_epi8(block, backslash));
    const __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(block, last_control), block);
    const auto hits = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(either, control)));
    beyond_ascii |= _mm256_movemask_epi8(block) != 0;
    const Scan result = scan_block(p, end, hits, 32);
    if (result != Scan::kGoOn) return result;
  }
  return Scan::kGoOn;
}

// Sixteen bytes, if there are as many.
inline Scan scan_sse2(const char*& p, const char* end, bool& beyond_ascii) {
  if (end - p < 16) return Scan::kGoOn;
  const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i either =
      _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')), _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
  const auto hits = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_or_si128(either, control)));
  beyond_ascii |= _mm_movemask_epi8(block) != 0;
  return scan_block(p, end, hits, 16);
}

Scan scan_string(const char*& p, const char* end, bool& beyond_ascii) {
  static const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
  // Most strings are names and words: shorter than a wide block, which is for prompts.
  Scan result = scan_sse2(p, end, beyond_ascii);
  if (result == Scan::kGoOn && kHasAvx2) result = scan_avx2(p, end, beyond_ascii);
  while (result == Scan::kGoOn && end - p >= 16) result = scan_sse2(p, end, beyond_ascii);
  return result == Scan::kGoOn ? scan_bytes(p, end, beyond_ascii) : result;
}
#else
Scan scan_string(const char*& p, const char* end, bool& beyond_ascii) {
  return scan_bytes(p, end, beyond_ascii);
}
#endif

}  // namespace

bool JsonWalk::value() {
  while (true) {
    if (p_ == end_) return false;
    bool inside = false;
    if (*p_ == '{' || *p_ == '[') {
      if (depth_ == kJsonDepthMax) return false;
      const bool object = *p_++ == '{';
      is_object_[depth_++] = object;
      skip_blanks();
      if (take(object ? '}' : ']')) {
        --depth_;
      } else {
        if (object && !key()) return false;
        inside = true;
      }
    } else if (!scalar()) {
      return false;
    }
    if (!inside && !behind_value()) return false;
    if (depth_ == 0) return true;
    skip_blanks();
  }
}

// Closes what ends here and moves to where the next value begins.
bool JsonWalk::behind_value() {
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

bool JsonWalk::key() {
  if (!take('"') || !string()) return false;
  skip_blanks();
  return take(':');
}

bool JsonWalk::scalar() {
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

bool JsonWalk::word(std::string_view text) {
  if (static_cast<std::size_t>(end_ - p_) < text.size() || std::memcmp(p_, text.data(), text.size()) != 0)
    return false;
  p_ += text.size();
  return true;
}

bool JsonWalk::digits() {
  if (p_ == end_ || !is_digit(*p_)) return false;
  while (p_ < end_ && is_digit(*p_)) ++p_;
  return true;
}

bool JsonWalk::number() {
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
bool JsonWalk::string() { return scan_string(p_, end_, beyond_ascii_) == Scan::kClosed; }

bool JsonMembers::next() {
  if (state_ == State::kStart) {
    walk_.skip_blanks();
    if (walk_.at_end()) return end(State::kBroken);
    if (!walk_.take('{')) return end(walk_.value() && finish() ? State::kOther : State::kBroken);
    open_ = walk_.at();
    walk_.skip_blanks();
    if (walk_.take('}')) return end(finish() ? State::kFine : State::kBroken);
  } else {
    walk_.skip_blanks();
    if (walk_.take('}')) return end(finish() ? State::kFine : State::kBroken);
    if (!walk_.take(',')) return end(State::kBroken);
    walk_.skip_blanks();
  }
  state_ = State::kMember;
  std::size_t begin = walk_.at() + 1;
  if (!walk_.key()) return end(State::kBroken);
  key_ = text_.substr(begin, text_.rfind('"', walk_.at() - 1) - begin);
  walk_.skip_blanks();
  begin = walk_.at();
  if (!walk_.value()) return end(State::kBroken);
  value_ = text_.substr(begin, walk_.at() - begin);
  return true;
}

// Nothing but white space may follow.
bool JsonMembers::finish() {
  walk_.skip_blanks();
  return walk_.at_end() && (!walk_.beyond_ascii() || simdjson::validate_utf8(text_.data(), text_.size()));
}

std::size_t json_fault(std::string_view text) {
  JsonWalk walk(text);
  walk.skip_blanks();
  if (!walk.value()) return walk.at();
  walk.skip_blanks();
  if (!walk.at_end()) return walk.at();
  if (walk.beyond_ascii() && !simdjson::validate_utf8(text.data(), text.size())) return text.size();
  return kJsonFine;
}

}  // namespace tidegate::dialect
