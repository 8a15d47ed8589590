#include "engine/chat/template.h"

#include <algorithm>

#include "engine/chat/evaluate.h"
#include "engine/chat/parser.h"

namespace tidegate::chat {
namespace {

void put(Entries& entries, const std::string& key, Value value) {
  for (auto& [known, old] : entries) {
    if (known == key) {
      old = std::move(value);
      return;
    }
  }
  entries.emplace_back(key, std::move(value));
}

// Tool calls carry their arguments as JSON text; templates expect the object.
Result<Value> with_arguments_opened(const Value& calls) {
  if (!calls.items()) return calls;
  List opened;
  for (const Value& call : *calls.items()) {
    const Value* function = call.entries() ? find(*call.entries(), "function") : nullptr;
    const Value* given = function && function->entries() ? find(*function->entries(), "arguments") : nullptr;
    if (!given || !given->string()) {
      opened.push_back(call);
      continue;
    }
    auto parsed = from_json(given->string()->empty() ? "{}" : *given->string());
    if (!parsed) {
      opened.push_back(call);
      continue;
    }
    Entries inner = *function->entries(), outer = *call.entries();
    put(inner, "arguments", std::move(*parsed));
    auto made = Value::map(std::move(inner));
    if (!made) return made;
    put(outer, "function", std::move(*made));
    auto whole = Value::map(std::move(outer));
    if (!whole) return whole;
    opened.push_back(std::move(*whole));
  }
  return Value::list(std::move(opened));
}

Result<Value> messages_of(const batch::ChatPrompt& prompt) {
  List list;
  if (!prompt.messages_json.empty()) {
    auto parsed = from_json(prompt.messages_json);
    if (!parsed || !parsed->items()) return invalid("messages", "is not a list");
    list = *parsed->items();
  }
  list.resize(prompt.messages.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    Entries entries = list[i].entries() ? *list[i].entries() : Entries();
    put(entries, "role", Value::text(prompt.messages[i].role));
    // A null content stays null: templates tell a pure tool call by it.
    const Value* content = find(entries, "content");
    if (!content || !content->is_none()) put(entries, "content", Value::text(prompt.messages[i].content));
    if (const Value* calls = find(entries, "tool_calls")) {
      auto opened = with_arguments_opened(*calls);
      if (!opened) return opened;
      put(entries, "tool_calls", std::move(*opened));
    }
    auto made = Value::map(std::move(entries));
    if (!made) return made;
    list[i] = std::move(*made);
  }
  return Value::list(std::move(list));
}

}  // namespace

struct Template::Tree {
  Block block;
};

Template::Template(std::unique_ptr<const Tree> tree) : tree_(std::move(tree)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::parse(std::string_view source) {
  auto block = chat::parse(source);
  if (!block) return tl::unexpected(std::move(block.error()));
  return Template(std::make_unique<const Tree>(Tree{std::move(*block)}));
}

Result<std::string> Template::render(const Context& context) const {
  const batch::ChatPrompt& prompt = *context.prompt;
  auto messages = messages_of(prompt);
  if (!messages) return tl::unexpected(std::move(messages.error()));
  Entries globals;
  globals.emplace_back("messages", std::move(*messages));
  globals.emplace_back("add_generation_prompt", Value::boolean(prompt.add_generation_prompt));
  globals.emplace_back("bos_token", Value::text(context.bos_token));
  globals.emplace_back("eos_token", Value::text(context.eos_token));
  globals.emplace_back("documents", Value::none());
  Value tools = Value::none();
  if (!prompt.tools_json.empty()) {
    auto parsed = from_json(prompt.tools_json);
    if (!parsed) return invalid("tools", "is no JSON");
    tools = std::move(*parsed);
  }
  globals.emplace_back("tools", std::move(tools));
  if (!prompt.kwargs_json.empty()) {
    auto parsed = from_json(prompt.kwargs_json);
    if (!parsed || !parsed->entries()) return invalid("chat_template_kwargs", "is not an object");
    for (const auto& [key, value] : *parsed->entries()) put(globals, key, value);
  }
  auto text = Evaluator(std::move(globals), context.now).render(tree_->block);
  if (!text || !prompt.continue_final_message || prompt.messages.empty()) return text;
  // The last message stays open: what the template puts after its text is taken away again.
  const std::string last = stripped(prompt.messages.back().content, " \t\n\r\f\v", true, true);
  const std::size_t found = text->rfind(last);
  if (found == std::string::npos) {
    return invalid("continue_final_message", "cannot be done: the template changes the last message's text");
  }
  text->resize(found + last.size());
  return text;
}

}  // namespace tidegate::chat
