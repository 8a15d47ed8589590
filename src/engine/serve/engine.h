// A whole engine: a model, its tokenizer, the stepping thread and the HTTP surface, until it is told to end.
//
// Thread: run() takes the calling thread; block SIGTERM and SIGINT before any other thread starts
// (net::Signals).

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/batch/model.h"
#include "engine/batch/tokenizer.h"
#include "engine/serve/flags.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/task.h"

namespace tidegate::serve {

// What distinguishes one kind of engine from another.
struct Parts {
  std::unique_ptr<batch::Tokenizer> tokenizer;
  std::unique_ptr<batch::Model> model;  // may refer to the tokenizer
  std::size_t blocks = 0;               // KV blocks, the null block included
  batch::Sampling defaults;             // from generation_config.json
  std::vector<std::string> notes;       // lines for the user
};

// Errors: kNotFound for an unknown profile.
Result<Parts> simulated_parts(const Flags& flags);

// The engine on a loop that somebody else runs.
class Engine {
 public:
  // Errors: memory, an unusable address.
  static Result<std::unique_ptr<Engine>> make(net::Loop& loop, const Flags& flags, Parts parts,
                                              const Clock& clock);
  // Requires: drain() has returned, or listen() never succeeded.
  ~Engine();

  // Accepts from now on. Errors: address in use or not of this host.
  Result<net::Address> listen();

  // No new connections; running requests may go on for `grace`.
  net::Task<void> drain(Duration grace);

  // Generating requests.
  std::uint64_t in_flight() const;

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Serves until SIGTERM or SIGINT, then drains. `on_ready` is called with the address once connections are
// accepted. Takes the calling thread; call it before any other thread starts, so that signals arrive here.
// Errors: as above.
Result<void> run(const Flags& flags, Parts parts, const std::function<void(const net::Address&)>& on_ready);

}  // namespace tidegate::serve
