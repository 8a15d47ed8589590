#include "gateway/status.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/log.h"
#include "resource/condition.h"
#include "resource/inference_pool.h"

namespace tidegate::gateway {
namespace {

using resource::Json;

std::string text_of(Truth truth) {
  switch (truth) {
    case Truth::kTrue:
      return "True";
    case Truth::kFalse:
      return "False";
    case Truth::kUnknown:
      return "Unknown";
  }
  return "Unknown";
}

Json& object_at(Json& parent, const std::string& key) {
  Json& member = parent[key];
  if (!member.is_object()) member = Json::object();
  return member;
}

Json& list_at(Json& parent, const std::string& key) {
  Json& member = parent[key];
  if (!member.is_array()) member = Json::array();
  return member;
}

void write_conditions(Json& parent, const std::vector<Condition>& conditions, std::int64_t generation,
                      const std::string& now) {
  Json& list = list_at(parent, "conditions");
  for (const Condition& condition : conditions) {
    resource::set_condition(list,
                            {.type = condition.type,
                             .status = text_of(condition.status),
                             .reason = condition.reason,
                             .message = condition.message,
                             .last_transition_time = {},
                             .observed_generation = generation},
                            now);
  }
}

std::string member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint16_t port_of(const Json& ref) {
  const auto found = ref.find("port");
  return found != ref.end() && found->is_number_unsigned() ? found->get<std::uint16_t>() : std::uint16_t{0};
}

// What a parentRef leaves out means the Gateway API's defaults and the object's own namespace.
ParentRef read_parent(const Json& entry, const std::string& own_namespace, const char* ref_name) {
  ParentRef parent;
  const auto ref = entry.find(ref_name);
  if (ref == entry.end() || !ref->is_object()) return parent;
  parent.group = ref->contains("group") ? member(*ref, "group") : "gateway.networking.k8s.io";
  parent.kind = ref->contains("kind") ? member(*ref, "kind") : "Gateway";
  parent.namespace_ = ref->contains("namespace") ? member(*ref, "namespace") : own_namespace;
  parent.name = member(*ref, "name");
  parent.section_name = member(*ref, "sectionName");
  parent.port = port_of(*ref);
  return parent;
}

Json parent_json(const ParentRef& parent) {
  Json ref = {{"group", parent.group},
              {"kind", parent.kind},
              {"namespace", parent.namespace_},
              {"name", parent.name}};
  if (!parent.section_name.empty()) ref["sectionName"] = parent.section_name;
  if (parent.port != 0) ref["port"] = parent.port;
  return ref;
}

// The place-holder that v1alpha2's schema puts in: {kind: Status, name: default}.
bool is_placeholder(const Json& entry) {
  const auto ref = entry.find("parentRef");
  return ref != entry.end() && ref->is_object() && member(*ref, "kind") == "Status" &&
         member(*ref, "name") == "default";
}

// Our entries are those with our name as controller. v1alpha2 pools have no such member: there a Gateway's
// entry is ours if we wrote the same parent before, which its conditions cannot tell, so entries for Gateways
// are taken as ours.
void write_parents(Json& status, const std::string& key, bool names_controller, const Finding& finding,
                   const std::string& now, const char* ref_name = "parentRef") {
  Json& list = list_at(status, key);
  const std::string& own = finding.object->namespace_();
  const std::string ours(kControllerName);
  Json kept = Json::array();
  for (Json& entry : list) {
    if (!entry.is_object()) continue;
    const bool mine = names_controller ? member(entry, "controllerName") == ours
                                       : read_parent(entry, own, ref_name).kind == "Gateway";
    const bool wanted =
        std::any_of(finding.parents.begin(), finding.parents.end(),
                    [&](const ParentFinding& p) { return p.parent == read_parent(entry, own, ref_name); });
    if (is_placeholder(entry) ? finding.parents.empty() : (!mine || wanted)) kept.push_back(std::move(entry));
  }
  list = std::move(kept);
  for (const ParentFinding& parent : finding.parents) {
    Json* entry = nullptr;
    for (Json& candidate : list) {
      const bool mine = !names_controller || member(candidate, "controllerName") == ours;
      if (mine && read_parent(candidate, own, ref_name) == parent.parent) entry = &candidate;
    }
    if (entry == nullptr) {
      list.push_back({{ref_name, parent_json(parent.parent)}});
      entry = &list.back();
      if (names_controller) (*entry)["controllerName"] = ours;
    }
    write_conditions(*entry, parent.conditions, finding.object->metadata().generation, now);
  }
}

void write_listeners(Json& status, const Finding& finding, const std::string& now) {
  Json& list = list_at(status, "listeners");
  Json result = Json::array();
  for (const ListenerFinding& listener : finding.listeners) {
    Json entry = {{"name", listener.name}};
    for (const Json& before : list) {
      if (before.is_object() && member(before, "name") == listener.name) entry = before;
    }
    entry["attachedRoutes"] = listener.attached_routes;
    Json kinds = Json::array();
    for (const std::string& kind : listener.supported_kinds)
      kinds.push_back({{"group", "gateway.networking.k8s.io"}, {"kind", kind}});
    entry["supportedKinds"] = std::move(kinds);
    write_conditions(entry, listener.conditions, finding.object->metadata().generation, now);
    result.push_back(std::move(entry));
  }
  list = std::move(result);
}

void write_addresses(Json& status, const std::vector<std::string>& addresses) {
  Json list = Json::array();
  for (const std::string& address : addresses) list.push_back({{"ip", address}});
  object_at(status, "loadBalancer")["ingress"] = std::move(list);
}

}  // namespace

std::unique_ptr<const Json> status_for(const Finding& finding, WallTime now) {
  const resource::Object& object = *finding.object;
  auto document = std::make_unique<Json>(object.json());
  Json& status = object_at(*document, "status");
  const std::string time = rfc3339(now);
  if (!finding.conditions.empty())
    write_conditions(status, finding.conditions, object.metadata().generation, time);
  if (!finding.listeners.empty()) write_listeners(status, finding, time);
  if (object.kind() == "Ingress") write_addresses(status, finding.addresses);
  if (object.kind() == "Gateway" && !finding.addresses.empty()) {
    Json addresses = Json::array();
    for (const std::string& address : finding.addresses)
      addresses.push_back({{"type", "IPAddress"}, {"value", address}});
    status["addresses"] = std::move(addresses);
  }
  const bool route = object.kind() == "HTTPRoute";
  const bool pool = object.kind() == "InferencePool" && !object.api_version().ends_with("/v1alpha1");
  if (route || pool) {
    // v1alpha2 pools spell the list in the singular and do not name controllers.
    const bool newer =
        route || object.api_version().starts_with(std::string(resource::kInferenceGroup) + "/");
    const std::string key = newer ? "parents" : "parent";
    if (!finding.parents.empty() || status.contains(key)) write_parents(status, key, newer, finding, time);
  }
  if (object.kind() == "BackendTLSPolicy" && (!finding.parents.empty() || status.contains("ancestors")))
    write_parents(status, "ancestors", true, finding, time, "ancestorRef");
  if (status.empty()) document->erase("status");
  if (*document == object.json()) return nullptr;
  return document;
}

Written write_statuses(std::span<const Finding> findings, cluster::Client& client, const Clock& clock) {
  Written written;
  for (const Finding& finding : findings) {
    const auto document = status_for(finding, clock.wall());
    if (document == nullptr) continue;
    const resource::Kind* kind = resource::find_kind(finding.object->api_version(), finding.object->kind());
    if (kind == nullptr) continue;
    const auto updated = client.update_status(*kind, *document);
    if (updated) {
      ++written.changed;
      continue;
    }
    ++written.failed;
    // A conflict or a deletion in between is the normal course of things; the next call sees the newer state.
    if (updated.error().code != Code::kConflict && updated.error().code != Code::kNotFound) {
      log::warning("gateway", "a status could not be written",
                   {{"object", finding.object->title()}, {"error", updated.error().message}});
    }
  }
  return written;
}

}  // namespace tidegate::gateway
