#include "resource/condition.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tidegate::resource {

std::vector<Condition> read_conditions(Reader& parent, std::string_view field) {
  std::vector<Condition> conditions;
  parent.each(field, {}, [&](Reader& item) {
    item.open();
    conditions.push_back({.type = item.text("type"),
                          .status = item.text("status"),
                          .reason = item.text("reason"),
                          .message = item.text("message"),
                          .last_transition_time = item.text("lastTransitionTime"),
                          .observed_generation = item.integer("observedGeneration").value_or(0)});
  });
  return conditions;
}

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
  const auto found = std::find_if(conditions.begin(), conditions.end(),
                                  [&](const Condition& condition) { return condition.type == type; });
  return found == conditions.end() ? nullptr : &*found;
}

bool is_true(const std::vector<Condition>& conditions, std::string_view type) {
  const Condition* condition = find_condition(conditions, type);
  return condition != nullptr && condition->status == "True";
}

bool set_condition(Json& conditions, const Condition& condition, std::string_view now) {
  if (!conditions.is_array()) conditions = Json::array();
  Json* entry = nullptr;
  for (Json& item : conditions) {
    if (item.is_object() && item.value("type", "") == condition.type) entry = &item;
  }
  const bool added = entry == nullptr;
  if (added) {
    conditions.push_back(Json::object());
    entry = &conditions.back();
  }
  const Json before = *entry;
  (*entry)["type"] = condition.type;
  const auto status = entry->find("status");
  const bool flipped = status == entry->end() || *status != Json(condition.status);
  (*entry)["status"] = condition.status;
  (*entry)["reason"] = condition.reason;
  (*entry)["message"] = condition.message;
  if (condition.observed_generation != 0) (*entry)["observedGeneration"] = condition.observed_generation;
  if (flipped || !entry->contains("lastTransitionTime")) (*entry)["lastTransitionTime"] = std::string(now);
  return added || *entry != before;
}

}  // namespace tidegate::resource
