// The structured access log: one JSON object per line and request, with ASM's field names.
//
// A worker copies an entry into its own bounded ring (no lock, no system call, no allocation) and goes on;
// one thread turns entries into JSON and writes them. A full ring drops the entry and counts it: logging
// never delays a request. Prompts, answers, credentials and query strings are not in an entry; `path` is cut
// at its '?'. A number that is not known (tokens of an engine that did not report them) is null, never 0.
//
// Thread: record(shard, ...) from that shard's thread only; everything else from any thread.
// Source: ASM access log fields, Envoy's default JSON format.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace tidegate::telemetry {

// Views need to live only during record(). Empty text is written as null. Long values are cut (256 bytes,
// paths 1024).
struct AccessEntry {
  WallTime start_time{};
  Duration duration{};
  std::optional<Duration> time_to_first_token;
  std::optional<Duration> upstream_service_time;  // until the endpoint's response head
  std::uint64_t bytes_received = 0;               // of the request's body
  std::uint64_t bytes_sent = 0;                   // of the response's body
  std::optional<std::uint64_t> request_prompt_tokens;
  std::optional<std::uint64_t> request_completion_tokens;
  std::uint16_t response_code = 0;  // 0: the client left before there was one
  std::uint16_t retries = 0;
  bool stream = false;

  std::string_view method;
  std::string_view path;
  std::string_view protocol;        // "HTTP/1.1"
  std::string_view response_flags;  // Envoy's letters: UH, UF, DC, ...; empty for none
  std::string_view authority;
  std::string_view user_agent;
  std::string_view request_id;
  std::string_view x_forwarded_for;
  std::string_view trace_id;
  std::string_view downstream_remote_address;
  std::string_view upstream_host;     // "127.0.1.7:8000"
  std::string_view upstream_cluster;  // the pool, "namespace/name"
  std::string_view route_name;
  std::string_view request_model;  // what the client asked for
  std::string_view target_model;   // what the engine was asked for
  std::string_view error;          // our own code for a request that failed, e.g. "no_endpoint"
};

// The line for one entry, without the newline.
std::string to_json_line(const AccessEntry& entry);

struct AccessLogOptions {
  std::string path = "/dev/stdout";     // appended to; made with mode 0640
  std::size_t shards = 1;               // writing threads
  std::size_t ring_bytes = 256 * 1024;  // per shard, rounded up to a power of two; 16 KiB to 64 MiB
  Duration flush_interval = std::chrono::milliseconds(50);
};

class AccessLog {
 public:
  // Opens the file and starts the writing thread.
  // Errors: kInvalid if the file cannot be opened or an option is out of bounds.
  static Result<std::unique_ptr<AccessLog>> open(AccessLogOptions options);

  // Writes what is waiting, then stops; what a pipe without a reader does not take is dropped.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // False if the ring was full and the entry was dropped. Requires: shard < shards.
  bool record(std::size_t shard, const AccessEntry& entry);

  // Opens the path anew before the next line, for log rotation (SIGHUP). If that fails the old file stays in
  // use.
  void reopen();

  // Waits until everything recorded before the call is with the operating system.
  void flush();

  std::uint64_t written() const;
  std::uint64_t dropped() const;  // full rings and failed writes

 private:
  struct State;
  explicit AccessLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::telemetry
