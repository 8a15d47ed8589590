// A client that asks a gateway for completions and notes what `tidegate bench` wants to know of the answers.
//
// Thread: the loop's own.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"

namespace tidegate::cli {

struct BenchRequest {
  net::Address gateway;
  std::string host;  // the Host header
  std::string model;
  std::string prompt;
  unsigned max_tokens = 16;
  bool stream = true;
  Duration timeout = std::chrono::seconds(60);
};

struct BenchAnswer {
  std::string model;       // as the answer names it: who served
  Duration first_token{};  // until the first event with a choice; of an answer in one piece, until its end
  Duration whole{};
  std::optional<std::uint64_t> prompt_tokens;
  std::optional<std::uint64_t> completion_tokens;
};

// One keep-alive connection. A request that fails closes it; the next opens another.
class BenchClient {
 public:
  // All three outlive the client.
  BenchClient(net::Loop& loop, const Clock& clock, const BenchRequest& request)
      : loop_(loop), clock_(clock), request_(request) {}

  // Errors: what net says of a connection that cannot be made or breaks; kInvalid for an answer that is not
  // one (any status but 200, with what the answer said).
  net::Task<Result<BenchAnswer>> ask();

 private:
  net::Task<Result<BenchAnswer>> exchange();

  net::Loop& loop_;
  const Clock& clock_;
  const BenchRequest& request_;
  net::Stream stream_;
};

}  // namespace tidegate::cli
