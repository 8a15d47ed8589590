#include "http/h1_lines.h"

#include <algorithm>

#include "base/ascii.h"
#include "http/grammar.h"

namespace tidegate::http {
namespace {

constexpr std::size_t kVersionBytes = 8;

// The methods of RFC 9110 and PATCH. Whoever sends another wants something that nothing behind this gateway
// does.
bool is_method(std::string_view text) {
  switch (text.size()) {
    case 3:
      return text == "GET" || text == "PUT";
    case 4:
      return text == "POST" || text == "HEAD";
    case 5:
      return text == "PATCH" || text == "TRACE";
    case 6:
      return text == "DELETE";
    case 7:
      return text == "OPTIONS" || text == "CONNECT";
    default:
      return false;
  }
}

}  // namespace

bool is_version(std::string_view text) { return text == "HTTP/1.1" || text == "HTTP/1.0"; }

LineFault read_request_line(std::string_view line, Head& head) {
  const std::size_t target_end = line.rfind(' ');
  if (target_end == std::string_view::npos || !is_version(line.substr(target_end + 1))) {
    return {"version", "is not HTTP/1.0 or HTTP/1.1, the versions served here"};
  }
  const std::size_t method_end = line.find(' ');
  if (!is_method(line.substr(0, method_end))) {
    return {"method", "is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE, CONNECT"};
  }
  if (target_end <= method_end + 1) {
    return {"target", "is missing; send method, target and version with one space between them"};
  }
  head.method = line.substr(0, method_end);
  head.target = line.substr(method_end + 1, target_end - method_end - 1);
  head.minor_version = line.back() - '0';
  return {};
}

LineFault read_status_line(std::string_view line, Head& head) {
  if (!is_version(line.substr(0, kVersionBytes))) {
    return {"version", "is not HTTP/1.0 or HTTP/1.1, the versions spoken here"};
  }
  const auto is_digit = [&line](std::size_t at) { return line[at] >= '0' && line[at] <= '9'; };
  if (line.size() < 12 || line[8] != ' ' || !is_digit(9) || !is_digit(10) || !is_digit(11) ||
      (line.size() > 12 && line[12] != ' ')) {
    return {"status", "does not stand in a line of version, three digits and reason, one space apart"};
  }
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  head.reason = line.substr(std::min<std::size_t>(13, line.size()));
  head.minor_version = line[kVersionBytes - 1] - '0';
  if (!is_field_value(head.reason)) return {"status", "has a control byte in its reason"};
  return {};
}

LineFault read_field_line(std::string_view line, Header& header) {
  std::size_t colon = 0;
  while (colon < line.size() && grammar::has(line[colon], grammar::kToken)) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') {
    return {"header", "has a line that is not a name of token letters, a colon and a value"};
  }
  header = {line.substr(0, colon), ascii::trim(line.substr(colon + 1))};
  if (!is_field_value(header.value)) return {"header", "has a control byte in a value; send printable text"};
  return {};
}

}  // namespace tidegate::http
