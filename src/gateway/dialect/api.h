// Which API a request speaks, from its method and path alone.
//
// The path decides what may pass. Inference APIs and the model list pass on every route. An engine's own
// administration (loading adapters, sleeping, metrics) and paths we do not know pass only where a route names
// them, because an engine opens new doors with every release and a list of forbidden ones is always behind.
//
// Engines decode "%6c" and some fold "//" and a closing "/" before they look a path up, so the comparison
// here is made on the decoded path: "/v1/load%5Flora_adapter" is administration too.
//
// Thread: pure.

#pragma once

#include <cstdint>
#include <string_view>

namespace tidegate::dialect {

enum class Api : std::uint8_t {
  kCompletions,  // POST /v1/completions
  kChat,         // POST /v1/chat/completions
  kResponses,    // POST /v1/responses (passed as it is; its stream has its own usage events)
  kMessages,     // POST /v1/messages (Anthropic's shape)
  kEmbeddings,   // POST /v1/embeddings, /pooling, /score, /rerank, /classify and their /v1, /v2 forms
  kMedia,        // POST /v1/audio/..., /v1/images/...: JSON, or a form with the model as a field
  kTokenize,     // POST /tokenize, /detokenize, /v1/messages/count_tokens
  kModels,       // GET /v1/models and GET /v1/models/{name}
  kAdmin,        // an engine's administration, health and metrics
  kOther,        // anything else
};

// `target` is the request target in origin form; its query is ignored.
Api classify(std::string_view method, std::string_view target);

// The request body is a JSON object (or a form) that names its model at the top level, so it must be read
// before a target is chosen.
constexpr bool has_model_in_body(Api api) {
  switch (api) {
    case Api::kCompletions:
    case Api::kChat:
    case Api::kResponses:
    case Api::kMessages:
    case Api::kEmbeddings:
    case Api::kMedia:
    case Api::kTokenize:
      return true;
    case Api::kModels:
    case Api::kAdmin:
    case Api::kOther:
      return false;
  }
  return false;
}

// Streams of this API understand stream_options.include_usage.
constexpr bool has_stream_options(Api api) { return api == Api::kCompletions || api == Api::kChat; }

// Its answer begins with the prompt's prefill, so it gains from an engine that holds the prompt's beginning.
constexpr bool has_cached_prompt(Api api) {
  return api == Api::kCompletions || api == Api::kChat || api == Api::kResponses || api == Api::kMessages;
}

// Passes only where a route's path match names it: an exact path or a prefix longer than "/".
constexpr bool needs_named_route(Api api) { return api == Api::kAdmin || api == Api::kOther; }

// For labels and logs: "completions", "chat", ...
std::string_view name_of(Api api);

}  // namespace tidegate::dialect
