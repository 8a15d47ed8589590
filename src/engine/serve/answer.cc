#include "engine/serve/answer.h"

#include <utility>

#include "engine/serve/json_out.h"

namespace tidegate::serve {
namespace {

std::string_view finish_name(batch::Finish finish) {
  switch (finish) {
    case batch::Finish::kStop:
      return "stop";
    case batch::Finish::kLength:
      return "length";
    case batch::Finish::kAbort:
      return "abort";
    case batch::Finish::kError:
      return "error";
    case batch::Finish::kNone:
      break;
  }
  return "";
}

// Who had to call some function is told that it was called; who named one knows.
std::string finish_fields(const batch::End& end, bool tool_required) {
  std::string out;
  const bool called = tool_required && end.finish == batch::Finish::kStop;
  append_field(out, "finish_reason", called ? "tool_calls" : finish_name(end.finish));
  if (!end.stop_string.empty()) {
    append_field(out, "stop_reason", end.stop_string);
  } else if (end.stop_token) {
    append_field(out, "stop_reason", *end.stop_token);
  } else {
    append_null(out, "stop_reason");
  }
  return out;
}

void append_tokens(std::string& out, const std::vector<batch::Token>& tokens) {
  out += '[';
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out += ',';
    append_int(out, tokens[i]);
  }
  out += ']';
}

void append_head(std::string& out, const AnswerHead& head, std::string_view object) {
  append_field(out, "id", head.id);
  append_field(out, "object", object);
  append_field(out, "created", head.created);
  append_field(out, "model", head.model);
}

}  // namespace

Answer::Answer(const GenerateRequest& request, AnswerHead head, const std::vector<AnswerPrompt>& prompts,
               TokenNames names, AnswerOptions options)
    : request_(request),
      head_(std::move(head)),
      prompts_(prompts),
      names_(names),
      options_(options),
      choices_(prompts.size() * request.n) {
  if (!request_.stream) return;
  chunk_prefix_ = "data: {";
  append_head(chunk_prefix_, head_, chat() ? "chat.completion.chunk" : "text_completion");
  append_key(chunk_prefix_, "choices");
  chunk_prefix_ += "[{\"index\":";
}

void Answer::open(std::string& events) const {
  if (!chat()) return;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    events += chunk_prefix_;
    append_int(events, static_cast<std::int64_t>(i));
    events += R"(,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]})"
              "\n\n";
  }
}

// What comes before a choice's first token: the echo of the prompt, with its logprobs.
void Answer::begin_choice(Choice& choice, std::size_t index, const batch::Output& output, std::string& text) {
  choice.begun = true;
  if (index % request_.n == 0) {
    prompt_tokens_ += output.prompt_tokens;
    cached_tokens_ += output.cached_tokens;
  }
  if (request_.prompt_logprobs && output.logprobs) {
    append_prompt_logprobs(choice.prompt_logprobs, names_, output.logprobs->prompt);
  }
  if (!request_.echo) return;
  const AnswerPrompt& prompt = prompt_of(index);
  text = chat() ? (request_.chat.messages.empty() ? "" : request_.chat.messages.back().content) : prompt.text;
  if (chat() || request_.sampling.logprobs < 0) return;
  std::size_t next = 0;
  for (std::size_t position = 0; position < prompt.tokens.size(); ++position) {
    const batch::PromptLogprobs* logprobs = nullptr;
    if (output.logprobs && next < output.logprobs->prompt.size() &&
        output.logprobs->prompt[next].position == position) {
      logprobs = &output.logprobs->prompt[next++];
    }
    choice.arrays.add_prompt(names_, prompt.tokens[position], logprobs);
  }
}

void Answer::add(std::size_t index, const batch::Output& output, std::string& events) {
  Choice& choice = choices_[index];
  if (choice.ended) return;
  if (output.end && output.end->finish == batch::Finish::kError) {
    if (!std::exchange(failed_, true)) error_ = output.end->error;
    choice.ended = true;
    ++ended_;
    return;
  }
  std::string echoed;
  if (!choice.begun) begin_choice(choice, index, output, echoed);
  // An echo alone: the token was computed for the prompt's sake and is not part of the answer.
  const bool echo_only = request_.echo && request_.max_tokens == 0u;
  if (!echo_only) {
    completion_tokens_ += output.completion_tokens - choice.completion_tokens;
    choice.completion_tokens = output.completion_tokens;
    if (output.token && request_.return_token_ids) choice.tokens.push_back(*output.token);
    if (output.token && output.logprobs && request_.sampling.logprobs >= 0) {
      if (chat()) {
        if (!choice.logprobs.empty()) choice.logprobs += ',';
        append_chat_logprob(choice.logprobs, names_, output.logprobs->sample);
      } else {
        choice.arrays.add(names_, output.logprobs->sample);
      }
    }
  }
  if (output.end) {
    choice.ended = true;
    choice.finish = finish_fields(*output.end, request_.tool_required);
    ++ended_;
  }
  const std::string_view text = echo_only ? std::string_view() : std::string_view(output.text);
  if (request_.stream) {
    if (echoed.empty()) {
      append_chunk(choice, index, text, output, events);
    } else {
      append_chunk(choice, index, echoed.append(text), output, events);
    }
  } else {
    choice.text += echoed;
    choice.text += text;
  }
}

void Answer::append_chunk(Choice& choice, std::size_t index, std::string_view text,
                          const batch::Output& output, std::string& events) {
  events += chunk_prefix_;
  append_int(events, static_cast<std::int64_t>(index));
  if (!request_.tool_name.empty()) {
    events += ",\"delta\":{\"tool_calls\":[";
    append_tool_call(events, index, !std::exchange(choice.tool_told, true), text);
    events += "]},\"logprobs\":";
  } else {
    events += chat() ? ",\"delta\":{\"content\":\"" : ",\"text\":\"";
    append_escaped(events, text);
    events += chat() ? "\"},\"logprobs\":" : "\",\"logprobs\":";
  }
  if (request_.sampling.logprobs < 0) {
    events += "null";
  } else if (chat()) {
    events += "{\"content\":[";
    events += choice.logprobs;
    events += "]}";
    choice.logprobs.clear();
  } else {
    choice.arrays.append(events);
  }
  if (output.end) {
    events += ',';
    events += choice.finish;
  } else {
    events += chat() ? ",\"finish_reason\":null" : ",\"finish_reason\":null,\"stop_reason\":null";
  }
  if (request_.return_token_ids) {
    events += ",\"token_ids\":";
    append_tokens(events, choice.tokens);
    choice.tokens.clear();
  }
  events += "}]";
  if (request_.continuous_usage) {
    events += ",\"usage\":";
    append_usage(events);
  } else if (!chat()) {
    events += ",\"usage\":null";
  }
  events += "}\n\n";
}

void Answer::append_usage(std::string& out) const {
  out += "{\"prompt_tokens\":";
  append_int(out, static_cast<std::int64_t>(prompt_tokens_));
  out += ",\"total_tokens\":";
  append_int(out, static_cast<std::int64_t>(prompt_tokens_ + completion_tokens_));
  out += ",\"completion_tokens\":";
  append_int(out, static_cast<std::int64_t>(completion_tokens_));
  if (options_.prompt_tokens_details) {
    out += ",\"prompt_tokens_details\":{\"cached_tokens\":";
    append_int(out, static_cast<std::int64_t>(cached_tokens_));
    out += '}';
  }
  out += '}';
}

void Answer::finish(std::string& events) const {
  if (failed_) {
    events += error_event(from(error_), options_.flat_errors);
  } else if (request_.include_usage || options_.force_include_usage) {
    events += "data: {";
    append_head(events, head_, chat() ? "chat.completion.chunk" : "text_completion");
    events += ",\"choices\":[],\"usage\":";
    append_usage(events);
    events += "}\n\n";
  }
  events += "data: [DONE]\n\n";
}

// A call, or only more of its arguments.
void Answer::append_tool_call(std::string& out, std::size_t index, bool whole,
                              std::string_view arguments) const {
  out += '{';
  if (request_.stream) append_field(out, "index", 0);
  if (whole) {
    append_field(out, "id", "chatcmpl-tool-" + head_.id + "-" + std::to_string(index));
    append_field(out, "type", "function");
  }
  append_key(out, "function");
  out += '{';
  if (whole) append_field(out, "name", request_.tool_name);
  append_field(out, "arguments", arguments);
  out += "}}";
}

void Answer::append_choice(std::string& out, const Choice& choice, std::size_t index) const {
  out += "{\"index\":";
  append_int(out, static_cast<std::int64_t>(index));
  if (chat()) {
    out += ",\"message\":{\"role\":\"assistant\",\"content\":";
    const bool calls = !request_.tool_name.empty();
    append_quoted(out, calls ? std::string_view() : choice.text);
    out += ",\"reasoning_content\":null,\"tool_calls\":[";
    if (calls) append_tool_call(out, index, true, choice.text);
    out += "]},\"logprobs\":";
    out += request_.sampling.logprobs < 0 ? "null" : "{\"content\":[" + choice.logprobs + "]}";
  } else {
    append_field(out, "text", choice.text);
    out += ",\"logprobs\":";
    if (request_.sampling.logprobs < 0) {
      out += "null";
    } else {
      CompletionLogprobs arrays = choice.arrays;
      arrays.append(out);
    }
  }
  out += ',';
  out += choice.finish;
  if (request_.return_token_ids) {
    out += ",\"token_ids\":";
    append_tokens(out, choice.tokens);
    out += ",\"prompt_token_ids\":";
    append_tokens(out, prompt_of(index).tokens);
  }
  if (!chat()) {
    out += ",\"prompt_logprobs\":";
    out += choice.prompt_logprobs.empty() ? "null" : choice.prompt_logprobs;
  }
  out += '}';
}

std::string Answer::body() const {
  std::string out = "{";
  append_head(out, head_, chat() ? "chat.completion" : "text_completion");
  append_key(out, "choices");
  out += '[';
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    if (i > 0) out += ',';
    append_choice(out, choices_[i], i);
  }
  out += "],\"service_tier\":null,\"system_fingerprint\":null,\"usage\":";
  append_usage(out);
  if (chat()) {
    const std::string& prompt = choices_.front().prompt_logprobs;
    out += ",\"prompt_logprobs\":" + (prompt.empty() ? "null" : prompt);
  }
  out += ",\"kv_transfer_params\":null}";
  return out;
}

}  // namespace tidegate::serve
