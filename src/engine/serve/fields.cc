#include "engine/serve/fields.h"

#include <charconv>
#include <cmath>

namespace tidegate::serve {

using simdjson::dom::element_type;

namespace {

// A string that is a number and nothing else.
template <typename T>
std::optional<T> number_in(Json value) {
  const std::string_view text = value;
  T number{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool all = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return all ? std::optional(number) : std::nullopt;
}

}  // namespace

ApiResult<void> read_text(Json value, std::string_view path, std::string& out) {
  if (value.is_null()) return {};
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS)
    return bad_shape("string_type", path, "Input should be a valid string");
  out.assign(text);
  return {};
}

ApiResult<void> read_bool(Json value, std::string_view path, bool& out) {
  if (value.is_null()) return {};
  if (value.get(out) != simdjson::SUCCESS)
    return bad_shape("bool_type", path, "Input should be a valid boolean");
  return {};
}

ApiResult<void> read_int(Json value, std::string_view path, std::optional<std::int64_t>& out) {
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return {};
    case element_type::INT64:
      out = std::int64_t(value);
      return {};
    case element_type::UINT64:
      return bad_shape("int_parsing_size", path,
                       "Unable to parse input as an integer, exceeded maximum size");
    case element_type::DOUBLE: {
      const double number = value;
      constexpr double kExact = 9007199254740992.0;  // 2^53
      if (std::trunc(number) == number && std::fabs(number) <= kExact) {
        out = static_cast<std::int64_t>(number);
        return {};
      }
      return bad_shape("int_from_float", path,
                       "Input should be a valid integer, got a number with a fractional part");
    }
    case element_type::BOOL:
      out = bool(value) ? 1 : 0;
      return {};
    case element_type::STRING:
      out = number_in<std::int64_t>(value);
      if (out) return {};
      return bad_shape("int_parsing", path,
                       "Input should be a valid integer, unable to parse string as an integer");
    default:
      return bad_shape("int_type", path, "Input should be a valid integer");
  }
}

ApiResult<void> read_number(Json value, std::string_view path, std::optional<double>& out) {
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return {};
    case element_type::INT64:
      out = static_cast<double>(std::int64_t(value));
      return {};
    case element_type::UINT64:
      out = static_cast<double>(std::uint64_t(value));
      return {};
    case element_type::DOUBLE:
      out = double(value);
      return {};
    case element_type::STRING:
      out = number_in<double>(value);
      if (out && std::isfinite(*out)) return {};
      return bad_shape("float_parsing", path,
                       "Input should be a valid number, unable to parse string as a number");
    default:
      return bad_shape("float_type", path, "Input should be a valid number");
  }
}

ApiResult<std::vector<batch::Token>> read_tokens(Json value, std::string_view path, std::size_t vocabulary) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS)
    return bad_shape("list_type", path, "Input should be a valid list");
  std::vector<batch::Token> tokens;
  tokens.reserve(list.size());
  for (const Json item : list) {
    std::int64_t id = 0;
    if (item.get(id) != simdjson::SUCCESS) {
      return bad_shape("int_type", std::string(path) + "." + std::to_string(tokens.size()),
                       "Input should be a valid integer");
    }
    if (id < 0 || static_cast<std::uint64_t>(id) >= vocabulary) {
      return bad_request("Token id " + std::to_string(id) + " is out of vocabulary", std::string(path));
    }
    tokens.push_back(static_cast<batch::Token>(id));
  }
  return tokens;
}

ApiResult<std::vector<std::string>> read_texts(Json value, std::string_view path) {
  std::vector<std::string> texts;
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    texts.emplace_back(text);
    return texts;
  }
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) {
    return bad_shape("string_type", path, "Input should be a valid string or a list of strings");
  }
  for (const Json item : list) {
    if (item.get(text) != simdjson::SUCCESS) {
      return bad_shape("string_type", std::string(path) + "." + std::to_string(texts.size()),
                       "Input should be a valid string");
    }
    texts.emplace_back(text);
  }
  return texts;
}

std::string json_text(Json value) { return simdjson::minify(value); }

}  // namespace tidegate::serve
