// What every route works with, and what the routes are. Internal to this room.
//
// Thread: the loop's own.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "engine/batch/tokenizer.h"
#include "engine/serve/answer.h"
#include "engine/serve/catalog.h"
#include "engine/serve/engine_thread.h"
#include "engine/serve/flags.h"
#include "engine/serve/guides.h"
#include "engine/serve/inbox.h"
#include "engine/serve/metrics_text.h"
#include "engine/serve/request.h"
#include "http/server.h"
#include "net/task.h"

namespace tidegate::serve {

struct Desk {
  const Flags& flags;
  const batch::Tokenizer& tokenizer;
  EngineThread& engine;
  Inbox& inbox;
  net::Loop& loop;
  const Clock& clock;
  Random random;
  Catalog catalog;
  RequestRules rules;
  CacheInfo cache;
  BodyReader bodies;
  Guides guides;
  Rates rates;
  BusyShare busy;
  TimePoint ready_at{};  // --startup-delay
  bool draining = false;
  SleepState sleep = SleepState::kAwake;
  std::uint64_t in_flight = 0;  // generating requests
  std::map<HttpCount, std::uint64_t> http_counts;
};

// One request and its answer.
struct Exchange {
  http::Request& request;
  http::Responder& responder;
  int status = 0;  // of the answer, once there is one
};

using Respond = net::Task<void>;

// Answers with JSON, or with an error, and notes the status.
Respond answer_json(Exchange& exchange, int status, std::string body);
Respond answer_error(Desk& desk, Exchange& exchange, const ApiError& error);

// generate.cc
Respond completions(Desk& desk, Exchange& exchange);
Respond chat_completions(Desk& desk, Exchange& exchange);
Respond invocations(Desk& desk, Exchange& exchange);  // SageMaker's name for either

// text_routes.cc
Respond tokenize(Desk& desk, Exchange& exchange);
Respond detokenize(Desk& desk, Exchange& exchange);

// admin.cc
Respond load_adapter(Desk& desk, Exchange& exchange);
Respond unload_adapter(Desk& desk, Exchange& exchange);
Respond sleep(Desk& desk, Exchange& exchange);
Respond wake_up(Desk& desk, Exchange& exchange);
Respond is_sleeping(Desk& desk, Exchange& exchange);
Respond reset_prefix_cache(Desk& desk, Exchange& exchange);

}  // namespace tidegate::serve
