// Fields are dispatched by name through one table per kind of request; a repeated one counts the last time,
// as in Python.

#include <algorithm>
#include <charconv>
#include <span>

#include "engine/serve/draft.h"

namespace tidegate::serve {
namespace {

using Read = ApiResult<void> (*)(Draft&, Json, std::string_view);

ApiResult<void> read_prompt(Draft& draft, Json value, std::string_view path) {
  if (value.is_null()) return {};
  draft.has_prompt = true;
  auto& prompts = draft.request.prompts;
  prompts.clear();
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    prompts.push_back({std::string(text), {}, false});
    return {};
  }
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) {
    return bad_shape("string_type", path, "Input should be a valid string or a list");
  }
  if (list.size() == 0)
    return bad_request("Either prompt or prompt_embeds must be provided and non-empty.", "prompt");
  const Json first = list.at(0);
  if (first.is_int64()) {
    auto tokens = read_tokens(value, path, draft.rules.vocabulary);
    if (!tokens) return tl::unexpected(tokens.error());
    prompts.push_back({{}, *std::move(tokens), true});
    return {};
  }
  for (const Json item : list) {
    const std::string item_path = std::string(path) + "." + std::to_string(prompts.size());
    if (prompts.size() >= draft.rules.prompts_max) {
      return bad_request("A request may hold at most " + std::to_string(draft.rules.prompts_max) +
                         " prompts.");
    }
    if (item.get(text) == simdjson::SUCCESS) {
      prompts.push_back({std::string(text), {}, false});
      continue;
    }
    auto tokens = read_tokens(item, item_path, draft.rules.vocabulary);
    if (!tokens) return tl::unexpected(tokens.error());
    prompts.push_back({{}, *std::move(tokens), true});
  }
  return {};
}

// Content is text, null, or parts of which the text ones are joined.
ApiResult<std::string> read_content(Json value, std::string_view path) {
  std::string_view text;
  if (value.is_null()) return std::string();
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  simdjson::dom::array parts;
  if (value.get(parts) != simdjson::SUCCESS) {
    return bad_shape("string_type", path, "Input should be a valid string or a list of parts");
  }
  std::string joined;
  std::size_t index = 0;
  for (const Json part : parts) {
    const std::string part_path = std::string(path) + "." + std::to_string(index++);
    if (part.get(text) != simdjson::SUCCESS) {
      std::string_view type;
      if (part.at_key("type").get(type) != simdjson::SUCCESS) {
        return bad_shape("missing", part_path + ".type", "Field required");
      }
      if (type != "text" && type != "input_text") {
        return bad_request("This model takes text only; a part of type \"" + std::string(type.substr(0, 40)) +
                           "\" cannot be read.");
      }
      if (part.at_key("text").get(text) != simdjson::SUCCESS) {
        return bad_shape("missing", part_path + ".text", "Field required");
      }
    }
    if (!joined.empty()) joined += '\n';
    joined += text;
  }
  return joined;
}

}  // namespace

ApiResult<void> read_messages(batch::ChatPrompt& chat, Json value, std::string_view path) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS)
    return bad_shape("list_type", path, "Input should be a valid list");
  chat.messages.clear();
  for (const Json item : list) {
    const std::string item_path = std::string(path) + "." + std::to_string(chat.messages.size());
    simdjson::dom::object object;
    if (item.get(object) != simdjson::SUCCESS) {
      return bad_shape("dict_type", item_path, "Input should be a valid dictionary");
    }
    batch::ChatMessage message;
    std::string_view role;
    if (object.at_key("role").get(role) != simdjson::SUCCESS) {
      return bad_shape("missing", item_path + ".role", "Field required");
    }
    message.role.assign(role);
    Json content;
    if (object.at_key("content").get(content) == simdjson::SUCCESS) {
      auto text = read_content(content, item_path + ".content");
      if (!text) return tl::unexpected(text.error());
      message.content = *std::move(text);
    }
    chat.messages.push_back(std::move(message));
  }
  if (chat.messages.empty())
    return bad_request("The list of messages is empty; send at least one.", "messages");
  chat.messages_json = json_text(value);
  return {};
}

namespace {

ApiResult<void> read_stream_options(Draft& draft, Json value, std::string_view path) {
  if (value.is_null()) return {};
  simdjson::dom::object options;
  if (value.get(options) != simdjson::SUCCESS) {
    return bad_shape("dict_type", path, "Input should be a valid dictionary");
  }
  draft.has_stream_options = true;
  for (const auto& [key, item] : options) {
    const std::string item_path = std::string(path) + "." + std::string(key.substr(0, 40));
    if (key == "include_usage") {
      if (auto read = read_bool(item, item_path, draft.request.include_usage); !read) return read;
    } else if (draft.rules.strict_stream_options) {
      return bad_shape("extra_forbidden", item_path, "Extra inputs are not permitted");
    } else if (key == "continuous_usage_stats") {
      if (auto read = read_bool(item, item_path, draft.request.continuous_usage); !read) return read;
    }
  }
  return {};
}

ApiResult<void> read_logit_bias(Draft& draft, Json value, std::string_view path) {
  if (value.is_null()) return {};
  simdjson::dom::object biases;
  if (value.get(biases) != simdjson::SUCCESS) {
    return bad_shape("dict_type", path, "Input should be a valid dictionary");
  }
  for (const auto& [key, item] : biases) {
    std::int64_t id = -1;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size()) {
      return bad_request("Found invalid keys in logit_bias; use token ids", std::string(path));
    }
    if (id < 0 || static_cast<std::uint64_t>(id) >= draft.rules.vocabulary) {
      return bad_request("token_id " + std::to_string(id) + " in logit_bias contains out-of-vocab token id",
                         std::string(path));
    }
    std::optional<double> bias;
    if (auto read = read_number(item, path, bias); !read) return read;
    draft.request.sampling.logit_bias.emplace_back(
        static_cast<batch::Token>(id), static_cast<float>(std::clamp(bias.value_or(0), -100.0, 100.0)));
  }
  return {};
}

ApiResult<void> refuse_constraint(Draft&, Json value, std::string_view path) {
  if (value.is_null()) return {};
  return bad_request(std::string(path) + " is not supported by this engine; leave it out.",
                     std::string(path));
}

ApiResult<void> refuse_true(Draft&, Json value, std::string_view path) {
  bool wanted = false;
  if (auto read = read_bool(value, path, wanted); !read) return read;
  if (!wanted) return {};
  return bad_request(std::string(path) + " is not supported by this engine.", std::string(path));
}

ApiResult<void> read_tools(Draft& draft, Json value, std::string_view path) {
  if (value.is_null()) return {};
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS)
    return bad_shape("list_type", path, "Input should be a valid list");
  if (list.size() == 0)
    return bad_request("tools must not be an empty array. Leave it out instead.", "tools");
  draft.tools.clear();
  for (const Json item : list) {
    const std::string item_path = std::string(path) + "." + std::to_string(draft.tools.size());
    std::string_view name;
    if (item.at_key("function").at_key("name").get(name) != simdjson::SUCCESS) {
      return bad_shape("missing", item_path + ".function.name", "Field required");
    }
    Draft::Tool tool{std::string(name), {}};
    Json parameters;
    if (item.at_key("function").at_key("parameters").get(parameters) == simdjson::SUCCESS &&
        !parameters.is_null()) {
      tool.parameters = json_text(parameters);
    }
    draft.tools.push_back(std::move(tool));
  }
  draft.request.chat.tools_json = json_text(value);
  return {};
}

ApiResult<void> read_tool_choice(Draft& draft, Json value, std::string_view path) {
  if (value.is_null()) return {};
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    draft.tool_choice.assign(text.substr(0, 40));
    return {};
  }
  if (value.at_key("function").at_key("name").get(text) != simdjson::SUCCESS) {
    return bad_shape("missing", std::string(path) + ".function.name", "Field required");
  }
  draft.tool_choice = "named";
  draft.tool_name.assign(text);
  return {};
}

ApiResult<void> read_bad_words(Draft& draft, Json value, std::string_view path) {
  constexpr std::size_t kWordsMax = 200;
  if (value.is_null()) return {};
  auto words = read_texts(value, path);
  if (!words) return tl::unexpected(words.error());
  if (words->size() > kWordsMax) {
    return bad_request("bad_words may hold at most " + std::to_string(kWordsMax) + " words.", "bad_words");
  }
  for (const std::string& word : *words) {
    if (word.empty()) return bad_request("bad_words cannot contain an empty string.", "bad_words");
  }
  draft.request.bad_words = *std::move(words);
  return {};
}

#define TG_FIELD(reader, member) \
  [](Draft& d, Json v, std::string_view path) -> ApiResult<void> { return reader(v, path, d.member); }

struct Field {
  std::string_view name;
  Read read;
};

constexpr Field kShared[] = {
    {"model", TG_FIELD(read_text, request.model)},
    {"stream", TG_FIELD(read_bool, request.stream)},
    {"stream_options", read_stream_options},
    {"n", TG_FIELD(read_int, n)},
    {"max_tokens", TG_FIELD(read_int, max_tokens)},
    {"min_tokens", TG_FIELD(read_int, min_tokens)},
    {"ignore_eos", TG_FIELD(read_bool, request.sampling.ignore_eos)},
    {"temperature", TG_FIELD(read_number, temperature)},
    {"top_p", TG_FIELD(read_number, top_p)},
    {"top_k", TG_FIELD(read_int, top_k)},
    {"min_p", TG_FIELD(read_number, min_p)},
    {"presence_penalty", TG_FIELD(read_number, presence)},
    {"frequency_penalty", TG_FIELD(read_number, frequency)},
    {"repetition_penalty", TG_FIELD(read_number, repetition)},
    {"seed", TG_FIELD(read_int, seed)},
    {"stop",
     [](Draft& d, Json v, std::string_view path) -> ApiResult<void> {
       if (v.is_null()) return {};
       auto texts = read_texts(v, path);
       if (!texts) return tl::unexpected(texts.error());
       d.request.stop.strings = *std::move(texts);
       return {};
     }},
    {"stop_token_ids",
     [](Draft& d, Json v, std::string_view path) -> ApiResult<void> {
       if (v.is_null()) return {};
       auto ids = read_tokens(v, path, d.rules.vocabulary);
       if (!ids) return tl::unexpected(ids.error());
       d.request.sampling.stop_token_ids = *std::move(ids);
       return {};
     }},
    {"allowed_token_ids",
     [](Draft& d, Json v, std::string_view path) -> ApiResult<void> {
       if (v.is_null()) return {};
       auto ids = read_tokens(v, path, d.rules.vocabulary);
       if (!ids) return tl::unexpected(ids.error());
       if (ids->empty()) return bad_request("allowed_token_ids is not None and empty!", std::string(path));
       d.request.sampling.allowed_tokens = *std::move(ids);
       return {};
     }},
    {"include_stop_str_in_output", TG_FIELD(read_bool, request.stop.include_in_output)},
    {"skip_special_tokens", TG_FIELD(read_bool, request.skip_special_tokens)},
    {"add_special_tokens", TG_FIELD(read_bool, request.add_special_tokens)},
    {"prompt_logprobs", TG_FIELD(read_int, prompt_logprobs)},
    {"echo", TG_FIELD(read_bool, request.echo)},
    {"logit_bias", read_logit_bias},
    {"bad_words", read_bad_words},
    {"truncate_prompt_tokens", TG_FIELD(read_int, truncate)},
    {"priority", TG_FIELD(read_int, priority)},
    {"cache_salt", TG_FIELD(read_text, request.cache_salt)},
    {"request_id", TG_FIELD(read_text, request.request_id)},
    {"return_token_ids", TG_FIELD(read_bool, request.return_token_ids)},
    {"return_tokens_as_token_ids", TG_FIELD(read_bool, request.tokens_as_ids)},
    {"response_format", read_response_format},
    {"structured_outputs", read_structured_outputs},
    {"guided_json", read_guided_json},
    {"guided_json_object", read_guided_json_object},
    {"guided_regex", read_guided_regex},
    {"guided_choice", read_guided_choice},
    {"guided_grammar", refuse_guide},
    {"guided_whitespace_pattern", refuse_guide},
    {"use_beam_search", refuse_true},
};

constexpr Field kCompletion[] = {
    {"prompt", read_prompt},
    {"logprobs", TG_FIELD(read_int, logprobs)},
    {"suffix",
     [](Draft&, Json v, std::string_view path) -> ApiResult<void> {
       std::string suffix;
       if (auto read = read_text(v, path, suffix); !read) return read;
       if (suffix.empty()) return {};
       return bad_request("suffix is not currently supported", "suffix");
     }},
    {"prompt_embeds", refuse_constraint},
};

constexpr Field kChat[] = {
    {"messages",
     [](Draft& d, Json v, std::string_view path) -> ApiResult<void> {
       d.has_messages = true;
       return read_messages(d.request.chat, v, path);
     }},
    {"max_completion_tokens", TG_FIELD(read_int, max_completion_tokens)},
    {"logprobs", TG_FIELD(read_bool, chat_logprobs)},
    {"top_logprobs", TG_FIELD(read_int, top_logprobs)},
    {"tools", read_tools},
    {"tool_choice", read_tool_choice},
    {"add_generation_prompt", TG_FIELD(read_bool, request.chat.add_generation_prompt)},
    {"continue_final_message", TG_FIELD(read_bool, request.chat.continue_final_message)},
    {"chat_template", TG_FIELD(read_text, request.chat.chat_template)},
    {"chat_template_kwargs",
     [](Draft& d, Json v, std::string_view path) -> ApiResult<void> {
       if (v.is_null()) return {};
       if (!v.is_object()) return bad_shape("dict_type", path, "Input should be a valid dictionary");
       d.request.chat.kwargs_json = json_text(v);
       return {};
     }},
};

#undef TG_FIELD

const Field* find(std::span<const Field> fields, std::string_view name) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [name](const Field& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

}  // namespace

ApiResult<void> read_field(Draft& draft, std::string_view name, Json value) {
  const Field* field = find(
      draft.request.api == Api::kChat ? std::span<const Field>(kChat) : std::span<const Field>(kCompletion),
      name);
  if (field == nullptr) field = find(kShared, name);
  return field == nullptr ? ApiResult<void>() : field->read(draft, value, name);
}

}  // namespace tidegate::serve
