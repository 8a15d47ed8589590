// What a client asks for: the bodies of /v1/completions and /v1/chat/completions, read into native types and
// checked.
//
// Unknown fields are ignored, as vLLM does. Null equals absent. What cannot be served (beam search, a
// grammar, a suffix) is refused by name rather than ignored.
//
// Thread: pure functions; a BodyReader belongs to one thread and keeps its buffers.
// Source: reference model-server.md section 1.2; vLLM's wording for what it refuses.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batch/request.h"
#include "engine/batch/tokenizer.h"
#include "engine/guide/guide.h"
#include "engine/serve/api_error.h"

namespace tidegate::serve {

enum class Api { kCompletion, kChat };

struct Prompt {
  std::string text;
  std::vector<batch::Token> tokens;  // used when the client sent ids
  bool is_tokens = false;
};

struct GenerateRequest {
  Api api = Api::kCompletion;
  std::string model;            // empty: the first base model
  std::vector<Prompt> prompts;  // completions: one choice block each
  batch::ChatPrompt chat;

  batch::Sampling sampling;  // seed and max_tokens are settled when the prompt is known
  std::optional<std::int64_t> seed;
  std::optional<std::size_t> max_tokens;
  std::optional<std::size_t> truncate_prompt_tokens;
  batch::StopRules stop;

  std::size_t n = 1;
  bool stream = false;
  bool include_usage = false;
  bool continuous_usage = false;
  bool echo = false;
  bool prompt_logprobs = false;  // shown on their own, not only as part of an echo
  bool add_special_tokens = true;
  bool skip_special_tokens = true;
  bool return_token_ids = false;
  bool tokens_as_ids = false;  // logprobs name tokens "token_id:N"
  std::int64_t priority = 0;
  std::string cache_salt;
  std::string request_id;

  std::optional<guide::Source> guide;  // what the output must be
  std::string guide_field;             // which asked for it
  std::string tool_name;               // chat: the output is this function's arguments; empty: it is text
  bool tool_required = false;          // some function had to be called, rather than this one
  std::vector<std::string> bad_words;  // to be tokenised
};

// What requests are held against.
struct RequestRules {
  std::size_t vocabulary = 0;
  std::int64_t logprobs_max = 20;  // --max-logprobs; -1: the vocabulary
  std::size_t choices_max = 16384;
  std::size_t prompts_max = 16384;
  bool priority_policy = false;        // --scheduling-policy priority
  bool auto_tool_choice = false;       // --enable-auto-tool-choice
  bool strict_stream_options = false;  // as vLLM before continuous_usage_stats: unknown members are refused
  batch::Sampling defaults;            // generation_config.json
};

// /tokenize.
struct TokenizeRequest {
  std::string model;
  std::optional<std::string> prompt;  // else `chat`
  batch::ChatPrompt chat;
  bool add_special_tokens = true;
  bool return_token_strs = false;
};
struct DetokenizeRequest {
  std::string model;
  std::vector<batch::Token> tokens;
};
// /v1/load_lora_adapter, /v1/unload_lora_adapter. Missing names are empty.
struct AdapterRequest {
  std::string name;
  std::string path;
  bool load_inplace = false;
};

class BodyReader {
 public:
  BodyReader();
  ~BodyReader();

  ApiResult<GenerateRequest> generate(Api api, std::string_view body, const RequestRules& rules);
  // Whether the body is a conversation: for routes that take both APIs' bodies.
  bool has_messages(std::string_view body);
  ApiResult<TokenizeRequest> tokenize(std::string_view body);
  ApiResult<DetokenizeRequest> detokenize(std::string_view body, std::size_t vocabulary);
  ApiResult<AdapterRequest> adapter(std::string_view body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Settles what depends on the prompt's length: max_tokens, and whether the request fits at all.
ApiResult<void> fit_to_context(GenerateRequest& request, std::size_t prompt_tokens, std::size_t context_max);

}  // namespace tidegate::serve
