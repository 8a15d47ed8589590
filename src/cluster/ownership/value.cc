#include "cluster/ownership/value.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::ownership {
namespace {

using resource::ListType;
using resource::SchemaField;
using Type = Schema::Type;

const Schema& anything() {
  static const Schema kAnything{};
  return kAnything;
}

enum class Form { kLeaf, kFields, kItems };  // one owner; fields with owners; items with owners

// A value of unknown type is owned field by field if it is an object, as a whole if it is anything else.
Form form_of(const Schema& schema, const Json& value) {
  if (value.is_object()) {
    const bool granular =
        schema.type == Type::kObject || schema.type == Type::kMap || schema.type == Type::kAny;
    return granular && !schema.atomic ? Form::kFields : Form::kLeaf;
  }
  const bool listed = value.is_array() && schema.type == Type::kList && schema.list_type != ListType::kAtomic;
  return listed ? Form::kItems : Form::kLeaf;
}

// One part of a value: a field of an object or map, or an item of a list.
struct Part {
  std::string step;
  const Json* value;
  const Schema* schema;
  bool named = false;  // a field of the schema, whose container owns no right of its own
};

// "k:{...}" with the keys in order; empty if one is missing. Keys with a default need not be written.
std::string item_step(const Schema& list, const Json& item) {
  if (list.list_type == ListType::kSet) return "v:" + resource::to_text(item);
  if (!item.is_object()) return {};
  std::vector<std::string> names = list.list_keys;
  std::sort(names.begin(), names.end());
  Json keys = Json::object();
  for (const std::string& name : names) {
    const auto found = item.find(name);
    if (found != item.end() && !found->is_null()) {
      keys[name] = *found;
      continue;
    }
    const SchemaField* field = list.items->find(name);
    if (field == nullptr || field->otherwise.empty()) return {};
    keys[name] = field->otherwise;
  }
  return "k:" + resource::to_text(keys);
}

// The key field that makes item_step() empty.
std::string missing_key(const Schema& list, const Json& item) {
  for (const std::string& name : list.list_keys) {
    const SchemaField* field = list.items->find(name);
    if (!item.is_object() || (!item.contains(name) && (field == nullptr || field->otherwise.empty())))
      return name;
  }
  return {};
}

const Schema& schema_of_field(const Schema& schema, const std::string& name, bool* named) {
  const SchemaField* field = schema.type == Type::kObject ? schema.find(name) : nullptr;
  if (named != nullptr) *named = field != nullptr;
  if (field != nullptr) return *field->schema;
  return schema.type == Type::kMap && schema.items != nullptr ? *schema.items : anything();
}

std::vector<Part> parts_of(const Schema& schema, const Json& value) {
  std::vector<Part> parts;
  const Form form = form_of(schema, value);
  if (form == Form::kFields) {
    for (const auto& member : value.items()) {
      Part part{.step = "f:" + member.key(), .value = &member.value(), .schema = nullptr};
      part.schema = &schema_of_field(schema, member.key(), &part.named);
      parts.push_back(std::move(part));
    }
  } else if (form == Form::kItems) {
    for (const Json& item : value) {
      std::string step = item_step(schema, item);
      if (!step.empty())
        parts.push_back({.step = std::move(step), .value = &item, .schema = schema.items.get()});
    }
  }
  return parts;
}

void collect(const Schema& schema, const Json& value, FieldSet& set, bool with_containers) {
  if (form_of(schema, value) == Form::kLeaf) {
    set.member = true;
    return;
  }
  for (const Part& part : parts_of(schema, value)) {
    FieldSet child;
    collect(*part.schema, *part.value, child, with_containers);
    const bool is_object = part.value->is_object();
    if (!part.named || part.value->is_null() || (is_object && (part.value->empty() || with_containers))) {
      child.member = true;
    }
    if (!child.empty()) add(set.below[part.step], child);
  }
}

using PartIndex = std::unordered_map<std::string_view, const Part*>;

PartIndex index_of(const std::vector<Part>& parts) {
  PartIndex index;
  for (const Part& part : parts) index.emplace(part.step, &part);
  return index;
}

// One that came or went: with everything below it, containers too.
void collect_part(const Part& part, FieldSet& into, std::size_t depth) {
  FieldSet child;
  collect(*part.schema, *part.value, child, true);
  // spec and metadata always exist; nobody owns them.
  if (depth > 0 && !part.value->is_array()) child.member = true;
  if (!child.empty()) add(into.below[part.step], child);
}

void drop_if_empty(FieldSet& set, const std::string& step) {
  const auto found = set.below.find(step);
  if (found != set.below.end() && found->second.empty()) set.below.erase(found);
}

void compare_into(const Schema& schema, const Json& before, const Json& after, std::size_t depth,
                  FieldSet& added, FieldSet& modified, FieldSet& removed) {
  const Form form = form_of(schema, before);
  if (form == Form::kLeaf || form != form_of(schema, after)) {
    if (!resource::same_content(before, after)) modified.member = true;
    return;
  }
  const auto old_parts = parts_of(schema, before);
  const auto new_parts = parts_of(schema, after);
  const PartIndex old_index = index_of(old_parts);
  const PartIndex new_index = index_of(new_parts);
  for (const Part& part : old_parts) {
    if (!new_index.contains(part.step)) collect_part(part, removed, depth);
  }
  for (const Part& part : new_parts) {
    const auto found = old_index.find(part.step);
    if (found == old_index.end()) {
      collect_part(part, added, depth);
      continue;
    }
    const Part* old = found->second;
    compare_into(*part.schema, *old->value, *part.value, depth + 1, added.below[part.step],
                 modified.below[part.step], removed.below[part.step]);
    drop_if_empty(added, part.step);
    drop_if_empty(modified, part.step);
    drop_if_empty(removed, part.step);
  }
}

void merge_into(const Schema& schema, Json& live, const Json& config);

void merge_items(const Schema& schema, Json& live, const Json& config) {
  std::vector<std::string> live_steps;
  for (const Json& item : live) live_steps.push_back(item_step(schema, item));
  Json in_order = Json::array();
  std::size_t known = 0;
  for (const Json& item : config) {
    const std::string step = item_step(schema, item);
    const auto found = std::find(live_steps.begin(), live_steps.end(), step);
    Json* place = nullptr;
    if (found == live_steps.end() || step.empty()) {
      live.push_back(item.is_object() ? Json::object() : item);
      live_steps.push_back(step);
      place = &live.back();
    } else {
      ++known;
      place = &live[static_cast<std::size_t>(found - live_steps.begin())];
    }
    if (item.is_object()) merge_into(*schema.items, *place, item);
  }
  // Whoever names all items says their order too.
  if (config.size() != live.size()) return;
  for (const Json& item : config) {
    const auto found = std::find(live_steps.begin(), live_steps.end(), item_step(schema, item));
    in_order.push_back(live[static_cast<std::size_t>(found - live_steps.begin())]);
  }
  live = std::move(in_order);
}

void merge_into(const Schema& schema, Json& live, const Json& config) {
  const Form form = form_of(schema, config);
  if (form == Form::kLeaf) {
    live = config;
    return;
  }
  if (form != form_of(schema, live)) live = form == Form::kFields ? Json::object() : Json::array();
  if (form == Form::kItems) {
    merge_items(schema, live, config);
    return;
  }
  for (const auto& member : config.items()) {
    if (member.value().is_null()) {
      live.erase(member.key());
    } else {
      merge_into(schema_of_field(schema, member.key(), nullptr), live[member.key()], member.value());
    }
  }
}

Result<void> check_below(const Schema& schema, const Json& value, const std::string& path) {
  if (form_of(schema, value) == Form::kItems) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string step = item_step(schema, value[i]);
      if (step.empty()) {
        return fail(Code::kInvalid,
                    path + ": element " + std::to_string(i) +
                        ": associative list with keys has an element that omits key field \"" +
                        missing_key(schema, value[i]) + "\" (and doesn't have default value)");
      }
      if (!seen.insert(step).second) {
        FieldSet one;
        one.below[step].member = true;
        return fail(Code::kInvalid, path + ": duplicate entries for key " + paths(one).front());
      }
    }
  }
  for (const Part& part : parts_of(schema, value)) {
    FieldSet one;
    one.below[part.step].member = true;
    if (auto checked = check_below(*part.schema, *part.value, path + paths(one).front()); !checked)
      return checked;
  }
  return {};
}

}  // namespace

Result<void> check_lists(const Schema& schema, const Json& value) { return check_below(schema, value, {}); }

FieldSet fields_of(const Schema& schema, const Json& value) {
  FieldSet set;
  collect(schema, value, set, false);
  set.member = false;
  return set;
}

Difference compare(const Schema& schema, const Json& before, const Json& after) {
  Difference difference;
  compare_into(schema, before, after, 0, difference.added, difference.modified, difference.removed);
  return difference;
}

Json merged(const Schema& schema, const Json& live, const Json& config) {
  Json result = live;
  merge_into(schema, result, config);
  return result;
}

void remove_unowned(const Schema& schema, Json& value, const FieldSet& last, const FieldSet& kept) {
  const Form form = form_of(schema, value);
  if (form == Form::kLeaf) return;
  Json left = form == Form::kFields ? Json::object() : Json::array();
  const auto keep = [&](const std::string& step, Json& part, const Schema& part_schema) {
    const auto before = last.below.find(step);
    if (before == last.below.end()) return true;
    const auto now = kept.below.find(step);
    if (now == kept.below.end()) return false;
    remove_unowned(part_schema, part, before->second, now->second);
    return true;
  };
  if (form == Form::kFields) {
    for (auto& member : value.items()) {
      if (keep("f:" + member.key(), member.value(), schema_of_field(schema, member.key(), nullptr))) {
        left[member.key()] = std::move(member.value());
      }
    }
  } else {
    for (Json& item : value) {
      if (keep(item_step(schema, item), item, *schema.items)) left.push_back(std::move(item));
    }
  }
  value = std::move(left);
}

}  // namespace tidegate::ownership
