#include "http/target.h"

#include <algorithm>

#include "base/ascii.h"
#include "http/grammar.h"

namespace tidegate::http {
namespace {

constexpr std::size_t kParametersMax = 256;

std::string describe_byte(char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (byte > 0x20 && byte < 0x7f && c != '%') return std::string("'") + c + "'";
  if (c == '%') return "a broken or forbidden escape";
  return std::string("the byte 0x") + kHex[byte >> 4] + kHex[byte & 15];
}

tl::unexpected<Error> refuse_at(std::string_view part, std::size_t at, std::string_view what) {
  return invalid("target", "has " + describe_byte(part[at]) + " in its " + std::string(what) +
                               "; escape it as %XX, control bytes are not accepted in any form");
}

Result<void> split_path(std::string_view rest, Target& target) {
  const std::size_t question = rest.find('?');
  target.path = rest.substr(0, question);
  if (question != std::string_view::npos) {
    target.has_query = true;
    target.query = rest.substr(question + 1);
  }
  if (const std::size_t at = first_bad_in_path(target.path); at != std::string_view::npos) {
    return refuse_at(target.path, at, "path");
  }
  if (const std::size_t at = first_bad_in_query(target.query); at != std::string_view::npos) {
    return refuse_at(target.query, at, "query");
  }
  return {};
}

// Decodes onto `out`. False for a broken escape or one of a control byte.
bool decode(std::string_view text, bool plus_is_space, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      if (i + 2 >= text.size()) return false;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return false;
      const int byte = high * 16 + low;
      if (byte < 0x20 || byte == 0x7f) return false;
      out.push_back(static_cast<char>(byte));
      i += 2;
    }
  }
  return true;
}

tl::unexpected<Error> broken_escape() {
  return invalid("target", "has a '%' that is not followed by two hex digits of a printable byte");
}

// Calls `each(name, value)` for every undecoded piece until it returns false.
template <typename Each>
void for_each_piece(std::string_view query, Each each) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view piece = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (piece.empty()) continue;
    const std::size_t equals = std::min(piece.find('='), piece.size());
    if (!each(piece.substr(0, equals), piece.substr(std::min(equals + 1, piece.size())))) return;
  }
}

}  // namespace

Result<Target> split_target(std::string_view text) {
  Target target;
  if (text == "*") {
    target.path = text;
    return target;
  }
  if (!text.empty() && text.front() == '/') {
    if (auto split = split_path(text, target); !split) return tl::unexpected(split.error());
    return target;
  }
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) {
    return invalid("target", "is neither a path that begins with '/' nor an http:// or https:// address");
  }
  target.scheme = text.substr(0, colon);
  if (!ascii::equals_ignoring_case(target.scheme, "http") &&
      !ascii::equals_ignoring_case(target.scheme, "https")) {
    return invalid("target", "has a scheme that is not served; use http or https");
  }
  const std::string_view rest = text.substr(colon + 3);
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  target.authority = rest.substr(0, end);
  if (!is_authority(target.authority)) {
    return invalid("target", "has an authority that is not host or host:port");
  }
  if (auto split = split_path(rest.substr(end), target); !split) return tl::unexpected(split.error());
  if (target.path.empty()) target.path = "/";
  return target;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (!decode(text, false, out)) return broken_escape();
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (grammar::has(c, grammar::kName)) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

bool has_dot_segments(std::string_view path) {
  // Walks the path as a reader that decodes first would see it: a segment ends at '/', "%2f", '\' or "%5c".
  std::size_t dots = 0;
  bool only_dots = true;
  const auto ends_badly = [&] { return only_dots && (dots == 1 || dots == 2); };
  for (std::size_t i = 0; i < path.size(); ++i) {
    int byte = static_cast<unsigned char>(path[i]);
    if (byte == '%' && i + 2 < path.size() && hex_value(path[i + 1]) >= 0 && hex_value(path[i + 2]) >= 0) {
      byte = hex_value(path[i + 1]) * 16 + hex_value(path[i + 2]);
      i += 2;
    }
    if (byte == '/' || byte == '\\') {
      if (ends_badly()) return true;
      dots = 0;
      only_dots = true;
    } else if (byte == '.') {
      ++dots;
    } else {
      only_dots = false;
    }
  }
  return ends_badly();
}

Result<std::vector<std::pair<std::string, std::string>>> query_parameters(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  bool sound = true;
  for_each_piece(query, [&](std::string_view name, std::string_view value) {
    auto& [to_name, to_value] = parameters.emplace_back();
    sound = decode(name, true, to_name) && decode(value, true, to_value);
    return sound && parameters.size() <= kParametersMax;
  });
  if (!sound) return broken_escape();
  if (parameters.size() > kParametersMax) {
    return fail(Code::kTooLarge, "has more than " + std::to_string(kParametersMax) + " query parameters",
                "target");
  }
  return parameters;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  std::optional<std::string> found;
  for_each_piece(query, [&](std::string_view raw_name, std::string_view raw_value) {
    std::string decoded;
    if (!decode(raw_name, true, decoded) || decoded != name) return true;
    decoded.clear();
    if (decode(raw_value, true, decoded)) found = std::move(decoded);
    return false;
  });
  return found;
}

}  // namespace tidegate::http
