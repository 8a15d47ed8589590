// An engine's event stream on its way to the client: whole events out of whatever pieces arrive, looked at,
// counted, and without what only we asked for.
//
// Bytes go on event by event. Half an event is of no use to anybody, and holding it until its end is what
// lets an error be told properly when the engine dies in the middle of one. An event that lies whole in a
// piece is forwarded from where it is; only one that was cut is put together in memory.
//
// Thread: one request's worker.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "gateway/dialect/usage.h"
#include "gateway/usage/meter.h"
#include "http/sse.h"

namespace tidegate::gateway {

class EventRelay {
 public:
  EventRelay(dialect::UsageSse look, usage::Meter& meter) : look_(look), meter_(meter) {}

  // Takes the next piece. What may go on is appended to outgoing(). Errors: kTooLarge for an endless event.
  Result<void> feed(std::string_view piece, TimePoint now);

  // Appends what is left of an unfinished event, for the end of a stream that ended properly.
  void flush();

  // Views to send, in order; live until clear() and as long as the pieces fed.
  const std::vector<std::string_view>& outgoing();
  void clear();

  bool done() const { return done_; }    // the engine said [DONE]
  bool error() const { return error_; }  // the engine told an error itself

 private:
  // A view into a piece, or a range of kept_, whose memory may still move.
  struct Part {
    std::string_view view;
    std::size_t begin = 0;
    std::size_t size = 0;
  };
  void take(const http::SseScanner::Event& event, std::string_view piece, TimePoint now);
  void put(std::string_view bytes, std::string_view piece);

  dialect::UsageSse look_;
  usage::Meter& meter_;
  http::SseScanner scanner_;
  std::vector<Part> parts_;
  std::string kept_;
  std::vector<std::string_view> outgoing_;
  bool done_ = false;
  bool error_ = false;
};

}  // namespace tidegate::gateway
