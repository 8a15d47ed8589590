#include "telemetry/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "telemetry/exposition.h"
#include "telemetry/log_ring.h"

namespace tidegate::telemetry {
namespace {

constexpr std::size_t kTextMax = 256;
constexpr std::size_t kPathMax = 1024;
constexpr std::size_t kBatchBytes = 64 * 1024;
constexpr Duration kIdleWait = std::chrono::seconds(1);

// The texts of an entry, in the order in which a ring's record and a line hold them.
struct TextField {
  std::string_view name;
  std::string_view AccessEntry::*text;
  std::size_t bytes_max;
};
constexpr std::array<TextField, 16> kTexts = {{
    {"method", &AccessEntry::method, kTextMax},
    {"path", &AccessEntry::path, kPathMax},
    {"protocol", &AccessEntry::protocol, kTextMax},
    {"response_flags", &AccessEntry::response_flags, kTextMax},
    {"authority", &AccessEntry::authority, kTextMax},
    {"user_agent", &AccessEntry::user_agent, kTextMax},
    {"request_id", &AccessEntry::request_id, kTextMax},
    {"x_forwarded_for", &AccessEntry::x_forwarded_for, kTextMax},
    {"trace_id", &AccessEntry::trace_id, kTextMax},
    {"downstream_remote_address", &AccessEntry::downstream_remote_address, kTextMax},
    {"upstream_host", &AccessEntry::upstream_host, kTextMax},
    {"upstream_cluster", &AccessEntry::upstream_cluster, kTextMax},
    {"route_name", &AccessEntry::route_name, kTextMax},
    {"request_model", &AccessEntry::request_model, kTextMax},
    {"target_model", &AccessEntry::target_model, kTextMax},
    {"error", &AccessEntry::error, kTextMax},
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

void append_escape(std::string& line, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    line += '\\';
    line += c;
  } else {
    line += "\\u00";
    line += kHex[byte >> 4];
    line += kHex[byte & 15];
  }
}

// JSON text: control characters, quotes and backslashes escaped; bytes that are not UTF-8 replaced, so that
// every line parses.
void append_json_text(std::string& line, std::string_view text) {
  const auto need = [](char c) { return kNeeds[static_cast<unsigned char>(c)]; };
  std::string repaired;
  if (std::any_of(text.begin(), text.end(), [&](char c) { return need(c) == Need::kUtf8; })) {
    repaired = clean_label_value(text, 4 * kPathMax);
    text = repaired;
  }
  line += '"';
  std::size_t plain = 0;  // where the run that needs nothing began
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (need(text[i]) != Need::kEscape) continue;
    line.append(text, plain, i - plain);
    append_escape(line, text[i]);
    plain = i + 1;
  }
  line.append(text, plain);
  line += '"';
}

void append_key(std::string& line, std::string_view key) {
  line += line.empty() || line.back() == '\n' ? "{\"" : ",\"";
  line.append(key).append("\":");
}

void append_digits(std::string& line, unsigned value, int digits) {
  for (unsigned unit = digits == 4 ? 1000 : digits == 3 ? 100 : 10; unit > 0; unit /= 10) {
    line += static_cast<char>('0' + value / unit % 10);
  }
}

// As rfc3339_ms() writes it; by hand, because a log writes one per line.
void append_time(std::string& line, std::int64_t ns) {
  using std::chrono::floor;
  const WallTime time{Duration(ns)};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto ms = static_cast<unsigned>(floor<std::chrono::milliseconds>(time - day).count());
  line += '"';
  append_digits(line, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  line += '-';
  append_digits(line, static_cast<unsigned>(date.month()), 2);
  line += '-';
  append_digits(line, static_cast<unsigned>(date.day()), 2);
  line += 'T';
  append_digits(line, ms / 3'600'000, 2);
  line += ':';
  append_digits(line, ms / 60'000 % 60, 2);
  line += ':';
  append_digits(line, ms / 1000 % 60, 2);
  line += '.';
  append_digits(line, ms % 1000, 3);
  line += "Z\"";
}

template <typename T>
void append_value(std::string& line, T value) {
  std::array<char, 24> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  line.append(text.data(), end);
}

void append_count(std::string& line, std::string_view key, std::int64_t value) {
  append_key(line, key);
  if (value < 0) {
    line += "null";
  } else {
    append_value(line, value);
  }
}

// Milliseconds with microseconds behind the point.
void append_ms(std::string& line, std::string_view key, std::int64_t ns) {
  append_key(line, key);
  if (ns < 0) {
    line += "null";
    return;
  }
  const std::int64_t us = ns / 1000;
  append_value(line, us / 1000);
  line += '.';
  append_digits(line, static_cast<unsigned>(us % 1000), 3);
}

void append_line(std::string& line, const char* record) {
  Numbers numbers;
  std::memcpy(&numbers, record, sizeof(numbers));
  append_key(line, "start_time");
  append_time(line, numbers.start_ns);
  const char* text = record + sizeof(Numbers);
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    append_key(line, kTexts[i].name);
    if (numbers.lengths[i] == 0) {
      line += "null";
    } else {
      append_json_text(line, {text, numbers.lengths[i]});
    }
    text += numbers.lengths[i];
  }
  append_count(line, "response_code", numbers.response_code);
  append_ms(line, "duration", numbers.duration_ns);
  append_ms(line, "time_to_first_token", numbers.first_token_ns);
  append_ms(line, "upstream_service_time", numbers.upstream_ns);
  append_count(line, "bytes_received", static_cast<std::int64_t>(numbers.bytes_received));
  append_count(line, "bytes_sent", static_cast<std::int64_t>(numbers.bytes_sent));
  append_count(line, "request_prompt_tokens", numbers.prompt_tokens);
  append_count(line, "request_completion_tokens", numbers.completion_tokens);
  append_count(line, "retries", numbers.retries);
  append_key(line, "stream");
  line += numbers.stream != 0 ? "true" : "false";
  line += '}';
}

int open_file(const std::string& path) {
  if (path == "/dev/stdout" || path == "-") return ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

// A pipe whose reader sleeps blocks a plain write for as long; so pipes are asked first, and are given no
// more than what a writable pipe takes at once. `give_up` is asked while waiting.
template <typename GiveUp>
bool write_all(int file, std::string_view text, const GiveUp& give_up) {
  struct stat about {};
  const bool may_block = ::fstat(file, &about) == 0 && !S_ISREG(about.st_mode);
  while (!text.empty()) {
    pollfd ready{file, POLLOUT, 0};
    constexpr int kAskEveryMs = 100;
    while (may_block && ::poll(&ready, 1, kAskEveryMs) == 0) {
      if (give_up()) return false;
    }
    const ssize_t done =
        ::write(file, text.data(), may_block ? std::min<std::size_t>(text.size(), PIPE_BUF) : text.size());
    if (done < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (done <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

}  // namespace

std::string to_json_line(const AccessEntry& entry) {
  std::array<char, kRecordMax> record;
  pack(entry, record.data());
  std::string line;
  append_line(line, record.data());
  return line;
}

struct AccessLog::State {
  State(AccessLogOptions wanted, int opened) : options(std::move(wanted)), file(opened) {
    for (std::size_t i = 0; i < options.shards; ++i) {
      rings.push_back(std::make_unique<LogRing>(options.ring_bytes));
    }
  }

  // Once per round of the writer, from whoever comes first: the lock is short, but nobody should take it per
  // entry.
  void wake() {
    if (woken.load(std::memory_order_relaxed) || woken.exchange(true, std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex);
    wake_wanted = true;
    wake_up.notify_all();
  }

  void reopen_now() {
    const int fresh = open_file(options.path);
    if (fresh < 0) {
      log::error("telemetry", "access log cannot be reopened; the old file stays in use",
                 {{"path", options.path}, {"error", std::strerror(errno)}});
      return;
    }
    ::close(file);
    file = fresh;
  }

  // Writes what the rings hold; how many entries that was.
  std::uint64_t drain() {
    std::uint64_t total = 0;
    std::uint64_t batched = 0;
    const auto write_batch = [&] {
      if (write_all(file, batch, [this] { return giving_up.load(std::memory_order_relaxed); })) {
        written.fetch_add(batched, std::memory_order_relaxed);
      } else {
        dropped.fetch_add(batched, std::memory_order_relaxed);
      }
      batch.clear();
      batched = 0;
    };
    for (const auto& ring : rings) {
      for (auto record = ring->front(); !record.empty(); record = ring->front()) {
        append_line(batch, record.data());
        batch += '\n';
        ++batched;
        ++total;
        ring->pop();
        if (batch.size() >= kBatchBytes) write_batch();
      }
    }
    if (batched > 0) write_batch();
    return total;
  }

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      const bool last = stopping;
      const bool reopening = std::exchange(reopen_wanted, false);
      const std::uint64_t asked = rounds_asked;
      wake_wanted = false;
      woken.store(false, std::memory_order_relaxed);
      lock.unlock();
      if (reopening) reopen_now();
      const bool busy = drain() > 0;
      lock.lock();
      rounds_done = asked;
      round_over.notify_all();
      if (last) return;
      // While entries come, look again after the flush interval; once there are none, sleep until the first
      // new one wakes this thread. The bound on that sleep covers a wake that crossed the flag below.
      idle.store(!busy, std::memory_order_seq_cst);
      wake_up.wait_for(lock, busy ? options.flush_interval : kIdleWait, [this] {
        return wake_wanted || stopping || reopen_wanted || rounds_asked != rounds_done;
      });
      idle.store(false, std::memory_order_relaxed);
    }
  }

  const AccessLogOptions options;
  std::vector<std::unique_ptr<LogRing>> rings;
  std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<bool> idle{false};   // the writer has found nothing and rests
  std::atomic<bool> woken{false};  // somebody has called it since its last round

  std::atomic<bool> giving_up{false};  // closing: wait no more for a reader that does not read

  std::mutex mutex;
  std::condition_variable wake_up;
  std::condition_variable round_over;
  bool stopping = false;
  bool wake_wanted = false;
  bool reopen_wanted = false;
  std::uint64_t rounds_asked = 0;
  std::uint64_t rounds_done = 0;

  int file;           // of the writing thread
  std::string batch;  // likewise
  std::thread thread;
};

AccessLog::AccessLog(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(AccessLogOptions options) {
  if (options.shards == 0) return invalid("shards", "is 0; use one per writing thread");
  if (options.ring_bytes < 16 * 1024 || options.ring_bytes > 64 * 1024 * 1024) {
    return invalid("ring_bytes", "is " + std::to_string(options.ring_bytes) + "; use 16384 to 67108864");
  }
  if (options.flush_interval <= Duration::zero()) return invalid("flush_interval", "is not above zero");
  const int file = open_file(options.path);
  if (file < 0) {
    return invalid("path", options.path + " cannot be opened for appending: " + std::strerror(errno));
  }
  return std::unique_ptr<AccessLog>(new AccessLog(std::make_unique<State>(std::move(options), file)));
}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->giving_up = true;
    state_->wake_up.notify_all();
  }
  state_->thread.join();
  ::close(state_->file);
}

bool AccessLog::record(std::size_t shard, const AccessEntry& entry) {
  TG_CHECK(shard < state_->rings.size());
  LogRing& ring = *state_->rings[shard];
  std::size_t bytes = sizeof(Numbers);
  for (const TextField& field : kTexts) bytes += cut(field, entry).size();
  char* space = ring.reserve(bytes);
  if (space == nullptr) {
    state_->dropped.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  ring.commit(pack(entry, space));
  if (state_->idle.load(std::memory_order_relaxed) || ring.over_half()) [[unlikely]]
    state_->wake();
  return true;
}

void AccessLog::reopen() {
  const std::lock_guard lock(state_->mutex);
  state_->reopen_wanted = true;
  state_->wake_up.notify_all();
}

void AccessLog::flush() {
  std::unique_lock lock(state_->mutex);
  const std::uint64_t mine = ++state_->rounds_asked;
  state_->wake_up.notify_all();
  state_->round_over.wait(lock, [&] { return state_->rounds_done >= mine; });
}

std::uint64_t AccessLog::written() const { return state_->written.load(std::memory_order_relaxed); }
std::uint64_t AccessLog::dropped() const { return state_->dropped.load(std::memory_order_relaxed); }

}  // namespace tidegate::telemetry
