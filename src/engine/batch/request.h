// What the front end hands to the stepper and what it gets back.
//
// One Submission is one sequence: a request with several prompts or n > 1 becomes several, each with its own
// id.
//
// Thread: values; moved from the front end's threads to the engine thread and back.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/batch/model.h"
#include "engine/batch/sampling.h"
#include "engine/lora/residency.h"

namespace tidegate::batch {

// Strings that end a request; they are looked for in the text, whatever tokens they come in.
struct StopRules {
  std::vector<std::string> strings;  // none is empty
  bool include_in_output = false;    // also shows a stop token's text
};

struct Submission {
  std::uint64_t id = 0;       // unique for the life of the engine; chosen by the front end
  std::vector<Token> prompt;  // not empty, shorter than Stepper::context_max()
  Sampling sampling;
  StopRules stop;
  bool skip_special = true;
  lora::AdapterId adapter = lora::kBase;
  std::int64_t priority = 0;  // lower goes first, under the priority policy
  std::string cache_salt;
  std::size_t choices = 1;  // the n of the client's request, for the metrics
  TimePoint arrival;        // when the front end had the request, before tokenising it
};

enum class Finish { kNone, kStop, kLength, kAbort, kError };

// What ended it and what the totals are; with the last Output of a sequence.
struct End {
  Finish finish = Finish::kNone;
  std::string stop_string;          // the one that matched; empty if none did
  std::optional<Token> stop_token;  // of stop_token_ids; not set for EOS
  Error error;                      // with kError
};

// Only for requests that asked for logprobs.
struct Logprobs {
  Sample sample;
  std::vector<PromptLogprobs> prompt;  // with the first token
};

// One step's news about one sequence.
struct Output {
  std::uint64_t id = 0;
  std::optional<Token> token;  // drawn in this step; counted even if its text is hidden
  std::string text;            // what may be shown now; held back while it could begin a stop string
  std::uint32_t prompt_tokens = 0;
  std::uint32_t cached_tokens = 0;      // of the prompt, found in the prefix cache
  std::uint32_t completion_tokens = 0;  // so far
  std::unique_ptr<Logprobs> logprobs;
  std::unique_ptr<End> end;
};

}  // namespace tidegate::batch
