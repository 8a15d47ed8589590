// What the gateway needs to know of a JSON request body, found in one pass and never by building a document.
//
// A body must be one JSON object in UTF-8 without a byte order mark and with nothing behind it. The members
// we act on (model, stream, stream_options, max_tokens, max_completion_tokens, n, lora, lora_path) may appear
// once and their keys must be written plainly: engines take the last of two equal keys while a first-match
// reader takes the first, and that difference is a way around routing and authorisation. A key that only
// decodes to one of those names ("mod\u0065l") is refused for the same reason.
//
// The whole body is held to RFC 8259 (json_check.h), skipped members too. So the ranges found here are those
// that every JSON reader finds, and no comment, stray word or unbalanced bracket hides a member from us that
// a lenient engine reads.
//
// Thread: a BodyReader belongs to one thread. It keeps its buffers, so reading allocates only while bodies
// still grow.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace tidegate::dialect {

// Readable bytes that must follow a body in memory; their content does not matter.
inline constexpr std::size_t kBodyPadding = 64;

// Names longer than this are refused: InferenceModel allows 256 characters.
inline constexpr std::size_t kModelBytesMax = 1024;

// Bytes [begin, end) of the body.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool empty() const { return begin == end; }
  std::size_t size() const { return end - begin; }
  std::string_view of(std::string_view body) const { return body.substr(begin, end - begin); }
  bool operator==(const Range&) const = default;
};

enum class Flag : std::uint8_t { kAbsent, kNull, kFalse, kTrue };

struct BodyFacts {
  // Decoded. A view into the body or into the reader; lives until the reader's next read and as long as the
  // body.
  std::string_view model;
  bool has_model = false;  // false if absent or null
  Range model_token;       // with its quotes, or the word null; empty if absent

  Flag stream = Flag::kAbsent;
  bool streams() const { return stream == Flag::kTrue; }

  Range stream_options;  // the object with its braces, or the word null; empty if absent
  bool stream_options_is_object = false;
  bool stream_options_is_empty = false;  // an object without members
  Flag include_usage = Flag::kAbsent;
  Range include_usage_token;  // its value
  Flag continuous_usage = Flag::kAbsent;
  Range continuous_usage_token;

  std::optional<std::uint64_t> max_tokens;  // max_completion_tokens where both are given, as vLLM decides
  std::optional<std::uint64_t> n;

  Range prompt;  // the value of prompt, messages or input: what a prefix index hashes; empty if absent

  Range tools;  // that a chat may call: templates put them before the messages; empty if absent

  Range cache_salt;  // vLLM's: prompts of different salts share no cache; with its quotes, empty if absent

  Range lora;       // llama.cpp's and SGLang's choice of adapters, if the client makes it; empty if absent
  Range lora_path;  // likewise

  std::size_t open = 0;   // just behind the body's opening brace: where a member may be inserted
  bool is_empty = false;  // {} : an inserted member needs no comma
};

class BodyReader {
 public:
  // Bodies over `bytes_max` are refused with kTooLarge; the HTTP limit should be lower.
  explicit BodyReader(std::size_t bytes_max = std::size_t{1} << 30);
  ~BodyReader();
  BodyReader(BodyReader&&) noexcept;
  BodyReader& operator=(BodyReader&&) noexcept;

  // Requires: kBodyPadding readable bytes behind `body`.
  // Errors: kInvalid with field naming the member ("model") or empty for the body as a whole; kTooLarge.
  Result<BodyFacts> read(std::string_view body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::dialect
