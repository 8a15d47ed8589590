#include "cluster/ownership/managers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "resource/fields.h"

namespace tidegate::ownership {
namespace {

constexpr std::size_t kManagersMax = 1000;
constexpr std::size_t kUpdatersMax = 10;
constexpr const char* kAncient = "ancient-changes";

Result<Manager> parse_manager(const Json& entry) {
  if (!entry.is_object()) return invalid("metadata.managedFields", "holds something that is no object");
  Manager manager{.name = resource::text(entry, "manager"),
                  .applies = resource::text(entry, "operation") == "Apply",
                  .api_version = resource::text(entry, "apiVersion"),
                  .subresource = resource::text(entry, "subresource"),
                  .time = resource::text(entry, "time"),
                  .fields = {}};
  if (!manager.applies && resource::text(entry, "operation") != "Update") {
    return invalid("metadata.managedFields", "has an operation other than Apply and Update");
  }
  if (const auto fields = entry.find("fieldsV1"); fields != entry.end()) {
    auto parsed = parse_fields(*fields);
    if (!parsed) return tl::unexpected(parsed.error());
    manager.fields = *std::move(parsed);
  }
  return manager;
}

void merge_oldest(std::vector<Manager>& managers) {
  const auto updates = [](const Manager& manager) { return !manager.applies; };
  auto count = static_cast<std::size_t>(std::count_if(managers.begin(), managers.end(), updates));
  while (count-- > kUpdatersMax) {
    const auto older = [&](const Manager& a, const Manager& b) {
      if (a.applies != b.applies) return !a.applies;
      return a.time < b.time;
    };
    const auto oldest = std::min_element(managers.begin(), managers.end(), older);
    Manager taken = *oldest;
    managers.erase(oldest);
    const auto ancient = std::find_if(managers.begin(), managers.end(), [&](const Manager& manager) {
      return !manager.applies && manager.name == kAncient && manager.api_version == taken.api_version;
    });
    if (ancient != managers.end()) {
      add(ancient->fields, taken.fields);
      ancient->time = std::max(ancient->time, taken.time);
    } else {
      // The next oldest joins it.
      taken.name = kAncient;
      taken.subresource.clear();
      managers.push_back(std::move(taken));
      const auto next = std::min_element(managers.begin(), managers.end() - 1, older);
      if (next->applies || next == managers.end() - 1) continue;
      add(managers.back().fields, next->fields);
      managers.back().time = std::max(managers.back().time, next->time);
      managers.erase(next);
    }
  }
}

}  // namespace

bool Manager::same_identity(const Manager& other) const {
  return name == other.name && applies == other.applies && subresource == other.subresource &&
         (applies || api_version == other.api_version);
}

Result<std::vector<Manager>> parse_managers(const Json& object) {
  std::vector<Manager> managers;
  const Json* entries = resource::find(object, "metadata.managedFields");
  if (entries == nullptr) return managers;
  if (!entries->is_array()) return invalid("metadata.managedFields", "is no list; use a list");
  if (entries->size() > kManagersMax) return invalid("metadata.managedFields", "has too many entries");
  for (const Json& entry : *entries) {
    auto manager = parse_manager(entry);
    if (!manager) return tl::unexpected(manager.error());
    managers.push_back(*std::move(manager));
  }
  return managers;
}

void write_managers(Json& object, std::vector<Manager> managers) {
  managers.erase(std::remove_if(managers.begin(), managers.end(),
                                [](const Manager& manager) { return manager.fields.empty(); }),
                 managers.end());
  merge_oldest(managers);
  Json entries = Json::array();
  for (const Manager& manager : managers) {
    Json entry = {{"manager", manager.name},
                  {"operation", manager.applies ? "Apply" : "Update"},
                  {"apiVersion", manager.api_version}};
    if (!manager.time.empty()) entry["time"] = manager.time;
    entry["fieldsType"] = "FieldsV1";
    entry["fieldsV1"] = to_json(manager.fields);
    if (!manager.subresource.empty()) entry["subresource"] = manager.subresource;
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) {
    object["metadata"].erase("managedFields");
  } else {
    object["metadata"]["managedFields"] = std::move(entries);
  }
}

std::string describe(const Manager& manager) {
  std::string text = "\"" + manager.name + "\"";
  if (!manager.subresource.empty()) text += " with subresource \"" + manager.subresource + "\"";
  if (manager.applies) return text;
  text += " using " + manager.api_version;
  if (!manager.time.empty()) text += " at " + manager.time;
  return text;
}

}  // namespace tidegate::ownership
