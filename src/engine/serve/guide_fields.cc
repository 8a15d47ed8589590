// The fields that say what the output must be: OpenAI's response_format, vLLM's structured_outputs and its
// older guided_*. What they hold is looked at when the guide is made.
//
// Source: vLLM sampling_params.py (StructuredOutputsParams), openai protocol models.

#include "engine/serve/draft.h"

namespace tidegate::serve {
namespace {

using Kind = guide::Source::Kind;

ApiResult<void> set_guide(Draft& draft, Kind kind, std::string text, std::string_view path) {
  ++draft.guides;
  const bool blanks = !draft.request.guide || draft.request.guide->blanks;
  draft.request.guide = guide::Source{kind, std::move(text), blanks};
  draft.request.guide_field.assign(path);
  return {};
}

ApiResult<void> refuse(std::string_view path, std::string_view instead) {
  return bad_request(
      std::string(path) + " is not supported by this engine; use " + std::string(instead) + ".",
      std::string(path));
}

}  // namespace

// A schema as an object, or as the text of one.
ApiResult<void> read_guided_json(Draft& draft, Json value, std::string_view path) {
  if (value.is_null()) return {};
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS)
    return set_guide(draft, Kind::kJsonSchema, std::string(text), path);
  if (!value.is_object() && !value.is_bool()) {
    return bad_shape("dict_type", path, "Input should be a valid dictionary or string");
  }
  return set_guide(draft, Kind::kJsonSchema, json_text(value), path);
}

ApiResult<void> read_guided_json_object(Draft& draft, Json value, std::string_view path) {
  bool wanted = false;
  if (auto read = read_bool(value, path, wanted); !read || !wanted) return read;
  return set_guide(draft, Kind::kJsonObject, {}, path);
}

ApiResult<void> read_guided_regex(Draft& draft, Json value, std::string_view path) {
  if (value.is_null()) return {};
  std::string text;
  if (auto read = read_text(value, path, text); !read) return read;
  return set_guide(draft, Kind::kRegex, std::move(text), path);
}

ApiResult<void> read_guided_choice(Draft& draft, Json value, std::string_view path) {
  if (value.is_null()) return {};
  if (!value.is_array()) return bad_shape("list_type", path, "Input should be a valid list");
  return set_guide(draft, Kind::kChoice, json_text(value), path);
}

ApiResult<void> refuse_guide(Draft&, Json value, std::string_view path) {
  if (value.is_null()) return {};
  return refuse(path, "a JSON schema, a regular expression or a list of choices");
}

ApiResult<void> read_response_format(Draft& draft, Json value, std::string_view path) {
  if (value.is_null()) return {};
  std::string_view type;
  if (value.at_key("type").get(type) != simdjson::SUCCESS) {
    return bad_shape("missing", std::string(path) + ".type", "Field required");
  }
  if (type == "text") return {};
  if (type == "json_object") return set_guide(draft, Kind::kJsonObject, {}, path);
  if (type == "json_schema") {
    Json schema;
    if (value.at_key("json_schema").at_key("schema").get(schema) != simdjson::SUCCESS || schema.is_null()) {
      return bad_shape("missing", std::string(path) + ".json_schema.schema", "Field required");
    }
    return read_guided_json(draft, schema, std::string(path) + ".json_schema.schema");
  }
  return bad_request(
      "response_format \"" + std::string(type.substr(0, 40)) +
          "\" is not supported by this engine; use \"text\", \"json_object\" or \"json_schema\".",
      "response_format");
}

ApiResult<void> read_structured_outputs(Draft& draft, Json value, std::string_view path) {
  if (value.is_null()) return {};
  simdjson::dom::object fields;
  if (value.get(fields) != simdjson::SUCCESS) {
    return bad_shape("dict_type", path, "Input should be a valid dictionary");
  }
  bool compact = false;
  for (const auto& [name, item] : fields) {
    const std::string inner = std::string(path) + "." + std::string(name.substr(0, 40));
    ApiResult<void> read;
    if (name == "json") {
      read = read_guided_json(draft, item, inner);
    } else if (name == "json_object") {
      read = read_guided_json_object(draft, item, inner);
    } else if (name == "regex") {
      read = read_guided_regex(draft, item, inner);
    } else if (name == "choice") {
      read = read_guided_choice(draft, item, inner);
    } else if (name == "disable_any_whitespace") {
      read = read_bool(item, inner, compact);
    } else if (name == "grammar" || name == "structural_tag" || name == "whitespace_pattern") {
      read = refuse_guide(draft, item, inner);
    }
    if (!read) return read;
  }
  if (draft.guides == 0) {
    return bad_request(
        "You must use one kind of structured outputs constraint ('json', 'regex' or 'choice').",
        std::string(path));
  }
  if (compact) draft.request.guide->blanks = false;
  return {};
}

}  // namespace tidegate::serve
