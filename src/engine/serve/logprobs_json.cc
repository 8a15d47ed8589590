#include "engine/serve/logprobs_json.h"

#include <algorithm>

#include "engine/serve/json_out.h"

namespace tidegate::serve {
namespace {

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void separate(std::string& list) {
  if (!list.empty()) list += ',';
}

void append_bytes(std::string& out, std::string_view bytes) {
  out += '[';
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out += ',';
    append_int(out, static_cast<unsigned char>(bytes[i]));
  }
  out += ']';
}

// "token", "logprob" and "bytes" of one chat entry, without the closing brace.
void open_chat_entry(std::string& out, const TokenNames& names, const batch::TokenLogprob& entry) {
  out += "{\"token\":";
  append_quoted(out, names.of(entry.token));
  out += ",\"logprob\":";
  append_float(out, entry.logprob);
  out += ",\"bytes\":";
  append_bytes(out, names.tokenizer.bytes(entry.token));
}

}  // namespace

std::string TokenNames::of(batch::Token token) const {
  return as_ids ? "token_id:" + std::to_string(token) : tokenizer.piece(token);
}

void CompletionLogprobs::add_entry(const std::string& name, std::size_t width,
                                   const batch::TokenLogprob* chosen,
                                   const std::vector<batch::TokenLogprob>& top, const TokenNames& names) {
  for (std::string* list : {&offsets_, &tokens_, &chosen_, &top_}) separate(*list);
  append_int(offsets_, static_cast<std::int64_t>(offset_));
  offset_ += width;
  append_quoted(tokens_, name);
  if (chosen == nullptr) {
    chosen_ += "null";
    top_ += "null";
    return;
  }
  append_float(chosen_, chosen->logprob);
  top_ += '{';
  append_quoted(top_, name);
  top_ += ':';
  append_float(top_, chosen->logprob);
  for (const batch::TokenLogprob& other : top) {
    if (other.token == chosen->token) continue;
    top_ += ',';
    append_quoted(top_, names.of(other.token));
    top_ += ':';
    append_float(top_, other.logprob);
  }
  top_ += '}';
}

void CompletionLogprobs::add(const TokenNames& names, const batch::Sample& sample) {
  add_entry(names.of(sample.token), characters(names.tokenizer.piece(sample.token)), &sample.chosen,
            sample.top, names);
}

void CompletionLogprobs::add_prompt(const TokenNames& names, batch::Token token,
                                    const batch::PromptLogprobs* logprobs) {
  static const std::vector<batch::TokenLogprob> kNone;
  const std::size_t width = names.tokenizer.special(token) ? 0 : characters(names.tokenizer.piece(token));
  add_entry(names.of(token), width, logprobs == nullptr ? nullptr : &logprobs->actual,
            logprobs == nullptr ? kNone : logprobs->top, names);
}

void CompletionLogprobs::append(std::string& out) {
  out += "{\"text_offset\":[" + offsets_ + "],\"token_logprobs\":[" + chosen_ + "],\"tokens\":[" + tokens_ +
         "],\"top_logprobs\":[" + top_ + "]}";
  for (std::string* list : {&offsets_, &tokens_, &chosen_, &top_}) list->clear();
}

void append_chat_logprob(std::string& out, const TokenNames& names, const batch::Sample& sample) {
  open_chat_entry(out, names, sample.chosen);
  out += ",\"top_logprobs\":[";
  for (std::size_t i = 0; i < sample.top.size(); ++i) {
    if (i > 0) out += ',';
    open_chat_entry(out, names, sample.top[i]);
    out += '}';
  }
  out += "]}";
}

void append_prompt_logprobs(std::string& out, const TokenNames& names,
                            const std::vector<batch::PromptLogprobs>& logprobs) {
  const auto append_entry = [&](const batch::TokenLogprob& entry) {
    append_key(out, std::to_string(entry.token));
    out += '{';
    append_key(out, "logprob");
    append_float(out, entry.logprob);
    append_field(out, "rank", entry.rank);
    append_field(out, "decoded_token", names.tokenizer.piece(entry.token));
    out += '}';
  };
  out += "[null";
  for (const batch::PromptLogprobs& position : logprobs) {
    out += ",{";
    append_entry(position.actual);
    for (const batch::TokenLogprob& other : position.top) {
      if (other.token != position.actual.token) append_entry(other);
    }
    out += '}';
  }
  out += ']';
}

}  // namespace tidegate::serve
