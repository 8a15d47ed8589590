#include "cluster/apiserver/discovery.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "cluster/apiserver/resource_path.h"
#include "resource/json.h"
#include "resource/scale.h"
#include "resource/version_order.h"

namespace tidegate::apiserver {
namespace {

using resource::Json;
using resource::Kind;

struct Subresource {
  std::string_view name;
  std::string_view group, version, kind;  // empty kind: as the parent
  std::vector<std::string_view> verbs;
};

// Those that `kubectl get all` shows.
bool is_everyday(const Kind& kind) {
  return kind.group == "apps" || (kind.group.empty() && (kind.kind == "Pod" || kind.kind == "Service"));
}

std::vector<std::string_view> categories(const Kind& kind) {
  const resource::CustomKind* custom = resource::as_custom(kind);
  if (custom != nullptr) return {custom->categories().begin(), custom->categories().end()};
  return is_everyday(kind) ? std::vector<std::string_view>{"all"} : std::vector<std::string_view>{};
}

std::vector<Subresource> subresources(const Kind& kind, std::string_view version) {
  std::vector<Subresource> found;
  const std::vector<std::string_view> read_write = {"get", "patch", "update"};
  if (has_status(kind, version)) found.push_back({"status", {}, {}, {}, read_write});
  if (resource::scale_paths(kind, version)) found.push_back({"scale", "autoscaling", "v1", "Scale", read_write});
  if (kind.group.empty() && kind.kind == "Pod") {
    found.push_back({"log", {}, {}, {}, {"get"}});
    found.push_back({"exec", "", "v1", "PodExecOptions", {"create", "get"}});
    found.push_back({"portforward", "", "v1", "PodPortForwardOptions", {"create", "get"}});
    found.push_back({"binding", "", "v1", "Binding", {"create"}});
    found.push_back({"eviction", "policy", "v1", "Eviction", {"create"}});
  }
  return found;
}

// One resource, in a form from which both kinds of discovery are written.
struct Resource {
  std::string_view group, version, plural, singular, kind;
  bool namespaced;
  std::vector<std::string_view> verbs, short_names, categories;
  std::vector<Subresource> subresources;
};

std::vector<Resource> all_resources(const resource::KindSet& kinds) {
  std::vector<Resource> found;
  for (const Kind* each : kinds.all()) {
    const Kind& kind = *each;
    for (const std::string_view version : kind.versions) {
      found.push_back({kind.group,
                       version,
                       kind.plural,
                       kind.singular,
                       kind.kind,
                       kind.namespaced,
                       {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"},
                       kind.short_names,
                       categories(kind),
                       subresources(kind, version)});
    }
  }
  for (const Computed& computed : computed_resources()) {
    const auto verbs = computed.readable ? std::vector<std::string_view>{"get", "list"}
                                         : std::vector<std::string_view>{"create"};
    found.push_back({computed.group,
                     computed.version,
                     computed.resource,
                     "",
                     computed.kind,
                     computed.namespaced,
                     verbs,
                     {},
                     {},
                     {}});
  }
  return found;
}

struct Group {
  std::string_view name;
  std::vector<std::string_view> versions;  // the preferred first
};

std::vector<Group> groups(const std::vector<Resource>& resources) {
  std::vector<Group> found;
  for (const Resource& resource : resources) {
    auto group = std::find_if(found.begin(), found.end(),
                              [&](const Group& candidate) { return candidate.name == resource.group; });
    if (group == found.end()) group = found.insert(found.end(), {resource.group, {}});
    auto& versions = group->versions;
    if (std::find(versions.begin(), versions.end(), resource.version) == versions.end()) {
      versions.push_back(resource.version);
    }
  }
  for (Group& group : found) std::stable_sort(group.versions.begin(), group.versions.end(), resource::version_before);
  return found;
}

Json aggregated_resource(const Resource& resource) {
  Json json = {
      {"resource", resource.plural},
      {"responseKind", {{"group", resource.group}, {"version", resource.version}, {"kind", resource.kind}}},
      {"scope", resource.namespaced ? "Namespaced" : "Cluster"},
      {"singularResource", resource.singular},
      {"verbs", resource.verbs}};
  if (!resource.short_names.empty()) json["shortNames"] = resource.short_names;
  if (!resource.categories.empty()) json["categories"] = resource.categories;
  for (const Subresource& sub : resource.subresources) {
    const bool own = sub.kind.empty();
    json["subresources"].push_back({{"subresource", sub.name},
                                    {"responseKind",
                                     {{"group", own ? resource.group : sub.group},
                                      {"version", own ? resource.version : sub.version},
                                      {"kind", own ? resource.kind : sub.kind}}},
                                    {"verbs", sub.verbs}});
  }
  return json;
}

std::string aggregated(const std::vector<Resource>& resources, bool core, std::string_view version) {
  Json items = Json::array();
  for (const Group& group : groups(resources)) {
    if (group.name.empty() != core) continue;
    Json item = {{"metadata", {{"name", group.name}, {"creationTimestamp", nullptr}}}};
    for (const std::string_view each : group.versions) {
      Json list = Json::array();
      for (const Resource& resource : resources) {
        if (resource.group == group.name && resource.version == each) {
          list.push_back(aggregated_resource(resource));
        }
      }
      item["versions"].push_back(
          {{"version", each}, {"resources", std::move(list)}, {"freshness", "Current"}});
    }
    items.push_back(std::move(item));
  }
  return resource::to_text({{"kind", "APIGroupDiscoveryList"},
                            {"apiVersion", "apidiscovery.k8s.io/" + std::string(version)},
                            {"metadata", Json::object()},
                            {"items", std::move(items)}});
}

Json group_json(const Group& group) {
  Json versions = Json::array();
  for (const std::string_view version : group.versions) {
    versions.push_back({{"groupVersion", group_version(group.name, version)}, {"version", version}});
  }
  Json json = {{"name", group.name}, {"versions", versions}};
  json["preferredVersion"] = versions.front();
  return json;
}

std::optional<std::string> resource_list(const std::vector<Resource>& resources, std::string_view group,
                                         std::string_view version) {
  Json list = Json::array();
  for (const Resource& resource : resources) {
    if (resource.group != group || resource.version != version) continue;
    Json json = {{"name", resource.plural},
                 {"singularName", resource.singular},
                 {"namespaced", resource.namespaced},
                 {"kind", resource.kind},
                 {"verbs", resource.verbs}};
    if (!resource.short_names.empty()) json["shortNames"] = resource.short_names;
    if (!resource.categories.empty()) json["categories"] = resource.categories;
    list.push_back(std::move(json));
    for (const Subresource& sub : resource.subresources) {
      Json entry = {{"name", std::string(resource.plural) + "/" + std::string(sub.name)},
                    {"singularName", ""},
                    {"namespaced", resource.namespaced}};
      if (!sub.kind.empty() && !(sub.group == group && sub.version == version)) {
        entry["group"] = sub.group;
        entry["version"] = sub.version;
      }
      entry["kind"] = sub.kind.empty() ? resource.kind : sub.kind;
      entry["verbs"] = sub.verbs;
      list.push_back(std::move(entry));
    }
  }
  if (list.empty()) return std::nullopt;
  return resource::to_text({{"kind", "APIResourceList"},
                            {"apiVersion", "v1"},
                            {"groupVersion", group_version(group, version)},
                            {"resources", std::move(list)}});
}

std::string group_list(const std::vector<Resource>& resources) {
  Json list = Json::array();
  for (const Group& group : groups(resources)) {
    if (!group.name.empty()) list.push_back(group_json(group));
  }
  return resource::to_text({{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(list)}});
}

std::optional<std::string> one_group(const std::vector<Resource>& resources, std::string_view name) {
  for (const Group& group : groups(resources)) {
    if (group.name != name || name.empty()) continue;
    Json json = {{"kind", "APIGroup"}, {"apiVersion", "v1"}};
    json.update(group_json(group));
    return resource::to_text(json);
  }
  return std::nullopt;
}

}  // namespace

std::span<const Computed> computed_resources() {
  static constexpr std::array kComputed = {
      Computed{"metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", false, true},
      Computed{"metrics.k8s.io", "v1beta1", "pods", "PodMetrics", true, true},
      Computed{"authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false,
               false},
      Computed{"authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false,
               false},
      Computed{"authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", false, false},
      Computed{"authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", true,
               false},
      Computed{"authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", false, false},
  };
  return kComputed;
}

std::optional<std::string> discovery(std::string_view path, Form form, const resource::KindSet& kinds) {
  if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::vector<Resource> resources = all_resources(kinds);
  if (path == "/api" || path == "/apis") {
    const bool core = path == "/api";
    if (form == Form::kDiscovery) return aggregated(resources, core, "v2");
    if (form == Form::kDiscoveryV2beta1) return aggregated(resources, core, "v2beta1");
    if (!core) return group_list(resources);
    return resource::to_text(
        {{"kind", "APIVersions"}, {"versions", {"v1"}}, {"serverAddressByClientCIDRs", Json::array()}});
  }
  if (path.starts_with("/apis/") && path.find('/', 6) == std::string_view::npos) {
    return one_group(resources, path.substr(6));
  }
  const auto parsed = parse_resource_path(path);
  if (!parsed || !parsed->resource.empty()) return std::nullopt;
  return resource_list(resources, parsed->group, parsed->version);
}

std::string version_text(std::string_view build) {
  // kubectl compares major and minor with its own; 1.32 is whose rules are kept here.
  return resource::to_text({{"major", "1"},
                            {"minor", "32"},
                            {"gitVersion", "v1.32.4+tidegate-" + std::string(build)},
                            {"gitCommit", ""},
                            {"gitTreeState", "clean"},
                            {"buildDate", "1970-01-01T00:00:00Z"},
                            {"goVersion", "none"},
                            {"compiler", "gcc"},
                            {"platform", "linux/amd64"}});
}

bool has_status(const Kind& kind, std::string_view version) {
  const resource::CustomKind* custom = resource::as_custom(kind);
  if (custom == nullptr) return kind.has_status;
  const resource::CustomVersion* own = custom->version(version);
  return own != nullptr && own->has_status;
}

bool is_builtin(const Kind& kind) {
  if (resource::as_custom(kind) != nullptr) return false;
  static constexpr std::string_view kGroups[] = {"admissionregistration.k8s.io",
                                                 "apiextensions.k8s.io",
                                                 "apiregistration.k8s.io",
                                                 "certificates.k8s.io",
                                                 "coordination.k8s.io",
                                                 "discovery.k8s.io",
                                                 "events.k8s.io",
                                                 "networking.k8s.io",
                                                 "node.k8s.io",
                                                 "rbac.authorization.k8s.io",
                                                 "scheduling.k8s.io",
                                                 "storage.k8s.io"};
  return kind.group.find('.') == std::string_view::npos ||
         std::find(std::begin(kGroups), std::end(kGroups), kind.group) != std::end(kGroups);
}

}  // namespace tidegate::apiserver
