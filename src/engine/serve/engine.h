// A whole engine: a model, its tokenizer, the stepping thread and the HTTP surface, until it is told to end.
//
// Thread: run() takes the calling thread; block SIGTERM and SIGINT before any other thread starts
// (net::Signals).

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/batch/model.h"
#include "engine/batch/tokenizer.h"
#include "engine/serve/flags.h"
#include "net/address.h"

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

// Serves until SIGTERM or SIGINT, then drains. `on_ready` is called with the address once connections are
// accepted. Errors: memory, address in use, unusable address.
Result<void> run(const Flags& flags, Parts parts, const std::function<void(const net::Address&)>& on_ready);

}  // namespace tidegate::serve
