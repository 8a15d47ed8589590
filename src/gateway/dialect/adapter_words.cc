#include "gateway/dialect/adapter_words.h"

#include <simdjson.h>

#include <charconv>

#include "gateway/dialect/body_facts.h"
#include "gateway/dialect/json_text.h"

namespace tidegate::dialect {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kFilesMax = 1024;

std::string name_of_file(std::string_view path) {
  path.remove_prefix(path.find_last_of("/\\") + 1);  // npos + 1 is 0
  if (path.ends_with(".gguf")) path.remove_suffix(5);
  return std::string(path);
}

std::string lora_of(std::uint32_t id, double scale) {
  char number[32];
  const auto [end, error] = std::to_chars(number, number + sizeof number, scale);
  static_cast<void>(error);  // 32 characters hold every double
  return "[{\"id\":" + std::to_string(id) + ",\"scale\":" + std::string(number, end) + "}]";
}

}  // namespace

Result<std::vector<LoraFile>> read_lora_files(std::string_view body) {
  dom::parser parser;
  dom::array list;
  if (parser.parse(body.data(), body.size()).get(list) != simdjson::SUCCESS)
    return fail(Code::kInvalid, "The endpoint's list of adapters is no array");
  std::vector<LoraFile> files;
  for (const dom::element element : list) {
    if (files.size() == kFilesMax) break;
    std::uint64_t id = 0;
    std::string_view path;
    LoraFile file;
    if (element["id"].get(id) != simdjson::SUCCESS || id > kFilesMax ||
        element["path"].get(path) != simdjson::SUCCESS) {
      continue;
    }
    file.id = static_cast<std::uint32_t>(id);
    file.name = name_of_file(path);
    if (file.name.empty() || file.name.size() > kModelBytesMax) continue;
    if (double scale = 1; element["scale"].get(scale) == simdjson::SUCCESS) file.scale = scale;
    files.push_back(std::move(file));
  }
  return files;
}

std::shared_ptr<const AdapterWords> AdapterWords::make(Engine engine, std::span<const ServedModel> models,
                                                       std::span<const LoraFile> files) {
  auto words = std::make_shared<AdapterWords>();
  if (engine == Engine::kSglang) {
    words->field_ = AdapterField::kLoraPath;
    for (const ServedModel& model : models) {
      const bool is_adapter = !model.parent.empty();
      words->words_[model.id] = {is_adapter ? json_token(model.id) : std::string(), is_adapter};
    }
    return words;
  }
  if (engine != Engine::kLlamaCpp || files.empty()) return nullptr;
  // The first of two files with one name has it; a base model of that name goes before both.
  for (const ServedModel& model : models) {
    if (model.parent.empty()) words->words_[model.id] = {lora_of(files.front().id, 0), false};
  }
  for (const LoraFile& file : files)
    words->words_.try_emplace(file.name, Words{lora_of(file.id, file.scale > 0 ? file.scale : 1), true});
  return words;
}

const AdapterWords::Words* AdapterWords::find(std::string_view model) const {
  const auto found = words_.find(model);
  return found == words_.end() ? nullptr : &found->second;
}

}  // namespace tidegate::dialect
