#include "gateway/request_head.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"

namespace tidegate::gateway {
namespace {

constexpr std::size_t kRequestIdMax = 128;

// Most heads fit, so that one allocation does.
constexpr std::size_t kHeadReserve = 1024;

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && ascii::equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

// Decided by the first letter and the length before any text is compared: this runs for every field of every
// request.
bool is_ours(std::string_view name) {
  switch (ascii::lower(name.front())) {
    case 'c':
      return ascii::equals_ignoring_case(name, "content-length");
    case 'e':
      return ascii::equals_ignoring_case(name, "expect");
    case 'h':
      return ascii::equals_ignoring_case(name, "host");
    case 't':
      return ascii::equals_ignoring_case(name, "traceparent") ||
             ascii::equals_ignoring_case(name, "tracestate");
    case 'x':
      return ascii::equals_ignoring_case(name, "x-request-id") ||
             ascii::equals_ignoring_case(name, "x-forwarded-for") ||
             ascii::equals_ignoring_case(name, "x-forwarded-proto") ||
             starts_with_ignoring_case(name, "x-gateway-") || starts_with_ignoring_case(name, "x-llm-d-");
    default:
      return false;
  }
}

void append_forwarded_for(std::string& out, const Walk& walk) {
  out += "x-forwarded-for: ";
  for (const http::Header& header : walk.request.head.headers) {
    if (!ascii::equals_ignoring_case(header.name, "x-forwarded-for") || header.value.empty()) continue;
    out.append(header.value).append(", ");
  }
  out.append(walk.request.peer_ip).append("\r\n");
}

void append_tracestate(std::string& out, const Walk& walk) {
  std::array<std::string_view, 8> lines;
  std::size_t count = 0;
  for (const http::Header& header : walk.request.head.headers) {
    if (count < lines.size() && ascii::equals_ignoring_case(header.name, "tracestate"))
      lines[count++] = header.value;
  }
  if (count == 0) return;
  const std::string joined = telemetry::join_tracestate({lines.data(), count});
  if (!joined.empty()) http::append_field(out, "tracestate", joined);
}

}  // namespace

std::string request_id_of(const http::Head& head, Random& random) {
  const auto given = head.find("x-request-id");
  if (given && !given->empty() && given->size() <= kRequestIdMax && printable(*given))
    return std::string(*given);
  return random_uuid(random);
}

std::optional<telemetry::TraceContext> trace_of(const http::Head& head, Random& random) {
  const auto given = head.find("traceparent");
  const auto parent = given ? telemetry::parse_traceparent(*given) : std::nullopt;
  if (!parent) return std::nullopt;
  return telemetry::child_of(*parent, random);
}

void append_parsed(std::string& out, const http::Header& header) {
  out.append(header.name).append(": ", 2).append(header.value).append("\r\n", 2);
}

void append_request_head(std::string& out, const Walk& walk, std::uint64_t content_length) {
  const http::Head& head = walk.request.head;
  const http::HopFields hop(head);
  out.reserve(kHeadReserve);
  http::append_request_line(out, head.method, walk.path);
  append_parsed(out, {"host", walk.host});
  for (const http::Header& header : head.headers) {
    if (!is_ours(header.name) && !hop.contains(header.name)) append_parsed(out, header);
  }
  append_forwarded_for(out, walk);
  out += "x-forwarded-proto: http\r\nx-request-id: ";
  out.append(walk.request_id).append("\r\n");
  if (walk.trace) {
    http::append_field(out, "traceparent", telemetry::format_traceparent(*walk.trace));
    append_tracestate(out, walk);
  }
  if (head.framing != http::Framing::kNone) http::append_field(out, "content-length", content_length);
  http::end_head(out);
}

void write_access_log(const Walk& walk, const usage::Counted& counted, TimePoint now) {
  const http::Head& head = walk.request.head;
  telemetry::AccessEntry entry;
  entry.duration = now - walk.request.received;
  entry.start_time = walk.tools.clock.wall() - entry.duration;
  if (walk.streamed) entry.time_to_first_token = counted.first_token;
  if (walk.sent_on && walk.answered) entry.upstream_service_time = *walk.answered - *walk.sent_on;
  entry.bytes_received = walk.request.body.size();
  entry.bytes_sent = walk.bytes_sent;
  if (counted.known) {
    entry.request_prompt_tokens = counted.prompt;
    entry.request_completion_tokens = counted.completion;
  }
  entry.response_code = static_cast<std::uint16_t>(walk.status);
  entry.retries = static_cast<std::uint16_t>(walk.retries);
  entry.stream = walk.streamed;
  entry.method = head.method;
  entry.path = walk.path;
  entry.protocol = head.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
  entry.response_flags = walk.flags;
  entry.authority = walk.host;
  entry.user_agent = head.find("user-agent").value_or(std::string_view());
  entry.request_id = walk.request_id;
  entry.x_forwarded_for = head.find("x-forwarded-for").value_or(std::string_view());
  const std::string trace_id = walk.trace ? telemetry::trace_id_hex(*walk.trace) : std::string();
  entry.trace_id = trace_id;
  entry.downstream_remote_address = walk.request.peer_ip;
  entry.upstream_host = walk.endpoint;
  if (walk.live) entry.upstream_cluster = walk.live->service;
  if (walk.route) entry.route_name = walk.route->name;
  entry.request_model = walk.model;
  entry.target_model = walk.target_model();
  entry.error = walk.reason;
  walk.tools.access_log->record(walk.tools.shard, entry);
}

}  // namespace tidegate::gateway
