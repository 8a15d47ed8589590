#include "cluster/apiserver/usage.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

using resource::Json;

constexpr std::string_view kVersion = "metrics.k8s.io/v1beta1";

Json usage_json(const cluster::Usage& usage) {
  // In nanocores and kibibytes, as the metrics server does.
  return {{"cpu", std::to_string(std::llround(usage.cpu_cores * 1e9)) + "n"},
          {"memory", std::to_string(usage.memory_bytes / 1024) + "Ki"}};
}

Json sample(std::string_view kind, const std::string& name, WallTime taken_at, Duration window) {
  const std::string time = rfc3339(taken_at);
  return {{"kind", kind},
          {"apiVersion", kVersion},
          {"metadata", {{"name", name}, {"creationTimestamp", time}}},
          {"timestamp", time},
          {"window", std::to_string(std::llround(seconds(window) * 1000)) + "ms"}};
}

// An object of the kind that a sample is about, whose labels narrow the list.
cluster::ObjectPtr subject(const Context& context, const resource::Kind& kind, const cluster::Key& key) {
  auto object = context.client.get(kind, key);
  return object ? *object : nullptr;
}

Json pod_json(const cluster::PodUsage& pod, const resource::Object& object) {
  Json json = sample("PodMetrics", pod.pod.name, pod.taken_at, pod.window);
  json["metadata"]["namespace"] = pod.pod.namespace_;
  if (object.json()["metadata"].contains("labels"))
    json["metadata"]["labels"] = object.json()["metadata"]["labels"];
  json["containers"] = Json::array();
  for (const auto& container : pod.containers) {
    json["containers"].push_back({{"name", container.name}, {"usage", usage_json(container.usage)}});
  }
  return json;
}

Answer<Json> samples(const Context& context, const cluster::Kubelet& kubelet, const Call& call) {
  const bool pods = call.path.resource == "pods";
  const resource::Kind& kind = *resource::find_kind("v1", pods ? "Pod" : "Node");
  const auto selector = parse_selector(kind, call.options.label_selector, call.options.field_selector);
  if (!selector) return bad_request(selector.error().message);
  Json items = Json::array();
  const auto wanted = [&](const cluster::Key& key) {
    return (call.path.namespace_.empty() || key.namespace_ == call.path.namespace_) &&
           (call.path.name.empty() || key.name == call.path.name);
  };
  if (pods && kubelet.pod_usage) {
    for (const auto& pod : kubelet.pod_usage()) {
      if (!wanted(pod.pod)) continue;
      const auto object = subject(context, kind, pod.pod);
      if (object != nullptr && selector->matches(*object)) items.push_back(pod_json(pod, *object));
    }
  }
  if (!pods && kubelet.node_usage) {
    for (const auto& node : kubelet.node_usage()) {
      const auto object = subject(context, kind, {"", node.node});
      if (!wanted({"", node.node}) || object == nullptr || !selector->matches(*object)) continue;
      Json json = sample("NodeMetrics", node.node, node.taken_at, node.window);
      json["usage"] = usage_json(node.usage);
      items.push_back(std::move(json));
    }
  }
  return items;
}

}  // namespace

Answer<Response> answer_usage(const Context& context, const cluster::Kubelet& kubelet, const Call& call) {
  if (call.method != "GET" && call.method != "HEAD") return method_not_allowed();
  if (!call.path.subresource.empty()) return tl::unexpected(unknown_path());
  auto items = samples(context, kubelet, call);
  if (!items) return tl::unexpected(items.error());
  const bool pods = call.path.resource == "pods";
  if (!call.path.name.empty()) {
    if (!items->empty()) return Response{200, resource::to_text(items->front()), {}};
    Status status =
        plain_status(404, (pods ? "podmetrics.metrics.k8s.io \"" : "nodemetrics.metrics.k8s.io \"") +
                              call.path.name + "\" not found");
    status.name = call.path.name;
    status.group = "metrics.k8s.io";
    status.kind = call.path.resource;
    return tl::unexpected(status);
  }
  return Response{200,
                  resource::to_text({{"kind", pods ? "PodMetricsList" : "NodeMetricsList"},
                                     {"apiVersion", kVersion},
                                     {"metadata", Json::object()},
                                     {"items", *std::move(items)}}),
                  {}};
}

}  // namespace tidegate::apiserver
