#include "gateway/request_head.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"

namespace tidegate::gateway {
namespace {

constexpr std::size_t kRequestIdMax = 128;

// Most heads fit, so that one allocation does, of a size that malloc keeps at hand.
constexpr std::size_t kHeadReserve = 1000;

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && ascii::equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

// Written by us, or not for endpoints: this runs for every field of every request.
bool is_ours(const http::Header& header) {
  switch (header.field) {
    case http::Field::kContentLength:
    case http::Field::kExpect:
    case http::Field::kHost:
    case http::Field::kTraceparent:
    case http::Field::kTracestate:
    case http::Field::kXForwardedFor:
    case http::Field::kXForwardedProto:
    case http::Field::kXRequestId:
      return true;
    case http::Field::kOther:
      return ascii::lower(header.name.front()) == 'x' &&
             (starts_with_ignoring_case(header.name, "x-gateway-") ||
              starts_with_ignoring_case(header.name, "x-llm-d-"));
    default:
      return false;
  }
}

void append_forwarded_for(std::string& out, const Walk& walk) {
  out += "x-forwarded-for: ";
  for (const http::Header& header : walk.request.head.headers) {
    if (header.field != http::Field::kXForwardedFor || header.value.empty()) continue;
    out.append(header.value).append(", ");
  }
  out.append(walk.request.peer_ip).append("\r\n");
}

void append_tracestate(std::string& out, const Walk& walk) {
  std::array<std::string_view, 8> lines;
  std::size_t count = 0;
  for (const http::Header& header : walk.request.head.headers) {
    if (count < lines.size() && header.field == http::Field::kTracestate) lines[count++] = header.value;
  }
  if (count == 0) return;
  const std::string joined = telemetry::join_tracestate({lines.data(), count});
  if (!joined.empty()) http::append_field(out, "tracestate", joined);
}

}  // namespace

std::string request_id_of(const http::Head& head, Random& random) {
  const auto given = head.find(http::Field::kXRequestId);
  if (given && !given->empty() && given->size() <= kRequestIdMax && printable(*given))
    return std::string(*given);
  return random_uuid(random);
}

std::optional<telemetry::TraceContext> trace_of(const http::Head& head, Random& random) {
  const auto given = head.find(http::Field::kTraceparent);
  const auto parent = given ? telemetry::parse_traceparent(*given) : std::nullopt;
  if (!parent) return std::nullopt;
  return telemetry::child_of(*parent, random);
}

void append_edits(std::string& out, const route::HeaderEdits& edits) {
  for (const route::HeaderEdit& edit : edits.all()) {
    for (const std::string& value : edit.values) http::append_field(out, edit.name, value);
  }
}

void append_request_head(std::string& out, const Walk& walk, std::uint64_t content_length) {
  const http::Head& head = walk.request.head;
  const route::HeaderEdits* edits = walk.filters ? &walk.filters->request : nullptr;
  std::string_view host = walk.host;
  if (walk.filters && walk.filters->rewrite && !walk.filters->rewrite->host.empty())
    host = walk.filters->rewrite->host;
  const http::HopFields hop(head);
  out.reserve(kHeadReserve);
  // As it came, if it can go on as it came: then one copy may take the fields behind it along.
  std::string_view start;
  if (head.minor_version == 1 && walk.path.data() == head.target.data()) {
    constexpr std::size_t kVersionAndEnd = 11;  // " HTTP/1.1" CR LF
    const char* const end = head.target.data() + head.target.size() + kVersionAndEnd;
    start = {head.method.data(), static_cast<std::size_t>(end - head.method.data())};
  } else {
    http::append_request_line(out, head.method, walk.path);
  }
  const bool host_is_sent = std::ranges::any_of(head.headers, [&](const http::Header& header) {
    return header.field == http::Field::kHost && header.value.data() == host.data();
  });
  append_fields(out, start, head.headers, [&](const http::Header& header) {
    if (header.field == http::Field::kHost) return host_is_sent;
    return !is_ours(header) && !hop.contains(header) && (!edits || !edits->drops(header.name)) &&
           (!walk.client || !is_credential(header));
  });
  if (edits) append_edits(out, *edits);
  if (!host_is_sent) out.append("host: ").append(host).append("\r\n", 2);
  append_forwarded_for(out, walk);
  out += walk.session.stream().tls() ? "x-forwarded-proto: https\r\nx-request-id: "
                                     : "x-forwarded-proto: http\r\nx-request-id: ";
  out.append(walk.request_id).append("\r\n", 2);
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
  entry.user_agent = head.find(http::Field::kUserAgent).value_or(std::string_view());
  entry.request_id = walk.request_id;
  entry.x_forwarded_for = head.find(http::Field::kXForwardedFor).value_or(std::string_view());
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
