#include "telemetry/access_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "telemetry/exposition.h"

namespace tidegate::telemetry {
namespace {

constexpr std::size_t kTextMax = 256;
constexpr std::size_t kPathMax = 1024;

// The texts of an entry, in the order in which a ring's record and a line hold them.
struct TextField {
  std::string_view key;  // as it stands in a line
  std::string_view AccessEntry::*text;
  std::size_t bytes_max;
};
constexpr std::array<TextField, 16> kTexts = {{
    {",\"method\":", &AccessEntry::method, kTextMax},
    {",\"path\":", &AccessEntry::path, kPathMax},
    {",\"protocol\":", &AccessEntry::protocol, kTextMax},
    {",\"response_flags\":", &AccessEntry::response_flags, kTextMax},
    {",\"authority\":", &AccessEntry::authority, kTextMax},
    {",\"user_agent\":", &AccessEntry::user_agent, kTextMax},
    {",\"request_id\":", &AccessEntry::request_id, kTextMax},
    {",\"x_forwarded_for\":", &AccessEntry::x_forwarded_for, kTextMax},
    {",\"trace_id\":", &AccessEntry::trace_id, kTextMax},
    {",\"downstream_remote_address\":", &AccessEntry::downstream_remote_address, kTextMax},
    {",\"upstream_host\":", &AccessEntry::upstream_host, kTextMax},
    {",\"upstream_cluster\":", &AccessEntry::upstream_cluster, kTextMax},
    {",\"route_name\":", &AccessEntry::route_name, kTextMax},
    {",\"request_model\":", &AccessEntry::request_model, kTextMax},
    {",\"target_model\":", &AccessEntry::target_model, kTextMax},
    {",\"error\":", &AccessEntry::error, kTextMax},
}};

// The rest of an entry as it lies at the head of a record.
struct Numbers {
  std::int64_t start_ns;
  std::int64_t duration_ns;
  std::int64_t first_token_ns;  // below zero: not known; so the next three
  std::int64_t upstream_ns;
  std::int64_t prompt_tokens;
  std::int64_t completion_tokens;
  std::uint64_t bytes_received;
  std::uint64_t bytes_sent;
  std::uint16_t response_code;
  std::uint16_t retries;
  std::uint16_t stream;
  std::array<std::uint16_t, kTexts.size()> lengths;
};

constexpr std::size_t kRecordMax = sizeof(Numbers) + (kTexts.size() - 1) * kTextMax + kPathMax;

std::string_view cut(const TextField& field, const AccessEntry& entry) {
  std::string_view text = entry.*field.text;
  // A query may carry keys; it is not logged.
  if (field.text == &AccessEntry::path) text = text.substr(0, text.find('?'));
  return text.substr(0, field.bytes_max);
}

std::int64_t nanoseconds_or_unknown(const std::optional<Duration>& duration) {
  return duration ? duration->count() : -1;
}
std::int64_t count_or_unknown(const std::optional<std::uint64_t>& count) {
  return count ? static_cast<std::int64_t>(*count) : -1;
}

// Every byte escaped to six, each key with its quotes, and the numbers.
static_assert(6 * ((kTexts.size() - 1) * kTextMax + kPathMax) + kTexts.size() * 40 + 1024 < kLineBytesMax);

// What a byte needs inside a JSON string: nothing, an escape, or (at 0x80 and above) a look at the whole
// text.
enum class Need : std::uint8_t { kNothing, kEscape, kUtf8 };
constexpr std::array<Need, 256> kNeeds = [] {
  std::array<Need, 256> needs{};
  for (std::size_t byte = 0; byte < needs.size(); ++byte) {
    if (byte >= 0x80) {
      needs[byte] = Need::kUtf8;
    } else if (byte < 0x20 || byte == 0x7F || byte == '"' || byte == '\\') {
      needs[byte] = Need::kEscape;
    }
  }
  return needs;
}();

// A cursor over memory that is known to be large enough: a line is some seventy short pieces, and asking a
// string for room each time costs more than the copying.
class Cursor {
 public:
  explicit Cursor(char* at) : at_(at) {}
  char* at() const { return at_; }

  void put(char c) { *at_++ = c; }
  void put(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put_number(std::int64_t value) { at_ = std::to_chars(at_, at_ + 24, value).ptr; }
  void put_digits(unsigned value, int digits) {
    for (int i = digits - 1; i >= 0; --i, value /= 10) at_[i] = static_cast<char>('0' + value % 10);
    at_ += digits;
  }

 private:
  char* at_;
};

void put_escaped(Cursor& line, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  line.put('\\');
  if (c == '"' || c == '\\') {
    line.put(c);
  } else {
    line.put("u00");
    line.put(kHex[byte >> 4]);
    line.put(kHex[byte & 15]);
  }
}

// JSON text: control characters, quotes and backslashes escaped; bytes that are not UTF-8 replaced, so that
// every line parses.
void put_text(Cursor& line, std::string_view text) {
  const auto need = [](char c) { return kNeeds[static_cast<unsigned char>(c)]; };
  std::string repaired;
  if (std::any_of(text.begin(), text.end(), [&](char c) { return need(c) == Need::kUtf8; })) {
    repaired = clean_label_value(text, 4 * kPathMax);
    text = repaired;
  }
  line.put('"');
  std::size_t plain = 0;  // where the run that needs nothing began
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (need(text[i]) != Need::kEscape) continue;
    line.put(text.substr(plain, i - plain));
    put_escaped(line, text[i]);
    plain = i + 1;
  }
  line.put(text.substr(plain));
  line.put('"');
}

// As rfc3339_ms() writes it; by hand, because a log writes one per line.
void put_time(Cursor& line, std::int64_t ns) {
  using std::chrono::floor;
  const WallTime time{Duration(ns)};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto ms = static_cast<unsigned>(floor<std::chrono::milliseconds>(time - day).count());
  line.put('"');
  line.put_digits(static_cast<unsigned>(static_cast<int>(date.year())), 4);
  line.put('-');
  line.put_digits(static_cast<unsigned>(date.month()), 2);
  line.put('-');
  line.put_digits(static_cast<unsigned>(date.day()), 2);
  line.put('T');
  line.put_digits(ms / 3'600'000, 2);
  line.put(':');
  line.put_digits(ms / 60'000 % 60, 2);
  line.put(':');
  line.put_digits(ms / 1000 % 60, 2);
  line.put('.');
  line.put_digits(ms % 1000, 3);
  line.put("Z\"");
}

void put_count(Cursor& line, std::int64_t value) {
  if (value < 0) {
    line.put("null");
  } else {
    line.put_number(value);
  }
}

// Milliseconds with microseconds behind the point.
void put_ms(Cursor& line, std::int64_t ns) {
  if (ns < 0) {
    line.put("null");
    return;
  }
  const std::int64_t us = ns / 1000;
  line.put_number(us / 1000);
  line.put('.');
  line.put_digits(static_cast<unsigned>(us % 1000), 3);
}

}  // namespace

std::size_t packed_size(const AccessEntry& entry) {
  std::size_t bytes = sizeof(Numbers);
  for (const TextField& field : kTexts) bytes += cut(field, entry).size();
  return bytes;
}

std::size_t pack(const AccessEntry& entry, char* out) {
  Numbers numbers{};
  numbers.start_ns = entry.start_time.time_since_epoch().count();
  numbers.duration_ns = entry.duration.count();
  numbers.first_token_ns = nanoseconds_or_unknown(entry.time_to_first_token);
  numbers.upstream_ns = nanoseconds_or_unknown(entry.upstream_service_time);
  numbers.prompt_tokens = count_or_unknown(entry.request_prompt_tokens);
  numbers.completion_tokens = count_or_unknown(entry.request_completion_tokens);
  numbers.bytes_received = entry.bytes_received;
  numbers.bytes_sent = entry.bytes_sent;
  numbers.response_code = entry.response_code;
  numbers.retries = entry.retries;
  numbers.stream = entry.stream ? 1 : 0;
  char* end = out + sizeof(Numbers);
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    const std::string_view text = cut(kTexts[i], entry);
    numbers.lengths[i] = static_cast<std::uint16_t>(text.size());
    if (!text.empty()) std::memcpy(end, text.data(), text.size());
    end += text.size();
  }
  std::memcpy(out, &numbers, sizeof(numbers));
  return static_cast<std::size_t>(end - out);
}

char* write_line(char* out, const char* record) {
  Numbers numbers;
  std::memcpy(&numbers, record, sizeof(numbers));
  Cursor line(out);
  line.put("{\"start_time\":");
  put_time(line, numbers.start_ns);
  const char* text = record + sizeof(Numbers);
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    line.put(kTexts[i].key);
    if (numbers.lengths[i] == 0) {
      line.put("null");
    } else {
      put_text(line, {text, numbers.lengths[i]});
    }
    text += numbers.lengths[i];
  }
  line.put(",\"response_code\":");
  line.put_number(numbers.response_code);
  line.put(",\"duration\":");
  put_ms(line, numbers.duration_ns);
  line.put(",\"time_to_first_token\":");
  put_ms(line, numbers.first_token_ns);
  line.put(",\"upstream_service_time\":");
  put_ms(line, numbers.upstream_ns);
  line.put(",\"bytes_received\":");
  put_count(line, static_cast<std::int64_t>(numbers.bytes_received));
  line.put(",\"bytes_sent\":");
  put_count(line, static_cast<std::int64_t>(numbers.bytes_sent));
  line.put(",\"request_prompt_tokens\":");
  put_count(line, numbers.prompt_tokens);
  line.put(",\"request_completion_tokens\":");
  put_count(line, numbers.completion_tokens);
  line.put(",\"retries\":");
  line.put_number(numbers.retries);
  line.put(numbers.stream != 0 ? ",\"stream\":true}" : ",\"stream\":false}");
  return line.at();
}

std::string to_json_line(const AccessEntry& entry) {
  std::array<char, kRecordMax> record;
  pack(entry, record.data());
  std::string line(kLineBytesMax, '\0');
  line.resize(static_cast<std::size_t>(write_line(line.data(), record.data()) - line.data()));
  return line;
}

}  // namespace tidegate::telemetry
