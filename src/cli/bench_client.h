// Asks a gateway for completions and notes what `tidegate bench` wants to know of the answers.
//
// Thread: the loop's own.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "http/client.h"
#include "net/address.h"
#include "net/task.h"

namespace tidegate::cli {

struct BenchRequest {
  net::Address gateway;
  std::string host;  // the Host header
  std::string model;
  std::string prompt;
  unsigned max_tokens = 16;
  bool stream = true;
  bool chat = false;  // as a message of /v1/chat/completions
  Duration timeout = std::chrono::seconds(60);
};

struct BenchAnswer {
  std::string model;       // as the answer names it: who served
  Duration first_token{};  // until the first event with a choice; of an answer in one piece, until its end
  Duration whole{};
  std::optional<std::uint64_t> prompt_tokens;
  std::optional<std::uint64_t> completion_tokens;
};

// One completion. All arguments outlive the task.
// Errors: what the client says of a connection that cannot be made or breaks; kInvalid for an answer that is
// not one: any status but 200 (with what it said), a stream with an error or without its [DONE], no model.
net::Task<Result<BenchAnswer>> ask_completion(http::Client& client, const Clock& clock,
                                              const BenchRequest& request);

}  // namespace tidegate::cli
