// W3C Trace Context: reading, continuing and writing `traceparent`, and keeping `tracestate` within its
// limits.
//
// The gateway continues a client's trace with a span of its own, or starts a trace where there is none or a
// broken one (and then drops `tracestate`, which belongs to the broken one).
//
// Thread: plain values.
// Source: W3C Trace Context (level 2 for the random flag).

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/random.h"

namespace tidegate::telemetry {

struct TraceContext {
  static constexpr std::uint8_t kSampled = 0x01;
  static constexpr std::uint8_t kRandomId = 0x02;

  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};
  std::uint8_t flags = 0;  // only kSampled and kRandomId are kept

  bool sampled() const { return (flags & kSampled) != 0; }
  bool operator==(const TraceContext&) const = default;
};

// Empty for anything the standard calls invalid: wrong length, upper case, all-zero ids, version ff. A
// version above 00 is read by its first four fields.
std::optional<TraceContext> parse_traceparent(std::string_view header);

// "00-<trace>-<span>-<flags>", 55 characters, always version 00.
std::string format_traceparent(const TraceContext& context);
std::string trace_id_hex(const TraceContext& context);
std::string span_id_hex(const TraceContext& context);

// A new trace with a random id.
TraceContext start_trace(Random& random, bool sampled);

// The same trace and flags, a new span.
TraceContext child_of(const TraceContext& parent, Random& random);

inline constexpr std::size_t kTraceStateMembersMax = 32;
inline constexpr std::size_t kTraceStateBytesMax = 512;
inline constexpr std::size_t kTraceStateLongMember = 128;

// One header value out of the request's `tracestate` lines, in order: blanks and empty members gone,
// malformed and repeated members gone, at most 32 members and 512 bytes. Too long: members over 128 bytes go
// first, then the last.
std::string join_tracestate(std::span<const std::string_view> lines);

}  // namespace tidegate::telemetry
