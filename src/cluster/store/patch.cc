#include "cluster/store/patch.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "resource/json.h"

namespace tidegate::cluster {
namespace {

constexpr std::size_t kOperationsMax = 10'000;                     // of one JSON patch
constexpr std::size_t kCopiedMax = 2 * resource::kObjectBytesMax;  // bytes that its copies may add
constexpr std::size_t kListMax = 10'000;                           // items of a list merged by key

Result<Json> json_patch(Json document, const Json& patch) {
  if (!patch.is_array()) return fail(Code::kInvalid, "a JSON patch is a list of operations");
  if (patch.size() > kOperationsMax) {
    return fail(Code::kInvalid, "a JSON patch has at most " + std::to_string(kOperationsMax) + " operations");
  }
  std::size_t copied = 0;
  for (std::size_t i = 0; i < patch.size(); ++i) {
    const Json& operation = patch[i];
    try {
      if (operation.is_object() && operation.value("op", "") == "copy") {
        const Json::json_pointer from(operation.at("from").get<std::string>());
        copied += resource::to_text(document.at(from)).size();
        if (copied > kCopiedMax) {
          return fail(Code::kTooLarge, "the patch copies more than " + std::to_string(kCopiedMax) + " bytes");
        }
      }
      document.patch_inplace(Json::array({operation}));
    } catch (const Json::exception& error) {
      const std::string_view what = error.what();
      const std::size_t text = what.find("] ");
      return fail(
          Code::kInvalid,
          "operation " + std::to_string(i) + " of the patch does not fit: " +
              std::string(text == std::string_view::npos ? what : what.substr(text + 2)).substr(0, 200));
    }
  }
  return document;
}

using resource::Schema;
using resource::SchemaField;

const SchemaField* field_of(const Schema* schema, std::string_view field) {
  if (schema == nullptr || schema->type != Schema::Type::kObject) return nullptr;
  return schema->find(field);
}

// What an object in this field looks like: a field of its own, or a value of a map. Null if nobody knows.
const Schema* inside(const Schema* schema, std::string_view field) {
  if (schema != nullptr && schema->type == Schema::Type::kMap) return schema->items.get();
  const SchemaField* found = field_of(schema, field);
  return found == nullptr ? nullptr : found->schema.get();
}

Json* find_item(Json& list, std::string_view key, const Json& wanted) {
  for (Json& item : list) {
    if (!item.is_object()) continue;
    const auto found = item.find(key);
    if (found != item.end() && *found == wanted) return &item;
  }
  return nullptr;
}

std::string directive(const Json& patch) {
  if (!patch.is_object()) return {};
  const auto found = patch.find("$patch");
  return found != patch.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<void> merge_object(Json& target, const Json& patch, const Schema* schema);

// `list` merges: by its merge key, or as a set where it has none.
Result<void> merge_items(Json& target, const Json& patch, const SchemaField& list) {
  if (!target.is_array()) target = Json::array();
  if (target.size() > kListMax || patch.size() > kListMax) {
    return fail(Code::kInvalid, list.name + " is too long to be merged");
  }
  if (list.merge_key.empty()) {
    for (const Json& item : patch) {
      if (std::find(target.begin(), target.end(), item) == target.end()) target.push_back(item);
    }
    return {};
  }
  if (std::any_of(patch.begin(), patch.end(),
                  [](const Json& item) { return directive(item) == "replace"; })) {
    target = Json::array();
    for (const Json& item : patch) {
      if (directive(item).empty()) target.push_back(item);
    }
    return {};
  }
  for (const Json& item : patch) {
    const auto key = item.is_object() ? item.find(list.merge_key) : item.end();
    if (!item.is_object() || key == item.end()) {
      return invalid(list.name, "has an item without \"" + list.merge_key + "\" in the patch");
    }
    Json* present = find_item(target, list.merge_key, *key);
    if (directive(item) == "delete") {
      if (present != nullptr) target.erase(static_cast<std::size_t>(present - &target[0]));
      continue;
    }
    if (present == nullptr) {
      target.push_back(Json::object());
      present = &target.back();
    }
    if (auto merged = merge_object(*present, item, list.schema->items.get()); !merged) return merged;
  }
  return {};
}

// $setElementOrder: items named in the order come in that order; the others keep their place behind what they
// followed.
void set_order(Json& target, const Json& order, std::string_view key) {
  if (!target.is_array() || !order.is_array() || order.size() > kListMax) return;
  const auto rank = [&](const Json& item) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Json& wanted = order[i];
      if (key.empty() ? item == wanted
                      : item.is_object() && wanted.is_object() && item.contains(key) &&
                            wanted.contains(key) && item[std::string(key)] == wanted[std::string(key)]) {
        return i;
      }
    }
    return {};
  };
  std::vector<std::pair<std::size_t, Json>> ranked;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (const auto at = rank(target[i])) {
      ranked.emplace_back(*at, target[i]);
      places.push_back(i);
    }
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < places.size(); ++i) target[places[i]] = std::move(ranked[i].second);
}

constexpr std::string_view kSetOrder = "$setElementOrder/";
constexpr std::string_view kDeletePlain = "$deleteFromPrimitiveList/";

// The directives of a patch object, once its fields are merged.
Result<void> follow_directives(Json& target, const Json& patch, const Schema* schema) {
  for (const auto& member : patch.items()) {
    const std::string_view name = member.key();
    const Json& value = member.value();
    if (name.starts_with(kDeletePlain)) {
      const std::string field(name.substr(kDeletePlain.size()));
      if (!value.is_array() || !target.contains(field) || !target[field].is_array()) continue;
      Json kept = Json::array();
      for (const Json& item : target[field]) {
        if (std::find(value.begin(), value.end(), item) == value.end()) kept.push_back(item);
      }
      target[field] = std::move(kept);
    } else if (name.starts_with(kSetOrder)) {
      const std::string field(name.substr(kSetOrder.size()));
      const SchemaField* list = field_of(schema, field);
      if (target.contains(field))
        set_order(target[field], value, list == nullptr ? std::string_view() : list->merge_key);
    } else if (name == "$retainKeys") {
      if (!value.is_array()) return invalid("$retainKeys", "is no list; use a list of field names");
      Json kept = Json::object();
      for (const auto& field : target.items()) {
        if (std::find(value.begin(), value.end(), Json(field.key())) != value.end())
          kept[field.key()] = field.value();
      }
      target = std::move(kept);
    }
  }
  return {};
}

Result<void> merge_object(Json& target, const Json& patch, const Schema* schema) {
  if (!target.is_object()) target = Json::object();
  const std::string order = directive(patch);
  if (order == "delete") {
    target = Json::object();
    return {};
  }
  if (order == "replace") target = Json::object();
  if (!order.empty() && order != "replace" && order != "merge") {
    return invalid("$patch", "is \"" + order.substr(0, 40) + "\"; use replace, merge or delete");
  }
  for (const auto& member : patch.items()) {
    const std::string& field = member.key();
    const Json& value = member.value();
    if (field.starts_with('$')) continue;
    if (value.is_null()) {
      target.erase(field);
    } else if (value.is_object()) {
      if (auto merged = merge_object(target[field], value, inside(schema, field)); !merged) return merged;
    } else if (const SchemaField* list = value.is_array() ? field_of(schema, field) : nullptr;
               list != nullptr && list->merges) {
      if (auto merged = merge_items(target[field], value, *list); !merged) return merged;
    } else {
      target[field] = value;
    }
  }
  return follow_directives(target, patch, schema);
}

}  // namespace

void merge_patch(Json& target, const Json& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = Json::object();
  for (const auto& member : patch.items()) {
    if (member.value().is_null()) {
      target.erase(member.key());
    } else {
      merge_patch(target[member.key()], member.value());
    }
  }
}

Result<Json> apply_patch(PatchType type, Json document, const Json& patch, const Schema* schema) {
  switch (type) {
    case PatchType::kJson:
      return json_patch(std::move(document), patch);
    case PatchType::kMerge:
      if (!patch.is_object()) return fail(Code::kInvalid, "a merge patch is an object");
      merge_patch(document, patch);
      return document;
    case PatchType::kStrategic:
      if (!patch.is_object()) return fail(Code::kInvalid, "a strategic merge patch is an object");
      if (auto merged = merge_object(document, patch, schema); !merged) return tl::unexpected(merged.error());
      return document;
  }
  return fail(Code::kInternal, "unknown kind of patch");
}

}  // namespace tidegate::cluster
