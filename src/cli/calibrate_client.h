// What `tidegate engine --calibrate` asks of the server that it looks at.
//
// Thread: the loop's own, but for target_of(), which may wait for the name service.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "http/client.h"
#include "net/address.h"
#include "net/task.h"

namespace tidegate::cli {

struct CalibrationTarget {
  net::Address address;
  std::string host;  // as the URL has it, with its port
  std::string base;  // path before /v1, without a slash at its end
  std::string api_key;
  std::shared_ptr<const net::TlsClient> tls = nullptr;
  std::string server_name;
};

// From http://HOST[:PORT][/PATH] or https://; a /v1 at the end is left out.
// Errors: kInvalid for another shape, kUnavailable for a name that is not known.
Result<CalibrationTarget> target_of(std::string_view url, std::string_view api_key);

struct ServerFacts {
  std::string model;
  std::vector<std::string> adapters;
  std::size_t context_max = 2048;
  std::vector<std::int32_t> tokens;  // that text is made of: random prompts come from these
  std::optional<std::size_t> blocks, block_tokens, adapter_slots;  // as its metrics tell
};

// One streamed completion of exactly `answer` tokens.
struct CalibrationAsk {
  std::string model;
  std::vector<std::int32_t> prompt;
  std::size_t answer = 1;
};

struct TokenEvent {
  double ms = 0;           // since the client's beginning
  std::size_t tokens = 0;  // of the answer, so far
};

struct CalibrationTold {
  double sent_ms = 0;
  std::vector<TokenEvent> events;  // at least one
};

class CalibrationClient {
 public:
  CalibrationClient(net::Loop& loop, const Clock& clock, CalibrationTarget target);

  // Errors: what cannot be reached or read, and what the server refuses, with its words.
  net::Task<Result<ServerFacts>> facts();
  net::Task<Result<CalibrationTold>> ask(const CalibrationAsk& ask);

  double now_ms() const { return milliseconds(clock_.now() - began_); }

 private:
  net::Task<Result<std::string>> get(std::string method, std::string path, std::string body);
  http::ClientRequest request(std::string method, const std::string& path, std::string body) const;

  const Clock& clock_;
  TimePoint began_;
  CalibrationTarget target_;
  http::Client client_;
};

}  // namespace tidegate::cli
