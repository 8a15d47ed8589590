// A request body while it is being read: fields as they came, before they are held against each other.
// Internal to this room.
//
// Thread: a value.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/serve/fields.h"
#include "engine/serve/request.h"

namespace tidegate::serve {

struct Draft {
  Draft(Api api, const RequestRules& request_rules) : rules(request_rules) {
    request.api = api;
    request.add_special_tokens = api == Api::kCompletion;
  }

  GenerateRequest request;
  const RequestRules& rules;
  std::optional<std::int64_t> max_tokens, max_completion_tokens, min_tokens, n, top_k, logprobs,
      prompt_logprobs, top_logprobs, seed, priority, truncate;
  std::optional<double> temperature, top_p, min_p, presence, frequency, repetition;
  bool chat_logprobs = false;
  bool has_prompt = false;
  bool has_messages = false;
  bool has_stream_options = false;
  struct Tool {
    std::string name;
    std::string parameters;  // JSON text of a schema; empty: none
  };
  std::vector<Tool> tools;
  std::string tool_choice;  // "named" with tool_name
  std::string tool_name;
  std::size_t guides = 0;  // constraints on the output; one is allowed
};

// Reads one field into the draft; unknown ones are ignored.
ApiResult<void> read_field(Draft& draft, std::string_view name, Json value);

// Holds the fields against each other and against the rules, in vLLM's order and wording.
ApiResult<GenerateRequest> settle(Draft draft);

// guide_fields.cc: the fields that constrain the output.
ApiResult<void> read_response_format(Draft& draft, Json value, std::string_view path);
ApiResult<void> read_structured_outputs(Draft& draft, Json value, std::string_view path);
ApiResult<void> read_guided_json(Draft& draft, Json value, std::string_view path);
ApiResult<void> read_guided_json_object(Draft& draft, Json value, std::string_view path);
ApiResult<void> read_guided_regex(Draft& draft, Json value, std::string_view path);
ApiResult<void> read_guided_choice(Draft& draft, Json value, std::string_view path);
ApiResult<void> refuse_guide(Draft& draft, Json value, std::string_view path);

// Also used by /tokenize.
ApiResult<void> read_messages(batch::ChatPrompt& chat, Json value, std::string_view path);

}  // namespace tidegate::serve
