// How picks are made: weights of the scorers and the bounds that filters and affinity use. Defaults are
// measured in the tests of rank; a pool may override them.
//
// Thread: values.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"

namespace tidegate::pick {

struct Weights {
  float queue = 2;
  float running = 1;
  float kv = 1;
  float in_flight = 1;
  float lora = 2;
  float prefix = 3;
  float tokens = 4;
  float session = 0;
  bool operator==(const Weights&) const = default;
};

// Which of the ranked endpoints a request goes to.
enum class Choice : std::uint8_t {
  kBest,            // the highest sum
  kRandom,          // any that the filters left
  kWeightedRandom,  // by chance, an endpoint of twice the sum twice as often
};

// How a client's requests are recognised as one session's.
enum class SessionBy : std::uint8_t {
  kNothing,
  kToken,   // a header that answers carry and clients send back: the endpoint's name, base64
  kCookie,  // the same as a cookie
  kId,      // a header with any value of the client's own; where it went is remembered here
};

struct Session {
  SessionBy by = SessionBy::kNothing;
  std::string name;   // of the header, in lower case, or of the cookie
  bool pins = false;  // the session's endpoint is the only one asked while it is there
  bool operator==(const Session&) const = default;
};

struct Settings {
  Weights weights;
  Choice choice = Choice::kBest;
  Session session;
  // Endpoints that one request may be sent to, one after the other; 0: as many as the gateway retries.
  std::uint32_t endpoints_max = 0;
  // A scrape older than `fresh` loses weight linearly and none is left at `stale`.
  Duration fresh = std::chrono::milliseconds(500);
  Duration stale = std::chrono::seconds(10);
  // Endpoints whose answers fail are left out unless they are more than this share of the pool: then
  // something else is wrong, and all are asked.
  float ejected_share_max = 0.5F;
  // Requests that one endpoint may hold; 0: no bound. No further one is sent there.
  std::uint32_t requests_max = 0;
  // Sheddable requests keep away from endpoints over these while others are below.
  float headroom_waiting = 5;
  float headroom_kv = 0.8F;
  // Affinity counts on endpoints with load <= max * mean + slack.
  float affinity_load_max = 1.25F;
  float affinity_load_slack = 2;
  // From so many bytes on a held prefix counts on endpoints with more load than that, up to twice as much at
  // twice the bytes: to compute it anew would cost more than the wait. 0: it never does.
  std::uint32_t affinity_rise_bytes = 64 * 1024;
  // Prompts shorter than this are not looked up: what their cache saves is less than what it costs to keep
  // them together.
  std::uint32_t prefix_prompt_bytes_min = 1024;
  // A match of this many bytes, or the longest one if that is longer, counts in full.
  std::uint32_t prefix_full_bytes = 2048;
  // Where engines publish their KV events if no annotation of the pool says so; 0: nowhere.
  std::uint16_t kv_events_port = 0;
};

}  // namespace tidegate::pick
