// Counts one request's tokens and its waits, beside the stream: it is told of bytes and events and never
// holds them up.
//
//   Meter meter(now);                       the request was received
//   meter.on_event(verdict, now)            for each event of a stream (dialect::UsageSse looked at it)
//   meter.on_body(piece, now)               for each piece of a whole JSON answer
//   Counted counted = meter.finish(end, now)
//
// A finished request counts what the engine said at the end; one that was cut counts what was last reported;
// what nobody reported is unknown, not zero.
//
// Thread: one request's worker.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "gateway/dialect/usage.h"

namespace tidegate::usage {

enum class End : std::uint8_t {
  kDone,     // the answer is complete
  kAborted,  // the client left, the endpoint died, time ran out
};

struct Counted {
  bool known = false;  // the counts below mean something
  bool exact = false;  // they are the engine's final word; otherwise the last running count of a cut stream
  std::uint64_t prompt = 0;
  std::uint64_t completion = 0;
  std::optional<std::uint64_t> cached;

  std::optional<Duration> first_token;  // TTFT: from the request to the first output token
  std::optional<Duration> per_output;   // TPOT: (last output - first output) / (completion - 1)
  Duration total{};
};

class Meter {
 public:
  explicit Meter(TimePoint start) : start_(start) {}

  void on_event(const dialect::UsageSse::Verdict& event, TimePoint now);
  void on_body(std::string_view piece, TimePoint now);

  Counted finish(End end, TimePoint now) const;

 private:
  void running(const dialect::UsageSse::Verdict& event);

  TimePoint start_;
  std::optional<TimePoint> first_;
  std::optional<TimePoint> last_;
  std::optional<dialect::Usage> final_;
  // The last running usage of a stream's only or first choice, and of further choices by index.
  std::optional<dialect::Usage> choice0_;
  std::vector<std::pair<std::uint32_t, dialect::Usage>> more_choices_;
  dialect::UsageScan body_;
  bool has_body_ = false;
};

}  // namespace tidegate::usage
