// The start line and header fields of one HTTP/1.1 message, as views into the bytes they were read from.
//
// Thread: a value; the bytes behind the views must outlive it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "http/field.h"

namespace tidegate::http {

struct Header {
  Header() = default;
  Header(std::string_view its_name, std::string_view its_value)
      : name(its_name), value(its_value), field(field_of(its_name)) {}

  std::string_view name;        // as sent; compare without case
  std::string_view value;       // without surrounding blanks
  Field field = Field::kOther;  // of the name
};

enum class Framing {
  kNone,    // no body
  kLength,  // content_length bytes
  kChunked,
  kUntilClose,  // responses only
};

// A message may name at most this many options in its Connection fields.
inline constexpr std::size_t kConnectionOptionsMax = 16;

struct Head {
  // Requests.
  std::string_view method;
  std::string_view target;  // origin-form ("/v1/models?x=1"), absolute-form, or "*"

  // Responses.
  int status = 0;
  std::string_view reason;

  int minor_version = 1;  // HTTP/1.x
  std::vector<Header> headers;

  Framing framing = Framing::kNone;
  std::uint64_t content_length = 0;  // with kLength
  bool keep_alive = true;
  bool expect_continue = false;

  // The first field of that name, compared without case.
  std::optional<std::string_view> find(std::string_view name) const {
    for (const Header& header : headers) {
      if (ascii::equals_ignoring_case(header.name, name)) return header.value;
    }
    return std::nullopt;
  }
  // The same for one that has a number; cheaper.
  std::optional<std::string_view> find(Field field) const {
    for (const Header& header : headers) {
      if (header.field == field) return header.value;
    }
    return std::nullopt;
  }
};

// Calls `each(token)` for each element of a comma-separated list, blanks around it removed, empty ones
// skipped.
template <typename Each>
void for_each_in_list(std::string_view value, Each each) {
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    const std::string_view item = ascii::trim(value.substr(0, comma));
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
    if (!item.empty()) each(item);
  }
}

}  // namespace tidegate::http
