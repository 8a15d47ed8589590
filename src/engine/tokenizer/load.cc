#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/tokenizer/bpe_tokenizer.h"
#include "engine/weights/text_file.h"

namespace tidegate::tokenizer {
namespace {

using nlohmann::json;

// A JSON object from an optional file; an empty object where there is none.
Result<json> object_in(const std::string& path) {
  auto text = weights::read_optional_file(path);
  if (!text) return tl::unexpected(std::move(text.error()));
  if (!*text) return json::object();
  json value = json::parse(**text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return fail(Code::kInvalid, "is no JSON object", path);
  return value;
}

// A special token of tokenizer_config.json: a string, or an object with its content.
std::string token_text(const json& config, const char* name) {
  const auto found = config.find(name);
  if (found == config.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && (*found)["content"].is_string())
    return (*found)["content"];
  return {};
}

void add_ids(const json& config, std::vector<Token>& ids) {
  const auto found = config.find("eos_token_id");
  if (found == config.end()) return;
  const auto add = [&](const json& id) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kVocabularyMax) return;
    const auto token = id.get<Token>();
    if (std::find(ids.begin(), ids.end(), token) == ids.end()) ids.push_back(token);
  };
  if (found->is_array()) {
    for (const json& id : *found) add(id);
  } else {
    add(*found);
  }
}

// The template of tokenizer_config.json: a string, or a list of named ones of which "default" counts.
std::string template_text(const json& config) {
  const auto found = config.find("chat_template");
  if (found == config.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return {};
  for (const json& entry : *found) {
    if (entry.is_object() && entry.value("name", json()) == "default" && entry.contains("template") &&
        entry["template"].is_string()) {
      return entry["template"];
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<BpeTokenizer>> load_tokenizer(const std::string& folder, const Clock& clock,
                                                     std::string chat_template) {
  const std::string path = folder + "/tokenizer.json";
  auto text = weights::read_text_file(path, kTokenizerBytesMax);
  if (!text) {
    if (text.error().code == Code::kNotFound) {
      text.error().message =
          "does not exist; only fast tokenizers are read, so save the tokenizer as tokenizer.json";
    }
    return tl::unexpected(std::move(text.error()));
  }
  auto spec = parse_tokenizer_json(*text);
  if (!spec) {
    spec.error().field = path + ": " + spec.error().field;
    return tl::unexpected(std::move(spec.error()));
  }
  auto config = object_in(folder + "/tokenizer_config.json");
  if (!config) return tl::unexpected(std::move(config.error()));
  auto generation = object_in(folder + "/generation_config.json");
  if (!generation) return tl::unexpected(std::move(generation.error()));
  auto model = object_in(folder + "/config.json");
  if (!model) return tl::unexpected(std::move(model.error()));
  auto separate = weights::read_optional_file(folder + "/chat_template.jinja");
  if (!separate) return tl::unexpected(std::move(separate.error()));

  TextSettings settings;
  settings.bos_token = token_text(*config, "bos_token");
  settings.eos_token = token_text(*config, "eos_token");
  settings.chat_template = !chat_template.empty() ? std::move(chat_template)
                           : *separate            ? std::move(**separate)
                                                  : template_text(*config);
  add_ids(*generation, settings.eos);
  if (settings.eos.empty()) add_ids(*model, settings.eos);
  for (const AddedToken& token : spec->added) {
    const auto known = std::find(settings.eos.begin(), settings.eos.end(), token.id);
    if (!settings.eos_token.empty() && token.content == settings.eos_token && known == settings.eos.end()) {
      settings.eos.push_back(token.id);
    }
  }
  auto made = BpeTokenizer::make(std::move(*spec), std::move(settings), clock);
  if (!made) made.error().field = folder + ": " + made.error().field;
  return made;
}

}  // namespace tidegate::tokenizer
