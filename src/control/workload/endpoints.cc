#include "control/workload/endpoints.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "resource/fields.h"
#include "resource/selector.h"

namespace tidegate::workload {
namespace {

using loop::Action;
using loop::Decision;
using resource::Json;
using resource::ObjectPtr;

// A target port may be a name; the first container port of that name in any of the pods answers.
std::int64_t port_number(const Json& port, const std::vector<ObjectPtr>& pods) {
  const Json* target = resource::find(port, "targetPort");
  if (target == nullptr) return resource::number(port, "port");
  if (target->is_number_integer()) return target->get<std::int64_t>();
  const std::string name = target->is_string() ? target->get<std::string>() : std::string();
  for (const ObjectPtr& pod : pods) {
    const Json* containers = resource::find_array(pod->json(), "spec.containers");
    if (containers == nullptr) continue;
    for (const Json& container : *containers) {
      const Json* ports = resource::find_array(container, "ports");
      if (ports == nullptr) continue;
      for (const Json& candidate : *ports) {
        if (resource::text(candidate, "name") == name) return resource::number(candidate, "containerPort");
      }
    }
  }
  return 0;
}

Json endpoint_of(const resource::Object& pod, bool publish_unready) {
  const Json& json = pod.json();
  const bool terminating = !pod.metadata().deletion_timestamp.empty();
  const bool serving = publish_unready || resource::condition_is_true(json, "Ready");
  return Json{{"addresses", Json::array({resource::text(json, "status.podIP")})},
              {"conditions",
               {{"ready", serving && !terminating}, {"serving", serving}, {"terminating", terminating}}},
              {"nodeName", resource::text(json, "spec.nodeName")},
              {"targetRef",
               {{"kind", "Pod"},
                {"namespace", pod.namespace_()},
                {"name", pod.name()},
                {"uid", pod.metadata().uid}}}};
}

bool belongs(const resource::Object& pod, const std::map<std::string, std::string>& selector) {
  const std::string phase = resource::text(pod.json(), "status.phase");
  return resource::selects(selector, pod.metadata().labels) &&
         !resource::text(pod.json(), "status.podIP").empty() && phase != "Succeeded" && phase != "Failed";
}

}  // namespace

Decision decide_endpoints(const resource::Kind& slice_kind, const resource::Object& service,
                          const std::vector<ObjectPtr>& pods, const resource::Object* slice) {
  const auto selector = resource::text_map(service.json(), "spec.selector");
  if (selector.empty() || !service.metadata().deletion_timestamp.empty()) return {};
  std::vector<ObjectPtr> members;
  for (const ObjectPtr& pod : pods) {
    if (belongs(*pod, selector) && members.size() < kEndpointsMax) members.push_back(pod);
  }
  Json endpoints = Json::array();
  const bool publish_unready = resource::flag(service.json(), "spec.publishNotReadyAddresses");
  for (const ObjectPtr& pod : members) endpoints.push_back(endpoint_of(*pod, publish_unready));
  Json ports = Json::array();
  if (const Json* given = resource::find_array(service.json(), "spec.ports")) {
    for (const Json& port : *given) {
      const std::int64_t number = port_number(port, members);
      if (number == 0) continue;
      ports.push_back({{"name", resource::text(port, "name")},
                       {"port", number},
                       {"protocol", resource::text(port, "protocol", "TCP")}});
    }
  }

  Json document = slice != nullptr ? slice->json() : Json::object();
  if (slice == nullptr) {
    document["apiVersion"] = "discovery.k8s.io/v1";
    document["kind"] = "EndpointSlice";
    document["metadata"] = {{"name", service.name()},
                            {"namespace", service.namespace_()},
                            {"labels",
                             {{"kubernetes.io/service-name", service.name()},
                              {"endpointslice.kubernetes.io/managed-by", "endpointslice.tidegate.dev"}}},
                            {"ownerReferences", Json::array({{{"apiVersion", "v1"},
                                                              {"kind", "Service"},
                                                              {"name", service.name()},
                                                              {"uid", service.metadata().uid},
                                                              {"controller", true},
                                                              {"blockOwnerDeletion", true}}})}};
  }
  document["addressType"] = "IPv4";
  document["endpoints"] = std::move(endpoints);
  document["ports"] = std::move(ports);
  if (slice == nullptr) return {{Action::create(slice_kind, std::move(document))}, std::nullopt};
  if (resource::same_content(slice->json(), document)) return {};
  return {{Action::update(slice_kind, std::move(document))}, std::nullopt};
}

}  // namespace tidegate::workload
