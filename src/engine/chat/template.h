// A chat template: turns a conversation into the text a model was trained on.
//
// A sandboxed subset of Jinja (parser.h says which), with the variables and functions that Hugging Face's
// apply_chat_template gives: messages, tools, add_generation_prompt, bos_token, eos_token, the client's
// chat_template_kwargs, raise_exception, strftime_now (in UTC). Time, text and nesting are bounded
// (evaluate.h).
//
// Thread: immutable once parsed; any thread may render.
// Source: huggingface/transformers utils/chat_template_utils.py; vllm entrypoints/chat_utils.py.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "engine/batch/tokenizer.h"

namespace tidegate::chat {

struct Context {
  const batch::ChatPrompt* prompt = nullptr;
  std::string bos_token, eos_token;
  WallTime now{};
};

class Template {
 public:
  // Errors: kInvalid with field chat_template and the line.
  static Result<Template> parse(std::string_view source);

  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  // Errors: kInvalid: the template raised (field messages, its own words), or is wrong for this conversation,
  // or does too much (field chat_template); the messages, tools or kwargs are no JSON.
  Result<std::string> render(const Context& context) const;

 private:
  struct Tree;
  explicit Template(std::unique_ptr<const Tree> tree);

  std::unique_ptr<const Tree> tree_;
};

}  // namespace tidegate::chat
