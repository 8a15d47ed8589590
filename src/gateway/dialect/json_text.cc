#include "gateway/dialect/json_text.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace tidegate::dialect {
namespace {

bool ends_scalar(char c) {
  switch (c) {
    case ' ':
    case '\n':
    case '\r':
    case '\t':
    case ',':
    case ':':
    case '"':
    case '{':
    case '}':
    case '[':
    case ']':
      return true;
    default:
      return false;
  }
}

bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

// Bytes of the valid UTF-8 sequence at the start of `text`; 0 if it is none. Source: Unicode 15, table 3-7.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i, unsigned low, unsigned high) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return tail(1, low, high) && tail(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return tail(1, low, high) && tail(2, 0x80, 0xBF) && tail(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, unsigned char c) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
  }
}

}  // namespace

std::size_t find_word(std::string_view text, std::string_view word) {
#ifdef __SSE2__
  constexpr std::size_t kStep = 16;
  if (text.size() >= word.size() + kStep - 1) {
    // Two bytes inside the word are compared, because quotes stand everywhere in JSON.
    const std::size_t inner = word.size() - 2;
    const __m128i second = _mm_set1_epi8(word[1]);
    const __m128i last_but_one = _mm_set1_epi8(word[inner]);
    const auto load = [&](std::size_t from) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
    };
    const std::size_t last_step = text.size() - word.size() - (kStep - 1);
    for (std::size_t at = 0;; at = std::min(at + kStep, last_step)) {
      const __m128i both =
          _mm_and_si128(_mm_cmpeq_epi8(load(at + 1), second), _mm_cmpeq_epi8(load(at + inner), last_but_one));
      for (auto places = static_cast<unsigned>(_mm_movemask_epi8(both)); places != 0; places &= places - 1) {
        const std::size_t place = at + static_cast<std::size_t>(std::countr_zero(places));
        if (std::memcmp(text.data() + place, word.data(), word.size()) == 0) return place;
      }
      if (at == last_step) return std::string_view::npos;
    }
  }
#endif
  return text.find(word);
}

void append_json_token(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(static_cast<unsigned char>(text[plain]))) ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto c = static_cast<unsigned char>(text.front());
    if (c < 0x80) {
      append_escaped(out, c);
      text.remove_prefix(1);
    } else if (const std::size_t length = utf8_length(text); length > 0) {
      out += text.substr(0, length);
      text.remove_prefix(length);
    } else {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
    }
  }
  out += '"';
}

std::string json_token(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_json_token(out, text);
  return out;
}

bool JsonCursor::at_end() {
  skip_blanks();
  return ok_ && at_ == text_.size();
}

std::string_view JsonCursor::raw_string() {
  if (!take('"')) {
    fail();
    return {};
  }
  const std::size_t begin = at_;
  const char* const data = text_.data();
  while (at_ < text_.size()) {
    const void* quote = std::memchr(data + at_, '"', text_.size() - at_);
    if (quote == nullptr) break;
    const auto end = static_cast<std::size_t>(static_cast<const char*>(quote) - data);
    // An odd number of backslashes before it makes the quote part of the string.
    std::size_t first = end;
    while (first > begin && data[first - 1] == '\\') --first;
    at_ = end + 1;
    if ((end - first) % 2 == 0) return text_.substr(begin, end - begin);
  }
  fail();
  return {};
}

std::string_view JsonCursor::value() {
  const char first = peek();
  const std::size_t begin = at_;
  if (first == '"') {
    raw_string();
  } else if (first == '{' || first == '[') {
    // Brackets are counted by kind through a small stack of bits, so "[}" is no value.
    std::uint64_t kinds = 0;
    int depth = 0;
    do {
      const char c = peek();
      if (c == '"') {
        raw_string();
      } else if (c == '{' || c == '[') {
        if (++depth > kDepthMax) fail();
        kinds = (kinds << 1) | (c == '{' ? 1 : 0);
        ++at_;
      } else if (c == '}' || c == ']') {
        if ((kinds & 1) != (c == '}' ? 1U : 0U)) fail();
        kinds >>= 1;
        --depth;
        ++at_;
      } else if (c == '\0') {
        fail();
      } else {
        ++at_;
      }
    } while (ok_ && depth > 0);
  } else {
    while (at_ < text_.size() && !ends_scalar(text_[at_])) ++at_;
    if (at_ == begin) fail();
  }
  return ok_ ? text_.substr(begin, at_ - begin) : std::string_view{};
}

}  // namespace tidegate::dialect
