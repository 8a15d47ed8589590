#include "http/sse.h"

#include <algorithm>
#include <cstring>

namespace tidegate::http {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kPendingKept = 64 * 1024;  // memory kept for the next unfinished event

std::size_t find_byte(std::string_view text, char byte, std::size_t from) {
  if (from >= text.size()) return kNone;
  const void* found = std::memchr(text.data() + from, byte, text.size() - from);
  return found == nullptr ? kNone : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

// The line ends of a text in order. Remembers the next CR and the next LF apart, so that a text of many CRs
// and no LF is still walked once.
class SseScanner::LineEnds {
 public:
  explicit LineEnds(std::string_view text)
      : text_(text), cr_(find_byte(text, '\r', 0)), lf_(find_byte(text, '\n', 0)) {}

  // The first CR or LF at `from` or behind it. `from` never goes back.
  std::size_t next(std::size_t from) {
    if (cr_ != kNone && cr_ < from) cr_ = find_byte(text_, '\r', from);
    if (lf_ != kNone && lf_ < from) lf_ = find_byte(text_, '\n', from);
    return std::min(cr_, lf_);
  }

 private:
  std::string_view text_;
  std::size_t cr_;
  std::size_t lf_;
};

std::size_t SseScanner::find_event_end(std::string_view bytes, std::size_t at, LineEnds& ends) {
  // A line has ended; true if it was blank, and so ended the event.
  const auto end_line = [this](LineEnd end) {
    const bool blank = line_empty_;
    last_end_ = end;
    line_empty_ = true;
    return blank;
  };
  while (at < bytes.size()) {
    if (skip_lf_) {
      skip_lf_ = false;
      if (bytes[at] == '\n') ++at;
      continue;
    }
    if (after_cr_) {
      after_cr_ = false;
      const bool with_lf = bytes[at] == '\n';
      if (with_lf) ++at;
      if (end_line(with_lf ? LineEnd::kCrLf : LineEnd::kCr)) return at;
      continue;
    }
    const std::size_t found = ends.next(at);
    if (found != at) line_empty_ = false;
    if (found == kNone) return kNone;
    at = found + 1;
    if (bytes[found] == '\n') {
      if (end_line(LineEnd::kLf)) return at;
    } else if (line_empty_ && last_end_ == LineEnd::kCr) {
      skip_lf_ = true;
      return at;
    } else {
      after_cr_ = true;
    }
  }
  return kNone;
}

SseScanner::Event SseScanner::read(std::string_view raw) {
  Event event{raw, {}, {}};
  std::size_t data_lines = 0;
  std::size_t start = 0;
  if (at_start_ && raw.starts_with(kByteOrderMark)) start = kByteOrderMark.size();
  at_start_ = false;
  LineEnds ends(raw);
  while (start < raw.size()) {
    const std::size_t end = std::min(ends.next(start), raw.size());
    const std::string_view line = raw.substr(start, end - start);
    start = end + 1;
    if (line.empty() || line.front() == ':') continue;
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view field = line.substr(0, colon);
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") {
      event.name = value;
    } else if (field == "data") {
      if (++data_lines == 1) {
        event.data = value;
        continue;
      }
      if (data_lines == 2) joined_.assign(event.data);
      joined_.append(1, '\n').append(value);
      event.data = joined_;
    }
  }
  return event;
}

Result<void> SseScanner::feed(std::string_view bytes, const std::function<void(const Event&)>& on_event) {
  const auto too_large = [this] {
    failed_ = true;
    return fail(Code::kTooLarge, "has an event of more than " + std::to_string(event_bytes_max_) + " bytes",
                "stream");
  };
  if (failed_) return too_large();
  LineEnds ends(bytes);
  std::size_t start = 0;
  while (start < bytes.size()) {
    const std::size_t end = find_event_end(bytes, start, ends);
    const std::string_view piece = bytes.substr(start, end == kNone ? end : end - start);
    if (pending_.size() + piece.size() > event_bytes_max_) return too_large();
    if (end == kNone) {
      pending_.append(piece);
      break;
    }
    start = end;
    if (pending_.empty()) {
      on_event(read(piece));
      continue;
    }
    pending_.append(piece);
    on_event(read(pending_));
    pending_.clear();
    if (pending_.capacity() > kPendingKept) pending_ = std::string();
  }
  return {};
}

}  // namespace tidegate::http
