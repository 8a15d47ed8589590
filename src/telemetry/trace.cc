#include "telemetry/trace.h"

#include <algorithm>
#include <vector>

#include "base/ascii.h"

namespace tidegate::telemetry {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kHeaderLength = 55;  // 2 + 1 + 32 + 1 + 16 + 1 + 2

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;  // upper case is invalid by the standard
}

bool read_hex(std::string_view text, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

bool all_zero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

void fill(std::span<std::uint8_t> bytes, Random& random) {
  do {
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
      std::uint64_t word = random.next();
      for (std::size_t j = i; j < std::min(i + 8, bytes.size()); ++j, word >>= 8) {
        bytes[j] = static_cast<std::uint8_t>(word);
      }
    }
  } while (all_zero(bytes));
}

bool is_key_start(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_key_rest(char c) {
  return is_key_start(c) || c == '_' || c == '-' || c == '*' || c == '/' || c == '@';
}

// key "=" value: a key of up to 256 letters, a value of up to 256 printable characters without ',' and '='.
bool is_member(std::string_view member) {
  const std::size_t equals = member.find('=');
  if (equals == 0 || equals == std::string_view::npos || equals > 256) return false;
  const std::string_view key = member.substr(0, equals);
  const std::string_view value = member.substr(equals + 1);
  return is_key_start(key.front()) && std::all_of(key.begin(), key.end(), is_key_rest) && !value.empty() &&
         value.size() <= 256 && std::all_of(value.begin(), value.end(), [](char c) {
           return c >= 0x20 && c <= 0x7E && c != ',' && c != '=';
         });
}

std::size_t joined_size(const std::vector<std::string_view>& members) {
  std::size_t size = members.empty() ? 0 : members.size() - 1;
  for (const std::string_view member : members) size += member.size();
  return size;
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view header) {
  if (header.size() < kHeaderLength || header[2] != '-' || header[35] != '-' || header[52] != '-') return {};
  std::array<std::uint8_t, 1> version;
  std::array<std::uint8_t, 1> flags;
  TraceContext context;
  if (!read_hex(header.substr(0, 2), version) || !read_hex(header.substr(3, 32), context.trace_id) ||
      !read_hex(header.substr(36, 16), context.span_id) || !read_hex(header.substr(53, 2), flags)) {
    return {};
  }
  if (version[0] == 0xFF || all_zero(context.trace_id) || all_zero(context.span_id)) return {};
  if (version[0] == 0 ? header.size() != kHeaderLength : header.size() > kHeaderLength && header[55] != '-') {
    return {};
  }
  context.flags = flags[0] & (TraceContext::kSampled | TraceContext::kRandomId);
  return context;
}

std::string format_traceparent(const TraceContext& context) {
  std::string out;
  out.reserve(kHeaderLength);
  out += "00-";
  append_hex(out, context.trace_id);
  out += '-';
  append_hex(out, context.span_id);
  out += '-';
  append_hex(out, {&context.flags, 1});
  return out;
}

std::string trace_id_hex(const TraceContext& context) {
  std::string out;
  append_hex(out, context.trace_id);
  return out;
}

std::string span_id_hex(const TraceContext& context) {
  std::string out;
  append_hex(out, context.span_id);
  return out;
}

TraceContext start_trace(Random& random, bool sampled) {
  TraceContext context;
  fill(context.trace_id, random);
  fill(context.span_id, random);
  context.flags = TraceContext::kRandomId | (sampled ? TraceContext::kSampled : 0);
  return context;
}

TraceContext child_of(const TraceContext& parent, Random& random) {
  TraceContext child = parent;
  fill(child.span_id, random);
  return child;
}

std::string join_tracestate(std::span<const std::string_view> lines) {
  std::vector<std::string_view> members;
  for (std::string_view rest : lines) {
    while (!rest.empty() && members.size() < kTraceStateMembersMax) {
      const std::size_t comma = rest.find(',');
      const std::string_view member = ascii::trim(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
      if (!is_member(member)) continue;
      const std::string_view key = member.substr(0, member.find('=') + 1);
      const bool repeated = std::any_of(members.begin(), members.end(),
                                        [&](std::string_view known) { return known.starts_with(key); });
      if (!repeated) members.push_back(member);
    }
  }
  for (std::size_t i = members.size(); i-- > 0 && joined_size(members) > kTraceStateBytesMax;) {
    if (members[i].size() > kTraceStateLongMember)
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
  }
  while (joined_size(members) > kTraceStateBytesMax) members.pop_back();
  std::string out;
  for (const std::string_view member : members) {
    if (!out.empty()) out += ',';
    out += member;
  }
  return out;
}

}  // namespace tidegate::telemetry
