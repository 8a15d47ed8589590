// The checks of a request whose fields have been read. Source: vLLM sampling_params.py and the openai
// protocol models.

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/serve/draft.h"

namespace tidegate::serve {
namespace {

constexpr float kGreedyBelow = 1e-5f;

// As Python prints a float: 2.0, 0.5.
std::string text_of(double number) {
  if (std::trunc(number) == number && std::fabs(number) < 1e15) {
    return std::to_string(static_cast<std::int64_t>(number)) + ".0";
  }
  std::string text = std::to_string(number);
  while (text.size() > 1 && text.back() == '0') text.pop_back();
  return text;
}

ApiResult<void> settle_sampling(Draft& draft) {
  batch::Sampling& sampling = draft.request.sampling;
  const batch::Sampling& defaults = draft.rules.defaults;
  const double temperature = draft.temperature.value_or(defaults.temperature);
  if (!std::isfinite(temperature) || temperature < 0) {
    return bad_request("temperature must be non-negative, got " + text_of(temperature) + ".", "temperature");
  }
  const double top_p = draft.top_p.value_or(defaults.top_p);
  if (!(top_p > 0 && top_p <= 1)) {
    return bad_request("top_p must be in (0, 1], got " + text_of(top_p) + ".", "top_p");
  }
  const std::int64_t top_k = draft.top_k.value_or(defaults.top_k);
  if (top_k < -1 || top_k > std::numeric_limits<std::int32_t>::max()) {
    return bad_request("top_k must be 0 (disable), or at least 1, got " + std::to_string(top_k) + ".",
                       "top_k");
  }
  const double min_p = draft.min_p.value_or(defaults.min_p);
  if (!(min_p >= 0 && min_p <= 1)) {
    return bad_request("min_p must be in [0, 1], got " + text_of(min_p) + ".", "min_p");
  }
  const double presence = draft.presence.value_or(defaults.presence_penalty);
  if (!(presence >= -2 && presence <= 2)) {
    return bad_request("presence_penalty must be in [-2, 2], got " + text_of(presence) + ".",
                       "presence_penalty");
  }
  const double frequency = draft.frequency.value_or(defaults.frequency_penalty);
  if (!(frequency >= -2 && frequency <= 2)) {
    return bad_request("frequency_penalty must be in [-2, 2], got " + text_of(frequency) + ".",
                       "frequency_penalty");
  }
  const double repetition = draft.repetition.value_or(defaults.repetition_penalty);
  if (!(repetition > 0) || !std::isfinite(repetition)) {
    return bad_request("repetition_penalty must be greater than zero, got " + text_of(repetition) + ".",
                       "repetition_penalty");
  }
  sampling.temperature = static_cast<float>(temperature);
  sampling.top_p = static_cast<float>(top_p);
  sampling.top_k = static_cast<std::int32_t>(top_k);
  sampling.min_p = static_cast<float>(min_p);
  sampling.presence_penalty = static_cast<float>(presence);
  sampling.frequency_penalty = static_cast<float>(frequency);
  sampling.repetition_penalty = static_cast<float>(repetition);
  return {};
}

ApiResult<void> settle_lengths(Draft& draft) {
  GenerateRequest& request = draft.request;
  const auto& max_tokens = draft.max_completion_tokens ? draft.max_completion_tokens : draft.max_tokens;
  constexpr std::int64_t kDefault = 16;
  std::optional<std::int64_t> limit = max_tokens;
  if (!limit && request.api == Api::kCompletion) limit = kDefault;
  if (limit && *limit < (request.echo && request.api == Api::kCompletion ? 0 : 1)) {
    return bad_request("max_tokens must be at least 1, got " + std::to_string(*limit) + ".", "max_tokens");
  }
  if (limit) request.max_tokens = static_cast<std::size_t>(*limit);
  const std::int64_t min_tokens = draft.min_tokens.value_or(0);
  if (min_tokens < 0) {
    return bad_request(
        "min_tokens must be greater than or equal to 0, got " + std::to_string(min_tokens) + ".",
        "min_tokens");
  }
  if (limit && min_tokens > *limit) {
    return bad_request("min_tokens must be less than or equal to max_tokens=" + std::to_string(*limit) +
                           ", got " + std::to_string(min_tokens) + ".",
                       "min_tokens");
  }
  request.sampling.min_tokens = static_cast<std::size_t>(min_tokens);
  if (draft.truncate && *draft.truncate != -1) {
    if (*draft.truncate < 1) {
      return bad_request("truncate_prompt_tokens must be at least 1, or -1 for the context length, got " +
                             std::to_string(*draft.truncate) + ".",
                         "truncate_prompt_tokens");
    }
    request.truncate_prompt_tokens = static_cast<std::size_t>(*draft.truncate);
  }
  return {};
}

// -1 asks for the whole vocabulary.
ApiResult<std::int32_t> logprob_count(const RequestRules& rules, std::int64_t wanted, std::string_view what) {
  if (wanted < -1) {
    return bad_request(std::string(what) + " must be non-negative or -1, got " + std::to_string(wanted) + ".",
                       std::string(what));
  }
  const auto vocabulary = static_cast<std::int64_t>(rules.vocabulary);
  const std::int64_t most = rules.logprobs_max < 0 ? vocabulary : rules.logprobs_max;
  const std::int64_t count = wanted < 0 ? vocabulary : wanted;
  if (count > most) {
    return bad_request("Requested " + std::string(what) + " of " + std::to_string(count) +
                           ", which is greater than max allowed: " + std::to_string(most),
                       std::string(what));
  }
  return static_cast<std::int32_t>(count);
}

ApiResult<void> settle_logprobs(Draft& draft) {
  GenerateRequest& request = draft.request;
  std::optional<std::int64_t> wanted = draft.logprobs;
  if (request.api == Api::kChat) {
    if (draft.top_logprobs.value_or(0) != 0 && !draft.chat_logprobs) {
      return bad_request("when using `top_logprobs`, `logprobs` must be set to true.", "top_logprobs");
    }
    wanted.reset();
    if (draft.chat_logprobs) wanted = draft.top_logprobs.value_or(0);
  }
  if (wanted) {
    auto count = logprob_count(draft.rules, *wanted, request.api == Api::kChat ? "top_logprobs" : "logprobs");
    if (!count) return tl::unexpected(count.error());
    request.sampling.logprobs = *count;
  }
  std::optional<std::int64_t> prompt = draft.prompt_logprobs;
  if (prompt && request.stream) {
    return bad_request("`prompt_logprobs` are not available when `stream=True`.", "prompt_logprobs");
  }
  request.prompt_logprobs = prompt.has_value();
  // An echo with logprobs shows those of the prompt too.
  if (!prompt && request.echo && request.api == Api::kCompletion && wanted) prompt = wanted;
  if (prompt) {
    auto count = logprob_count(draft.rules, *prompt, "prompt_logprobs");
    if (!count) return tl::unexpected(count.error());
    request.sampling.prompt_logprobs = *count;
  }
  return {};
}

ApiResult<void> settle_choices(Draft& draft) {
  GenerateRequest& request = draft.request;
  const std::int64_t n = draft.n.value_or(1);
  if (n < 1) return bad_request("n must be at least 1, got " + std::to_string(n) + ".", "n");
  const auto prompts = static_cast<std::int64_t>(std::max<std::size_t>(request.prompts.size(), 1));
  const auto most = static_cast<std::int64_t>(draft.rules.choices_max);
  if (n > most || n * prompts > most) {
    return bad_request(
        "n must be at most " + std::to_string(most) + " over all prompts, got " + std::to_string(n) + ".",
        "n");
  }
  if (n > 1 && request.sampling.temperature < kGreedyBelow) {
    return bad_request("n must be 1 when using greedy sampling, got " + std::to_string(n) + ".", "n");
  }
  request.n = static_cast<std::size_t>(n);
  for (const std::string& stop : request.stop.strings) {
    if (stop.empty()) return bad_request("stop cannot contain an empty string.", "stop");
  }
  if (draft.seed && *draft.seed != -1) request.seed = draft.seed;
  request.priority = draft.priority.value_or(0);
  if (request.priority != 0 && !draft.rules.priority_policy) {
    return bad_request(
        "Got priority " + std::to_string(request.priority) +
            " but Priority scheduling is not enabled; start the engine with --scheduling-policy priority.",
        "priority");
  }
  if (draft.guides > 1) {
    return bad_request(
        "You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice').",
        "structured_outputs");
  }
  if (draft.has_stream_options && !request.stream) {
    return bad_request("Stream options can only be defined when `stream=True`.", "stream_options");
  }
  return {};
}

// The call of one function: its arguments are the output, held to its parameters.
ApiResult<void> settle_tool(Draft& draft, bool required) {
  if (required && draft.tools.size() > 1) {
    return bad_request(
        "tool_choice \"required\" is supported with one tool only by this engine; name the function.",
        "tool_choice");
  }
  const auto tool = std::find_if(draft.tools.begin(), draft.tools.end(), [&](const Draft::Tool& each) {
    return required || each.name == draft.tool_name;
  });
  if (tool == draft.tools.end()) {
    return bad_request("The tool specified in `tool_choice` does not match any of the specified `tools`",
                       "tool_choice");
  }
  constexpr std::string_view kNoParameters = R"({"type":"object","properties":{}})";
  ++draft.guides;
  draft.request.guide =
      guide::Source{guide::Source::Kind::kJsonSchema,
                    tool->parameters.empty() ? std::string(kNoParameters) : tool->parameters};
  draft.request.guide_field = "tools.function.parameters";
  draft.request.tool_name = tool->name;
  draft.request.tool_required = required;
  return {};
}

ApiResult<void> settle_chat(Draft& draft) {
  const batch::ChatPrompt& chat = draft.request.chat;
  if (chat.continue_final_message && chat.add_generation_prompt) {
    return bad_request("Cannot set both `continue_final_message` and `add_generation_prompt` to True.");
  }
  const std::string choice =
      draft.tool_choice.empty() ? (chat.tools_json.empty() ? "none" : "auto") : draft.tool_choice;
  if (choice == "none") return {};
  if (chat.tools_json.empty())
    return bad_request("When using `tool_choice`, `tools` must be set.", "tool_choice");
  if (choice == "named" || choice == "required") return settle_tool(draft, choice == "required");
  if (choice != "auto") {
    return bad_request("tool_choice \"" + choice +
                           "\" is not known; use \"auto\", \"none\", \"required\" or name a function.",
                       "tool_choice");
  }
  if (!draft.rules.auto_tool_choice) {
    return bad_request(
        "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
        "tool_choice");
  }
  return {};
}

}  // namespace

ApiResult<GenerateRequest> settle(Draft draft) {
  if (draft.request.api == Api::kCompletion) {
    if (!draft.has_prompt) return bad_shape("missing", "prompt", "Field required");
  } else {
    if (!draft.has_messages) return bad_shape("missing", "messages", "Field required");
    if (auto settled = settle_chat(draft); !settled) return tl::unexpected(settled.error());
  }
  for (const auto check : {settle_sampling, settle_lengths, settle_choices, settle_logprobs}) {
    if (auto settled = check(draft); !settled) return tl::unexpected(settled.error());
  }
  return std::move(draft.request);
}

ApiResult<void> fit_to_context(GenerateRequest& request, std::size_t prompt_tokens, std::size_t context_max) {
  const std::string limit =
      "This model's maximum context length is " + std::to_string(context_max) + " tokens. ";
  if (prompt_tokens == 0) {
    return bad_request("The decoder prompt cannot be empty", "prompt");
  }
  if (prompt_tokens >= context_max) {
    return bad_request(limit + "However, your request has " + std::to_string(prompt_tokens) +
                           " input tokens. Please reduce the length of the input messages.",
                       "input_tokens");
  }
  const std::size_t left = context_max - prompt_tokens;
  if (request.max_tokens && *request.max_tokens > left) {
    return bad_request(limit + "However, you requested " +
                           std::to_string(*request.max_tokens + prompt_tokens) + " tokens (" +
                           std::to_string(prompt_tokens) + " in the messages, " +
                           std::to_string(*request.max_tokens) +
                           " in the completion). Please reduce the length of the messages or completion.",
                       "max_tokens");
  }
  batch::Sampling& sampling = request.sampling;
  // An echo alone still computes one token, which is not shown.
  sampling.max_tokens = std::max<std::size_t>(request.max_tokens.value_or(left), 1);
  sampling.max_tokens_given = request.max_tokens.has_value();
  if (sampling.min_tokens > sampling.max_tokens) {
    return bad_request(
        "min_tokens must be less than or equal to max_tokens=" + std::to_string(sampling.max_tokens) +
            ", got " + std::to_string(sampling.min_tokens) + ".",
        "min_tokens");
  }
  return {};
}

}  // namespace tidegate::serve
