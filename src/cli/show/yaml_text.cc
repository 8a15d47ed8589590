#include "cli/show/yaml_text.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace tidegate::show {
namespace {

using resource::Json;

// Words that some reader takes for a boolean or null, in any case.
constexpr std::array<std::string_view, 12> kWords = {"true", "false", "yes",  "no", "on", "off",
                                                     "y",    "n",     "null", "~",  "=",  "<<"};

// Letters first, then letters, digits and marks that mean nothing to YAML where they stand.
bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (!letter(text.front()) && text.front() != '/') return false;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!letter(c) && !digit && std::string_view("-_./ (),=+;@").find(c) == std::string_view::npos)
      return false;
  }
  if (text.back() == ' ') return false;
  std::string low(text);
  std::transform(low.begin(), low.end(), low.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::find(kWords.begin(), kWords.end(), low) == kWords.end();
}

// Several lines without anything that a block would change: no blanks at ends, one line end at the end.
bool is_block(std::string_view text) {
  if (text.find('\n') == std::string_view::npos || text.front() == ' ' || text.front() == '\n') return false;
  if (text.back() == '\n' && text.size() > 1 && text[text.size() - 2] == '\n') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' && i > 0 && text[i - 1] == ' ') return false;
    if (c != '\n' && (static_cast<unsigned char>(c) < 32 || c == 127)) return false;
  }
  return text.back() != ' ';
}

std::string quoted(const Json& text) { return text.dump(-1, ' ', false, Json::error_handler_t::replace); }

void add_text(const Json& json, std::size_t indent, std::string& out) {
  const auto& text = json.get_ref<const std::string&>();
  if (is_plain(text)) {
    out += text + "\n";
  } else if (!text.empty() && is_block(text)) {
    out += text.back() == '\n' ? "|\n" : "|-\n";
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      if (end > at) out.append(indent, ' ').append(text, at, end - at);
      out += '\n';
      at = end + 1;
    }
  } else {
    out += quoted(json) + "\n";
  }
}

void add(const Json& json, std::size_t indent, bool at_line_start, std::string& out);

void add_members(const Json& json, std::size_t indent, bool at_line_start, std::string& out) {
  for (const auto& [key, value] : json.items()) {
    if (at_line_start) out.append(indent, ' ');
    at_line_start = true;
    out += is_plain(key) ? key : quoted(Json(key));
    out += ':';
    // Lists stand under their key without being moved in, as kubectl prints them.
    if (value.is_structured() && !value.empty()) {
      out += '\n';
      add(value, value.is_array() ? indent : indent + 2, true, out);
    } else {
      out += ' ';
      add(value, indent + 2, false, out);
    }
  }
}

void add_items(const Json& json, std::size_t indent, bool at_line_start, std::string& out) {
  for (const Json& item : json) {
    if (at_line_start) out.append(indent, ' ');
    at_line_start = true;
    out += "- ";
    add(item, indent + 2, false, out);
  }
}

void add(const Json& json, std::size_t indent, bool at_line_start, std::string& out) {
  if (json.is_string()) {
    add_text(json, indent, out);
  } else if (!json.is_structured()) {
    out += json.dump() + "\n";
  } else if (json.empty()) {
    out += json.is_array() ? "[]\n" : "{}\n";
  } else if (json.is_array()) {
    add_items(json, indent, at_line_start, out);
  } else {
    add_members(json, indent, at_line_start, out);
  }
}

}  // namespace

std::string to_yaml(const Json& json) {
  std::string out;
  add(json, 0, true, out);
  return out;
}

}  // namespace tidegate::show
