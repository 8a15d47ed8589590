// The head of a request as the endpoint sees it, and what we take from the client's.
//
// Fields of this hop end here; control fields that only we may set (x-gateway-*, x-llm-d-*) are dropped; the
// client's address is added to x-forwarded-for; a request id is passed on or begun, a trace continued.
// Host, credentials and everything else pass as they came.
//
// Thread: pure.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "gateway/walk.h"
#include "http/head.h"
#include "telemetry/trace.h"

namespace tidegate::gateway {

// The client's x-request-id if it is printable and at most 128 characters, else a new one.
std::string request_id_of(const http::Head& head, Random& random);

// The client's trace with a span of ours in it. None if it sent none, or a broken one: we keep no spans of
// our own that a new trace could hold.
std::optional<telemetry::TraceContext> trace_of(const http::Head& head, Random& random);

// Appends the whole head, the blank line included, for a body of `content_length` bytes. No length is written
// for a request that came without a body.
void append_request_head(std::string& out, const Walk& walk, std::uint64_t content_length);

// Appends the fields for which `passes(header)` says so, as the parser read them and without the checks that
// text from elsewhere needs. Fields that stand side by side as "name: value" go in one piece. `run` is text
// that stands right before the first field and goes before it, or empty. Requires: a Parser read the headers
// and its buffer is still there.
template <typename Passes>
void append_fields(std::string& out, std::string_view run, const std::vector<http::Header>& headers,
                   Passes passes) {
  for (const http::Header& header : headers) {
    if (!passes(header)) continue;
    const char* const value = header.value.data();
    const char* const name_end = header.name.data() + header.name.size();
    const bool plain = value == name_end + 2 && name_end[1] == ' ' && value[header.value.size()] == '\r';
    if (plain && header.name.data() == run.data() + run.size()) {
      run = {run.data(), static_cast<std::size_t>(value + header.value.size() + 2 - run.data())};
      continue;
    }
    out.append(run);
    if (plain) {
      run = {header.name.data(), header.name.size() + header.value.size() + 4};
    } else {
      out.append(header.name).append(": ", 2).append(header.value).append("\r\n", 2);
      run = {};
    }
  }
  out.append(run);
}

// Appends what header edits put in.
void append_edits(std::string& out, const route::HeaderEdits& edits);

// The access log's line for a request that has ended.
void write_access_log(const Walk& walk, const usage::Counted& counted, TimePoint now);

}  // namespace tidegate::gateway
