// Documents to text. Says the same as the library's own writer, which it leaves every rare case to, in a
// fraction of the time: most of a document is plain text, and that is copied as it stands.

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "resource/json.h"

namespace tidegate::resource {
namespace {

// How a byte stands inside a string: 0 as it is, 1 is no ASCII, else behind a backslash.
constexpr char kNoAscii = 1;
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> escapes{};
  for (std::size_t byte = 0; byte < 0x20; ++byte) escapes[byte] = 'u';
  for (std::size_t byte = 0x80; byte < 0x100; ++byte) escapes[byte] = kNoAscii;
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  return escapes;
}();

std::string by_library(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

void append_escape(std::string& out, unsigned char byte) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  out += '\\';
  out += kEscapes[byte];
  if (kEscapes[byte] != 'u') return;
  out += "00";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

// The library knows what UTF-8 is and what is not.
void append_string(std::string& out, const std::string& text) {
  const std::size_t begin = out.size();
  out += '"';
  std::size_t plain = 0;  // from here on nothing is written yet
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (kEscapes[byte] == 0) continue;
    if (kEscapes[byte] == kNoAscii) {
      out.resize(begin);
      out += by_library(text);
      return;
    }
    out.append(text, plain, at - plain);
    append_escape(out, byte);
    plain = at + 1;
  }
  out.append(text, plain);
  out += '"';
}

template <typename Number>
void append_number(std::string& out, Number number) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append(std::string& out, const Json& json) {
  char before = '{';
  switch (json.type()) {
    case Json::value_t::object:
      for (const auto& [key, value] : json.get_ref<const Json::object_t&>()) {
        out += std::exchange(before, ',');
        append_string(out, key);
        out += ':';
        append(out, value);
      }
      out += json.empty() ? "{}" : "}";
      return;
    case Json::value_t::array:
      before = '[';
      for (const Json& value : json) {
        out += std::exchange(before, ',');
        append(out, value);
      }
      out += json.empty() ? "[]" : "]";
      return;
    case Json::value_t::string:
      return append_string(out, json.get_ref<const std::string&>());
    case Json::value_t::number_integer:
      return append_number(out, json.get<std::int64_t>());
    case Json::value_t::number_unsigned:
      return append_number(out, json.get<std::uint64_t>());
    default:
      out += by_library(json);
  }
}

}  // namespace

// Written into a buffer that stays: a string that grows as it is written is copied again and again.
std::string to_text(const Json& json) {
  constexpr std::size_t kKept = 1 << 20;
  thread_local std::string buffer;
  buffer.clear();
  append(buffer, json);
  if (buffer.capacity() > kKept) return std::exchange(buffer, {});
  return buffer;
}

}  // namespace tidegate::resource
