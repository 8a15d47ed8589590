#include "http/h1_rules.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/grammar.h"

namespace tidegate::http {
namespace {

using ascii::equals_ignoring_case;

// What the fields say that decide about the message, gathered in one pass.
struct Facts {
  const Header* host = nullptr;
  const Header* length = nullptr;
  const Header* coding = nullptr;
  const Header* type = nullptr;
  const Header* expect = nullptr;
  std::size_t connection_options = 0;
  bool close = false;
  bool keep_alive = false;
  const char* repeated = nullptr;  // a field that may stand once and does not
  const char* misspelt = nullptr;  // a framing field with an underscore
};

// True for "content_length" as well: a reader that maps '_' to '-', as CGI does, would take it for a framing
// field.
bool looks_like(std::string_view name, std::string_view wanted) {
  return std::equal(name.begin(), name.end(), wanted.begin(), wanted.end(),
                    [](char a, char b) { return (a == '_' ? '-' : ascii::lower(a)) == b; });
}

void note_once(const Header*& slot, const Header& header, const char* field, Facts& facts) {
  if (slot != nullptr) facts.repeated = field;
  slot = &header;
}

void note_connection(const Header& header, Facts& facts) {
  for_each_in_list(header.value, [&](std::string_view option) {
    ++facts.connection_options;
    if (equals_ignoring_case(option, "close")) facts.close = true;
    if (equals_ignoring_case(option, "keep-alive")) facts.keep_alive = true;
  });
}

void note_lookalike(const Header& header, const char* field, Facts& facts) {
  if (looks_like(header.name, field)) facts.misspelt = field;
}

void note(const Header& header, Facts& facts) {
  switch (header.field) {
    case Field::kHost:
      return note_once(facts.host, header, "host", facts);
    case Field::kExpect:
      return note_once(facts.expect, header, "expect", facts);
    case Field::kConnection:
      return note_connection(header, facts);
    case Field::kContentType:
      return note_once(facts.type, header, "content-type", facts);
    case Field::kContentLength:
      return note_once(facts.length, header, "content-length", facts);
    case Field::kTransferEncoding:
      return note_once(facts.coding, header, "transfer-encoding", facts);
    case Field::kOther:
      if (header.name.size() == 14) note_lookalike(header, "content-length", facts);
      if (header.name.size() == 17) note_lookalike(header, "transfer-encoding", facts);
      return;
    default:
      return;
  }
}

Result<void> gather(const Head& head, Facts& facts) {
  for (const Header& header : head.headers) note(header, facts);
  if (facts.misspelt != nullptr)
    return invalid(facts.misspelt, "is spelled with an underscore; use a hyphen");
  if (facts.repeated != nullptr) return invalid(facts.repeated, "appears more than once; send exactly one");
  return {};
}

// The value stands right behind the colon or one space, and nothing is behind it. Blanks that readers trim
// differently have no business in a field that frames the message.
bool is_plainly_placed(const Header& header) {
  const char* after_colon = header.name.data() + header.name.size() + 1;
  const std::ptrdiff_t blanks = header.value.data() - after_colon;
  if (blanks > 1 || (blanks == 1 && *after_colon != ' ')) return false;
  return header.value.data()[header.value.size()] == '\r';
}

Result<void> read_length(const Header& header, Head& head) {
  const std::string_view value = header.value;
  if (value.empty() ||
      !std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return invalid("content-length", "is not a number; send its decimal digits only");
  }
  if (value.size() > 1 && value.front() == '0') {
    return invalid("content-length", "has leading zeros; send its decimal digits only");
  }
  // 2^63 - 1 keeps the sum of any two sizes representable for whoever adds to it.
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), head.content_length);
  if (parsed.ec != std::errc{} || head.content_length > (std::uint64_t{1} << 63) - 1) {
    return invalid("content-length", "is larger than any body can be");
  }
  if (!is_plainly_placed(header)) {
    return invalid("content-length", "has blanks around its value; send one space at most before it");
  }
  head.framing = Framing::kLength;
  return {};
}

Result<void> read_framing(const Facts& facts, Head& head) {
  if (facts.coding != nullptr) {
    if (facts.length != nullptr) {
      return invalid("transfer-encoding", "stands beside a Content-Length; send only one of them");
    }
    if (head.minor_version == 0) {
      return invalid("transfer-encoding", "is not part of HTTP/1.0; send a Content-Length");
    }
    if (!equals_ignoring_case(facts.coding->value, "chunked")) {
      return invalid("transfer-encoding", "is not understood; the only coding served is chunked, named once");
    }
    if (!is_plainly_placed(*facts.coding)) {
      return invalid("transfer-encoding", "has blanks around its value; send one space at most before it");
    }
    head.framing = Framing::kChunked;
    return {};
  }
  if (facts.length != nullptr) return read_length(*facts.length, head);
  return {};
}

Result<void> read_connection(const Facts& facts, Head& head) {
  if (facts.connection_options > kConnectionOptionsMax) {
    return invalid("connection", "names too many options; name 16 at most");
  }
  head.keep_alive = head.minor_version == 0 ? facts.keep_alive && !facts.close : !facts.close;
  return {};
}

Result<void> judge_host(const Facts& facts) {
  if (facts.host == nullptr) return invalid("host", "is missing; send exactly one Host field");
  if (!is_authority(facts.host->value)) {
    return invalid("host", "is not host or host:port; send the name that the client was given");
  }
  return {};
}

Result<void> judge_target(const Head& head, const Facts& facts) {
  const std::string_view target = head.target;
  if (head.method == "CONNECT") {
    if (is_authority_with_port(target)) return {};
    return invalid("target", "of CONNECT is not host:port");
  }
  if (target == "*") {
    if (head.method == "OPTIONS") return {};
    return invalid("target", "is '*', which only OPTIONS may ask for; name a path");
  }
  std::string_view rest = target;
  if (!target.starts_with('/')) {
    const std::size_t colon = target.find("://");
    const std::string_view scheme = target.substr(0, colon == std::string_view::npos ? 0 : colon);
    if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) {
      return invalid("target", "is neither a path that begins with '/' nor an http:// or https:// address");
    }
    rest = target.substr(colon + 3);
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    if (!equals_ignoring_case(rest.substr(0, end), facts.host->value)) {
      return invalid("target", "names another host than the Host field; send the same in both");
    }
    rest.remove_prefix(end);
  }
  const std::size_t question = std::min(rest.find('?'), rest.size());
  if (first_bad_in_path(rest.substr(0, question)) != std::string_view::npos ||
      first_bad_in_query(rest.substr(std::min(question + 1, rest.size()))) != std::string_view::npos) {
    return invalid("target", "has a byte that may not stand in it or a broken escape; escape it as %XX");
  }
  return {};
}

// Methods whose requests have no content. A reader that skips the body of a GET would take it for the next
// request.
bool has_no_content(std::string_view method) {
  static constexpr std::array<std::string_view, 5> kBare = {"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"};
  return std::find(kBare.begin(), kBare.end(), method) != kBare.end();
}

Result<void> judge_body(const Facts& facts, Head& head) {
  const bool empty =
      head.framing == Framing::kNone || (head.framing == Framing::kLength && head.content_length == 0);
  if (!empty && has_no_content(head.method)) {
    return invalid("body", "comes with a method that has none; use POST, PUT, PATCH or DELETE");
  }
  if (facts.expect != nullptr) {
    if (!equals_ignoring_case(facts.expect->value, "100-continue")) {
      return invalid("expect", "asks for something unknown; only 100-continue is served");
    }
    head.expect_continue = !empty && head.minor_version == 1;
  }
  return {};
}

}  // namespace

Result<void> judge_request(Head& head) {
  Facts facts;
  if (auto gathered = gather(head, facts); !gathered) return gathered;
  if (auto host = judge_host(facts); !host) return host;
  if (auto target = judge_target(head, facts); !target) return target;
  if (auto framing = read_framing(facts, head); !framing) return framing;
  if (auto connection = read_connection(facts, head); !connection) return connection;
  return judge_body(facts, head);
}

Result<void> judge_response(Head& head, bool response_to_head) {
  if (head.status < 100 || head.status > 599) return invalid("status", "is not between 100 and 599");
  if (head.status == 101) return invalid("status", "is 101, but no other protocol was asked for");
  Facts facts;
  if (auto gathered = gather(head, facts); !gathered) return gathered;
  if (auto framing = read_framing(facts, head); !framing) return framing;
  if (auto connection = read_connection(facts, head); !connection) return connection;

  const bool bodiless = head.status < 200 || head.status == 204;
  if (bodiless && (head.framing == Framing::kChunked || head.content_length > 0)) {
    return invalid("status", "is one that has no body, but the message announces one");
  }
  if (bodiless || head.status == 304 || response_to_head) {
    head.framing = Framing::kNone;
  } else if (head.framing == Framing::kNone) {
    head.framing = Framing::kUntilClose;
    head.keep_alive = false;
  }
  return {};
}

Result<void> judge_trailer(std::string_view line) {
  static constexpr std::array<std::string_view, 24> kForbidden = {"age",
                                                                  "authorization",
                                                                  "cache-control",
                                                                  "connection",
                                                                  "content-encoding",
                                                                  "content-length",
                                                                  "content-range",
                                                                  "content-type",
                                                                  "cookie",
                                                                  "date",
                                                                  "expect",
                                                                  "host",
                                                                  "keep-alive",
                                                                  "location",
                                                                  "max-forwards",
                                                                  "pragma",
                                                                  "proxy-authenticate",
                                                                  "proxy-authorization",
                                                                  "range",
                                                                  "set-cookie",
                                                                  "te",
                                                                  "trailer",
                                                                  "transfer-encoding",
                                                                  "www-authenticate"};
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) ||
      !is_field_value(line.substr(colon + 1))) {
    return invalid("trailer", "is not a name, a colon and a value");
  }
  for (const std::string_view forbidden : kForbidden) {
    if (looks_like(line.substr(0, colon), forbidden)) {
      return invalid("trailer", "has a field that may only stand before the body");
    }
  }
  return {};
}

}  // namespace tidegate::http
