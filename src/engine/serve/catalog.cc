#include "engine/serve/catalog.h"

#include <algorithm>
#include <utility>

#include "engine/serve/json_out.h"

namespace tidegate::serve {

Catalog::Catalog(std::vector<std::string> base_names, std::string model_path, std::int64_t created)
    : base_names_(std::move(base_names)), model_path_(std::move(model_path)), created_(created) {}

const ServedAdapter* Catalog::adapter(std::string_view name) const {
  const auto found = std::find_if(adapters_.begin(), adapters_.end(),
                                  [name](const ServedAdapter& adapter) { return adapter.name == name; });
  return found == adapters_.end() ? nullptr : &*found;
}

std::optional<Catalog::Match> Catalog::find(std::string_view model) const {
  if (model.empty()) return Match{lora::kBase, base_names_.front()};
  if (const ServedAdapter* found = adapter(model)) return Match{found->id, found->name};
  if (std::find(base_names_.begin(), base_names_.end(), model) != base_names_.end()) {
    return Match{lora::kBase, std::string(model)};
  }
  return std::nullopt;
}

void Catalog::add(ServedAdapter adapter) {
  remove(adapter.name);
  if (names_.size() <= adapter.id) names_.resize(adapter.id + 1);
  names_[adapter.id] = adapter.name;
  adapters_.push_back(std::move(adapter));
}

bool Catalog::remove(std::string_view name) {
  return std::erase_if(adapters_, [name](const ServedAdapter& adapter) { return adapter.name == name; }) > 0;
}

namespace {

// A card of the list. vLLM sends permissions nobody reads; clients of its models insist on the field.
void append_card(std::string& out, std::string_view id, std::int64_t created, std::string_view root,
                 std::string_view parent, std::size_t context_max) {
  if (out.back() != '[') out += ',';
  out += '{';
  append_field(out, "id", id);
  append_field(out, "object", "model");
  append_field(out, "created", created);
  append_field(out, "owned_by", "vllm");
  append_field(out, "root", root);
  if (parent.empty()) {
    append_null(out, "parent");
  } else {
    append_field(out, "parent", parent);
  }
  if (context_max == 0) {
    append_null(out, "max_model_len");
  } else {
    append_field(out, "max_model_len", context_max);
  }
  out += ",\"permission\":[{";
  append_field(out, "id", "modelperm-" + std::string(id));
  append_field(out, "object", "model_permission");
  append_field(out, "created", created);
  for (const std::string_view granted : {"allow_create_engine", "allow_sampling", "allow_logprobs",
                                         "allow_search_indices", "allow_view", "allow_fine_tuning"}) {
    append_field(out, granted,
                 granted != "allow_create_engine" && granted != "allow_search_indices" &&
                     granted != "allow_fine_tuning");
  }
  append_field(out, "organization", "*");
  append_null(out, "group");
  append_field(out, "is_blocking", false);
  out += "}]}";
}

}  // namespace

std::string Catalog::json(std::size_t context_max) const {
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (const std::string& name : base_names_) append_card(out, name, created_, model_path_, "", context_max);
  for (const ServedAdapter& adapter : adapters_) {
    append_card(out, adapter.name, created_, adapter.path, adapter.base.empty() ? first_name() : adapter.base,
                0);
  }
  out += "]}";
  return out;
}

}  // namespace tidegate::serve
