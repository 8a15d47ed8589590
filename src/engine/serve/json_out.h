// JSON written by hand into a string that the caller reuses: one streamed token costs no allocation.
//
// Text must be UTF-8; it is escaped, not checked.
//
// Thread: pure functions.

#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::serve {

// `text` with its quotes.
void append_quoted(std::string& out, std::string_view text);
// The inside only, for text that is put together from pieces.
void append_escaped(std::string& out, std::string_view text);

void append_int(std::string& out, std::int64_t value);
// The shortest form that reads back as the same number; infinities become +-9999, NaN null.
void append_float(std::string& out, double value);

inline void append_bool(std::string& out, bool value) { out += value ? "true" : "false"; }

// Writes  ,"name":  and leaves the value to the caller; the comma only if something stands before it.
void append_key(std::string& out, std::string_view name);

inline void append_field(std::string& out, std::string_view name, std::string_view text) {
  append_key(out, name);
  append_quoted(out, text);
}
template <std::integral T>
void append_field(std::string& out, std::string_view name, T value) {
  append_key(out, name);
  if constexpr (std::same_as<T, bool>) {
    append_bool(out, value);
  } else {
    append_int(out, static_cast<std::int64_t>(value));
  }
}
inline void append_null(std::string& out, std::string_view name) {
  append_key(out, name);
  out += "null";
}

}  // namespace tidegate::serve
