// Server-sent events out of a byte stream that may be cut anywhere.
//
// The scanner holds back at most one unfinished line. For every complete event it says which bytes of the stream the
// event took and where its data is, so that a gateway can look at an event and forward, drop or replace its bytes without
// copying the rest.
//
// Source: WHATWG HTML, "Server-sent events", 9.2.6: LF, CRLF or CR end a line; a blank line ends an event; lines that
// start with ':' are comments; several data fields join with LF.
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

  // Feeds the next bytes. Calls `on_event` for each event that they complete, in order; the views live until the call
  // returns. Where a whole event lies inside `bytes`, its views point into `bytes`.
  // Errors: kTooLarge when one event passes the limit.
  Result<void> feed(std::string_view bytes, const std::function<void(const Event&)>& on_event);

  // Bytes of an unfinished event, at the end of the stream.
  std::string_view rest() const { return pending_; }

 private:
  std::size_t event_bytes_max_;
  std::string pending_;
  std::string joined_;
};

}  // namespace tidegate::http
