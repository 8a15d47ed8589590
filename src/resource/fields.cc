#include "resource/fields.h"

#include <nlohmann/json.hpp>

namespace tidegate::resource {

const Json* find(const Json& document, std::string_view path) {
  const Json* at = &document;
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view member = path.substr(0, dot);
    if (!at->is_object()) return nullptr;
    const auto found = at->find(member);
    if (found == at->end() || found->is_null()) return nullptr;
    at = &*found;
    if (dot == std::string_view::npos) return at;
    path.remove_prefix(dot + 1);
  }
}

const Json* find_array(const Json& document, std::string_view path) {
  const Json* found = find(document, path);
  return found != nullptr && found->is_array() ? found : nullptr;
}

std::string text(const Json& document, std::string_view path, std::string_view fallback) {
  const Json* found = find(document, path);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string(fallback);
}

std::int64_t number(const Json& document, std::string_view path, std::int64_t fallback) {
  const Json* found = find(document, path);
  return found != nullptr && found->is_number_integer() ? found->get<std::int64_t>() : fallback;
}

bool flag(const Json& document, std::string_view path, bool fallback) {
  const Json* found = find(document, path);
  return found != nullptr && found->is_boolean() ? found->get<bool>() : fallback;
}

std::map<std::string, std::string> text_map(const Json& document, std::string_view path) {
  std::map<std::string, std::string> result;
  const Json* found = find(document, path);
  if (found == nullptr || !found->is_object()) return result;
  for (const auto& [name, value] : found->items()) {
    if (value.is_string()) result.emplace(name, value.get<std::string>());
  }
  return result;
}

bool same_content(const Json& a, const Json& b) { return nlohmann::json(a) == nlohmann::json(b); }

const Json* condition(const Json& document, std::string_view type) {
  const Json* conditions = find_array(document, "status.conditions");
  if (conditions == nullptr) return nullptr;
  for (const Json& entry : *conditions) {
    if (text(entry, "type") == type) return &entry;
  }
  return nullptr;
}

bool condition_is_true(const Json& document, std::string_view type) {
  const Json* entry = condition(document, type);
  return entry != nullptr && text(*entry, "status") == "True";
}

}  // namespace tidegate::resource
