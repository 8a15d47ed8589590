#include "http/grammar.h"

#include <algorithm>

namespace tidegate::http {
namespace {

std::size_t first_bad(std::string_view text, std::uint8_t bits) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (grammar::has(text[i], bits)) continue;
    if (text[i] != '%' || i + 2 >= text.size()) return i;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return i;
    const int byte = high * 16 + low;
    if (byte < 0x20 || byte == 0x7f) return i;
    i += 2;
  }
  return std::string_view::npos;
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= 65535;
}

// The host's length, or 0 if there is no sound host.
std::size_t host_length(std::string_view text) {
  if (text.empty()) return 0;
  if (text.front() != '[') {
    const std::size_t end = std::min(text.find(':'), text.size());
    return grammar::all(text.substr(0, end), grammar::kName) ? end : 0;
  }
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos || close < 3) return 0;
  for (const char c : text.substr(1, close - 1)) {
    if (hex_value(c) < 0 && c != ':' && c != '.') return 0;
  }
  return close + 1;
}

}  // namespace

std::size_t first_bad_in_path(std::string_view path) { return first_bad(path, grammar::kPath); }
std::size_t first_bad_in_query(std::string_view query) { return first_bad(query, grammar::kQuery); }

bool is_authority(std::string_view text) {
  const std::size_t host = host_length(text);
  if (host == 0) return false;
  if (host == text.size()) return true;
  return text[host] == ':' && is_port(text.substr(host + 1));
}

bool is_authority_with_port(std::string_view text) {
  const std::size_t host = host_length(text);
  return host != 0 && host < text.size() && text[host] == ':' && is_port(text.substr(host + 1));
}

}  // namespace tidegate::http
