#include "base/base64.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tidegate::base64 {

std::string encode(std::string_view bytes) {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < have ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text.push_back(j <= have ? kLetters[group >> (18 - 6 * j) & 63] : '=');
    }
  }
  return text;
}

std::optional<std::string> decode(std::string_view text) {
  std::string result;
  result.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int count = 0;
  std::size_t letters = 0;
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    ++letters;
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<std::uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint32_t>(c - 'a' + 26);
    } else if (c >= '0' && c <= '9') {
      value = static_cast<std::uint32_t>(c - '0' + 52);
    } else if (c == '+') {
      value = 62;
    } else if (c == '/') {
      value = 63;
    } else if (c == '=') {
      if (++padding > 2) return {};
      continue;
    } else {
      return {};
    }
    if (padding > 0) return {};
    bits = (bits << 6) | value;
    if (++count == 4) {
      result += static_cast<char>((bits >> 16) & 0xff);
      result += static_cast<char>((bits >> 8) & 0xff);
      result += static_cast<char>(bits & 0xff);
      bits = 0;
      count = 0;
    }
  }
  if (letters % 4 != 0) return {};
  if (count == 2) result += static_cast<char>((bits >> 4) & 0xff);
  if (count == 3) {
    result += static_cast<char>((bits >> 10) & 0xff);
    result += static_cast<char>((bits >> 2) & 0xff);
  }
  if (count == 1) return {};
  return result;
}

}  // namespace tidegate::base64
