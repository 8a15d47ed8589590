// --kv-events-config: vLLM's JSON object. Unknown members are errors, as there.
//
// Thread: pure.
// Source: vLLM config/kv_events.py.

#pragma once

#include <string_view>

#include "engine/serve/flags.h"

namespace tidegate::serve {

// {"enable_kv_cache_events": bool, "publisher": "zmq" or "null", "endpoint": text, "replay_endpoint": text,
//  "buffer_steps": n, "hwm": n, "max_queue_size": n, "topic": text}. Errors: kInvalid.
Result<KvEvents> parse_kv_events(std::string_view text);

}  // namespace tidegate::serve
