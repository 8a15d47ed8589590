// The letters and small words of HTTP/1.1: which bytes may stand in a token, a field value, a path, a query,
// a host.
//
// Source: RFC 9110 section 5 (fields), RFC 9112 section 3 (targets), RFC 3986 section 2 and 3. Where those
// leave room, the narrow reading is taken: what two parties could read in two ways is refused.
//
// Thread: pure functions.

#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tidegate::http {

namespace grammar {

inline constexpr std::uint8_t kToken = 1;  // tchar
inline constexpr std::uint8_t kPath = 2;   // pchar or '/', without '%'
inline constexpr std::uint8_t kQuery =
    4;                                    // what kPath has, '?', and what browsers leave unescaped in queries
inline constexpr std::uint8_t kName = 8;  // unreserved: all that may stand in a host name

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  const auto mark = [&](std::string_view letters, int bits) {
    for (const char c : letters) classes[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>(bits);
  };
  mark("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", kToken | kPath | kQuery | kName);
  mark("-._~", kToken | kPath | kQuery | kName);
  mark("!#$%&'*+^`|", kToken);
  mark("!$&'()*+,;=:@/", kPath | kQuery);
  mark("?[]{}|^`", kQuery);
  return classes;
}
inline constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

inline bool has(char c, std::uint8_t bits) { return (kClasses[static_cast<unsigned char>(c)] & bits) != 0; }

inline bool all(std::string_view text, std::uint8_t bits) {
  for (const char c : text) {
    if (!has(c, bits)) return false;
  }
  return true;
}

}  // namespace grammar

// A method or a field name: one tchar or more.
inline bool is_token(std::string_view text) { return !text.empty() && grammar::all(text, grammar::kToken); }

// What may stand in a field value: no control byte but tab. Bytes above 0x7f (obs-text) are allowed. Eight at
// a time, because every value of every message passes here.
inline bool is_field_value(std::string_view text) {
  const auto all_sound = [](std::string_view part) {
    for (const char c : part) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\t') || byte == 0x7f) return false;
    }
    return true;
  };
  // The high bit of a byte of `low` is set where the byte is below 0x20, of `del` where it is 0x7f. A borrow
  // may raise a false alarm, so an alarm is looked at byte by byte.
  const auto word_is_sound = [&](std::size_t at) {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    const std::uint64_t low = (word - kOnes * 0x20) & ~word;
    const std::uint64_t flipped = word ^ (kOnes * 0x7f);
    const std::uint64_t del = (flipped - kOnes) & ~flipped;
    return ((low | del) & (kOnes * 0x80)) == 0 || all_sound(text.substr(at, 8));
  };
  if (text.size() < 8) return all_sound(text);
  for (std::size_t at = 0; at + 8 < text.size(); at += 8) {
    if (!word_is_sound(at)) return false;
  }
  return word_is_sound(text.size() - 8);
}

// The value of a hex digit, or -1.
inline int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Where a path or a query breaks the rules: a byte outside its class, '%' without two hex digits, or an
// escaped control byte
// (%00 to %1f, %7f), which some reader behind us would let through. npos if it is sound.
std::size_t first_bad_in_path(std::string_view path);
std::size_t first_bad_in_query(std::string_view query);

// "example.com", "example.com:8080", "10.1.2.3:80", "[::1]:8080". No user info, no empty host, no list, a
// port of 0 to 65535.
bool is_authority(std::string_view text);
// The same with the port required, as CONNECT has it.
bool is_authority_with_port(std::string_view text);

}  // namespace tidegate::http
