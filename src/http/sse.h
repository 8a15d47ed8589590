// Server-sent events out of a byte stream that may be cut anywhere.
//
// The scanner holds back no more than one unfinished event. For every complete event it says which bytes of
// the stream the event took and where its data is, so that a gateway can look at an event and forward, drop
// or replace its bytes without copying the rest. The raw parts of all events, then rest(), are the stream,
// byte for byte.
//
// Source: WHATWG HTML, "Server-sent events", 9.2.6: LF, CRLF or CR end a line; a blank line ends an event;
// lines that start with ':' are comments; several data fields join with LF; a byte order mark may begin the
// stream.
//
// A blank line that ends with CR takes a following LF with it, so such an event waits for one more byte.
// Where the line before it ended with a lone CR the stream plainly has no LFs, and nothing waits.
//
// Thread: one owner.

#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidegate::http {

class SseScanner {
 public:
  explicit SseScanner(std::size_t event_bytes_max = 8 * 1024 * 1024) : event_bytes_max_(event_bytes_max) {}

  struct Event {
    std::string_view raw;   // all its bytes, the blank line included
    std::string_view data;  // joined data fields; empty for a comment or a keep-alive
    std::string_view name;  // the event field; empty if none
  };

  // Feeds the next bytes. Calls `on_event` for each event that they complete, in order; the views live until
  // `on_event` returns, and `on_event` may not feed. Where a whole event lies inside `bytes`, its views point
  // into `bytes` (but for data of several lines, which is joined elsewhere). Errors: kTooLarge when one event
  // passes the limit; nothing can be fed after that.
  Result<void> feed(std::string_view bytes, const std::function<void(const Event&)>& on_event);

  // Bytes of an unfinished event, at the end of the stream. They are part of no event: a reader ignores them.
  std::string_view rest() const { return pending_; }

 private:
  enum class LineEnd { kNone, kCr, kLf, kCrLf };
  class LineEnds;

  // The offset behind the end of the current event, looking from `at`, or npos if it does not end in these
  // bytes.
  std::size_t find_event_end(std::string_view bytes, std::size_t at, LineEnds& ends);
  Event read(std::string_view raw);

  std::size_t event_bytes_max_;
  std::string pending_;
  std::string joined_;
  bool failed_ = false;
  bool at_start_ = true;  // of the stream: no event has been read

  // Where find_event_end() stands, carried over cuts.
  bool line_empty_ = true;             // no byte of the current line so far
  bool after_cr_ = false;              // a CR has ended the line, and an LF would belong to it
  bool skip_lf_ = false;               // an LF here belongs to the event before, which did not wait for it
  LineEnd last_end_ = LineEnd::kNone;  // of the line before
};

}  // namespace tidegate::http
