#include "cluster/ownership/apply.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cluster/ownership/managers.h"
#include "cluster/ownership/value.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::ownership {
namespace {

constexpr std::size_t kManagerNameMax = 128;
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

// Fields that nobody owns: they name the object or are the server's.
const FieldSet& untracked() {
  static const FieldSet kUntracked = [] {
    FieldSet set;
    set.below["f:apiVersion"].member = true;
    set.below["f:kind"].member = true;
    FieldSet& metadata = set.below["f:metadata"];
    metadata.member = true;
    for (const char* field :
         {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
          "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "clusterName"}) {
      metadata.below[std::string("f:") + field].member = true;
    }
    return set;
  }();
  return kUntracked;
}

// What a write through this subresource can own.
void restrict(FieldSet& set, const std::string& subresource) {
  set.below.erase("f:managedFields");
  if (const auto metadata = set.below.find("f:metadata"); metadata != set.below.end()) {
    metadata->second.below.erase("f:managedFields");
  }
  subtract(set, untracked());
  if (subresource == "status") {
    std::erase_if(set.below, [](const auto& step) { return step.first != "f:status"; });
  } else {
    set.below.erase("f:status");
  }
}

Json without_managers(Json object) {
  if (object.is_object() && object.contains("metadata") && object["metadata"].is_object()) {
    object["metadata"].erase("managedFields");
  }
  return object;
}

// The part of a config that the written subresource takes.
Json applied_part(Json config, const std::string& subresource) {
  if (subresource != "status") {
    config.erase("status");
    return config;
  }
  Json part = Json::object();
  for (const auto& member : config.items()) {
    const std::string& name = member.key();
    if (name == "apiVersion" || name == "kind" || name == "status") part[name] = member.value();
  }
  return part;
}

// Fields of kubectl's record of its client-side applies that still have the value recorded there: an apply of
// kubectl may change them, because they are its own from before.
FieldSet recorded_fields(const resource::Schema& schema, const Json& live) {
  const auto annotations = resource::text_map(live, "metadata.annotations");
  const auto found = annotations.find(std::string(kLastApplied));
  if (found == annotations.end()) return {};
  const auto recorded = resource::parse_json(found->second);
  if (!recorded || !recorded->is_object() || !check_lists(schema, *recorded)) return {};
  FieldSet fields = fields_of(schema, *recorded);
  subtract(fields, compare(schema, live, *recorded).modified);
  return fields;
}

Manager& manager_for(std::vector<Manager>& managers, const Manager& wanted) {
  const auto found = std::find_if(managers.begin(), managers.end(),
                                  [&](const Manager& manager) { return manager.same_identity(wanted); });
  if (found != managers.end()) return *found;
  managers.push_back(wanted);
  return managers.back();
}

FieldSet owned_by_others(const std::vector<Manager>& managers, const Manager& self) {
  FieldSet all;
  for (const Manager& manager : managers) {
    if (!manager.same_identity(self)) add(all, manager.fields);
  }
  return all;
}

// Takes from every other manager what `difference` changed, and from all what it removed.
void settle(std::vector<Manager>& managers, const Manager& self, const Difference& difference) {
  FieldSet changed = difference.modified;
  add(changed, difference.added);
  for (Manager& manager : managers) {
    if (!manager.same_identity(self)) subtract(manager.fields, changed);
    subtract(manager.fields, difference.removed);
  }
}

Result<void> check_config(const Json& config, const Writer& writer) {
  if (writer.manager.empty()) return invalid("fieldManager", "is required for apply patch");
  if (writer.manager.size() > kManagerNameMax) {
    return invalid("fieldManager",
                   "has more than " + std::to_string(kManagerNameMax) + " bytes; use a shorter name");
  }
  if (!config.is_object() || !config.contains("metadata") || !config["metadata"].is_object()) {
    return invalid("metadata", "is missing; an applied configuration names its object");
  }
  const Json* managed = resource::find(config, "metadata.managedFields");
  if (managed != nullptr && !(managed->is_array() && managed->empty())) {
    return fail(Code::kInvalid, "metadata.managedFields must be nil");
  }
  return {};
}

// Conflicts of one apply, and nothing where kubectl may take its own back.
std::vector<Conflict> conflicts_of(const resource::Schema& schema, const std::vector<Manager>& managers,
                                   const Manager& self, const Json& live, const Difference& difference) {
  FieldSet changed = difference.modified;
  add(changed, difference.added);
  if (self.name == "kubectl") subtract(changed, recorded_fields(schema, live));
  std::vector<Conflict> conflicts;
  for (const Manager& manager : managers) {
    if (manager.same_identity(self)) continue;
    for (const std::string& field : paths(intersection(manager.fields, changed))) {
      conflicts.push_back({describe(manager), field});
    }
  }
  return conflicts;
}

}  // namespace

Result<Outcome> apply(const resource::Schema& schema, const Json* live, const Json& config,
                      const Writer& writer, bool force) {
  if (auto right = check_config(config, writer); !right) return tl::unexpected(right.error());
  const Json part = applied_part(without_managers(config), writer.subresource);
  if (auto right = check_lists(schema, part); !right) return tl::unexpected(right.error());

  const Json before = live == nullptr ? Json::object() : without_managers(*live);
  std::vector<Manager> managers;
  if (live != nullptr) {
    auto parsed = parse_managers(*live);
    if (parsed) managers = *std::move(parsed);
    if (managers.empty()) {
      Manager first{.name = "before-first-apply",
                    .applies = false,
                    .api_version = writer.api_version,
                    .subresource = {},
                    .time = writer.time,
                    .fields = fields_of(schema, before)};
      restrict(first.fields, {});
      managers.push_back(std::move(first));
    }
  }
  const Manager self{.name = writer.manager,
                     .applies = true,
                     .api_version = writer.api_version,
                     .subresource = writer.subresource,
                     .time = writer.time,
                     .fields = {}};

  FieldSet applied = fields_of(schema, part);
  restrict(applied, writer.subresource);
  FieldSet last;
  for (const Manager& manager : managers) {
    if (manager.same_identity(self)) last = manager.fields;
  }
  Json object = merged(schema, before, part);
  FieldSet kept = applied;
  add(kept, owned_by_others(managers, self));
  add(kept, untracked());
  remove_unowned(schema, object, last, kept);

  Difference difference = compare(schema, before, object);
  for (FieldSet* set : {&difference.added, &difference.modified, &difference.removed}) {
    restrict(*set, writer.subresource);
  }
  if (!force) {
    auto conflicts = conflicts_of(schema, managers, self, before, difference);
    if (!conflicts.empty()) return Outcome{nullptr, std::move(conflicts)};
  }
  settle(managers, self, difference);
  Manager& own = manager_for(managers, self);
  const bool same_owner = own.fields == applied && own.api_version == writer.api_version;
  if (!same_owner || !resource::same_content(before, object)) own.time = writer.time;
  own.api_version = writer.api_version;
  own.fields = std::move(applied);
  write_managers(object, std::move(managers));
  return Outcome{std::make_shared<Json>(std::move(object)), {}};
}

Json track(const resource::Schema& schema, const Json* before, Json after, const Writer& writer) {
  if (!after.is_object() || !after.contains("metadata") || !after["metadata"].is_object()) return after;
  std::vector<Manager> managers;
  const Json* brought = resource::find(after, "metadata.managedFields");
  const bool cleared =
      brought != nullptr && brought->is_array() &&
      (brought->empty() || (brought->size() == 1 && (*brought)[0].is_object() && (*brought)[0].empty()));
  auto parsed = cleared ? std::vector<Manager>() : parse_managers(after);
  if (parsed && (!parsed->empty() || cleared)) {
    managers = *std::move(parsed);
  } else if (before != nullptr) {
    if (auto old = parse_managers(*before)) managers = *std::move(old);
  }
  const Json old_object = before == nullptr ? Json::object() : without_managers(*before);
  Json object = without_managers(std::move(after));
  if (cleared) return object;

  Difference difference = compare(schema, old_object, object);
  for (FieldSet* set : {&difference.added, &difference.modified, &difference.removed}) {
    restrict(*set, writer.subresource);
  }
  const Manager self{.name = writer.manager,
                     .applies = false,
                     .api_version = writer.api_version,
                     .subresource = writer.subresource,
                     .time = writer.time,
                     .fields = {}};
  settle(managers, self, difference);
  FieldSet changed = difference.added;
  add(changed, difference.modified);
  if (!changed.empty()) {
    Manager& own = manager_for(managers, self);
    add(own.fields, changed);
    own.time = writer.time;
  }
  write_managers(object, std::move(managers));
  return object;
}

std::string cause_message(const Conflict& conflict) { return "conflict with " + conflict.owner; }

std::string conflict_message(const std::vector<Conflict>& conflicts) {
  if (conflicts.size() == 1) {
    return "Apply failed with 1 conflict: " + cause_message(conflicts[0]) + ": " + conflicts[0].field;
  }
  std::map<std::string, std::vector<std::string>> by_owner;
  for (const Conflict& conflict : conflicts) by_owner[conflict.owner].push_back(conflict.field);
  std::string text = "Apply failed with " + std::to_string(conflicts.size()) + " conflicts: ";
  bool first = true;
  for (const auto& [owner, fields] : by_owner) {
    text += (first ? "conflicts with " : "\nconflicts with ") + owner + ":";
    for (const std::string& field : fields) text += "\n- " + field;
    first = false;
  }
  return text;
}

}  // namespace tidegate::ownership
