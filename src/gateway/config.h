// Everything about the gateway that can be set, each with its default. The command line and
// docs/configuration.md are made from fields(), so they cannot disagree with the code.
//
// Thread: a value, fixed once the gateway runs.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/admit/admit.h"
#include "gateway/fleet/fleet.h"
#include "gateway/flow/cell.h"
#include "gateway/listener/session.h"
#include "gateway/pick/rank.h"
#include "gateway/upstream/pool.h"

namespace tidegate::gateway {

struct Config {
  std::uint32_t workers = 1;
  std::vector<std::string> bind = {"0.0.0.0"};  // for listeners whose Gateway names no address
  std::string stats_bind = "127.0.0.1";
  std::uint16_t stats_port = 15090;
  std::uint16_t ingress_port = 0;      // where Ingresses are served; 0: nowhere
  std::uint16_t ingress_tls_port = 0;  // where those with spec.tls are served too
  std::string access_log;              // a path; empty: none

  listener::Limits limits;
  std::uint32_t connections_max = 65536;  // per worker and listener

  upstream::PoolLimits upstream;
  Duration first_byte_timeout = std::chrono::minutes(10);
  Duration stream_idle_timeout = std::chrono::minutes(5);
  Duration total_timeout{0};  // 0: none
  std::uint32_t retries = 1;
  Duration drain_timeout = std::chrono::seconds(30);

  fleet::Options fleet;
  pick::Settings pick;
  std::string picker_config;                   // a path, read when it is set
  std::vector<std::string> picker_notes = {};  // what of it means nothing here
  std::string session_affinity = "none";       // as written
  std::size_t prefix_blocks_max = std::size_t{1} << 20;
  std::size_t kv_blocks_max = std::size_t{1} << 21;
  std::size_t kv_places_max = std::size_t{1} << 20;
  std::uint64_t kv_tokenize_bytes = std::uint64_t{1} << 20;  // per second and engine; 0: none
  Duration kv_tokenize_wait{0};                              // of a request, for its own prompt's tokens
  admit::Limits admit;

  // Requests that wait, per pool and over all workers: held for a first endpoint, queued for room.
  flow::Bounds hold{20'000, std::uint64_t{1} << 30};
  Duration hold_timeout = std::chrono::minutes(10);
  Duration hold_keep_alive{0};                       // between comments to held streams; 0: none
  flow::Bounds queue{5000, std::uint64_t{1} << 30};  // per priority
  Duration queue_timeout = std::chrono::minutes(1);
};

// One setting: its flag, what it means, and how it is read and shown.
struct Field {
  std::string_view flag;  // "--body-bytes-max"
  std::string_view unit;  // "bytes", "duration", "count", "address", "path", "number"
  std::string_view help;
  std::function<Result<void>(Config&, std::string_view)> set;
  std::function<std::string(const Config&)> show;
};

const std::vector<Field>& fields();

// All of them as a Markdown table, for docs/configuration.md.
std::string reference();

// "250ms", "2s", "5m", "1h"; "0" is zero. Errors: kInvalid.
Result<Duration> parse_duration(std::string_view text);
std::string duration_text(Duration duration);

}  // namespace tidegate::gateway
