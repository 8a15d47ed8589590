// Columns of what serves models, and of the machines it runs on.

#include <nlohmann/json.hpp>

#include "cluster/table/cells.h"
#include "resource/fields.h"

namespace tidegate::table {
namespace {

using resource::find;
using resource::flag;
using resource::text;

Json pool_cells(const Json& pool, WallTime now) {
  const Json* labels = find(pool, "spec.selector.matchLabels");
  if (labels == nullptr) labels = find(pool, "spec.selector");
  std::vector<std::string> ports;
  for (const Json& port : items(pool, "spec.targetPorts")) ports.push_back(text_or(port, "number"));
  const std::string old_port = text_or(pool, "spec.targetPortNumber", "");
  if (!old_port.empty()) ports.push_back(old_port);
  return Json::array({name(pool), age(pool, now), labels_text(labels), joined(ports)});
}

Json model_cells(const Json& model, WallTime now) {
  return Json::array({name(model), text(model, "spec.modelName"), text(model, "spec.poolRef.name"),
                      text(model, "spec.criticality"), age(model, now)});
}

Json objective_cells(const Json& objective, WallTime now) {
  return Json::array({name(objective), text(objective, "spec.poolRef.name"), text_or(objective, "spec.priority", ""),
                      age(objective, now)});
}

Json rewrite_cells(const Json& rewrite, WallTime now) {
  return Json::array({name(rewrite), text(rewrite, "spec.poolRef.name"), age(rewrite, now)});
}

// The share of traffic that matches, as a KServe revision: its percentage and its name.
Json traffic(const Json& service, bool latest, const char* field) {
  for (const Json& target : items(service, "status.components.predictor.traffic")) {
    const bool matches = latest ? flag(target, "latestRevision") : text(target, "tag") == "prev";
    if (!matches) continue;
    const Json* value = find(target, field);
    return value == nullptr ? Json(nullptr) : *value;
  }
  return nullptr;
}

Json inference_service_cells(const Json& service, WallTime now) {
  return Json::array({name(service), text(service, "status.url"), condition(service, "Ready"),
                      traffic(service, false, "percent"), traffic(service, true, "percent"),
                      traffic(service, false, "revisionName"), traffic(service, true, "revisionName"),
                      age(service, now)});
}

Json llm_service_cells(const Json& service, WallTime now) {
  const Json* ready = resource::condition(service, "Ready");
  std::string urls;
  for (const Json& address : items(service, "status.addresses")) {
    urls += (urls.empty() ? "" : " ") + text(address, "url");
  }
  return Json::array({name(service), text(service, "status.url"), condition(service, "Ready"),
                      ready == nullptr ? std::string() : text(*ready, "reason"), age(service, now), urls});
}

Json policy_cells(const Json& policy, WallTime now) {
  std::vector<std::string> units;
  for (const Json& unit : items(policy, "spec.units")) units.push_back(text(unit, "resource"));
  return Json::array({name(policy), text_or(policy, "spec.strategy", "prefer"), joined(units),
                      age(policy, now), labels_text(find(policy, "spec.selector"))});
}

Json node_pool_cells(const Json& pool, WallTime now) {
  return Json::array({name(pool), text_or(pool, "spec.provider", "local"), number(pool, "spec.min"),
                      number(pool, "spec.max"), text_or(pool, "status.nodes", "0"),
                      text_or(pool, "status.ready", "0"), text_or(pool, "spec.pricePerHour"),
                      age(pool, now)});
}

}  // namespace

std::span<const Layout> serving_layouts() {
  static const std::vector<Column> kPool = {
      {"Name"}, {"Age"}, {"Selector", "string", 1}, {"Target Ports", "string", 1}};
  static const Layout kLayouts[] = {
      {"inference.networking.k8s.io", "InferencePool", kPool, pool_cells},
      {"inference.networking.x-k8s.io", "InferencePool", kPool, pool_cells},
      {"inference.networking.x-k8s.io",
       "InferenceModel",
       {{"Name"}, {"Model Name"}, {"Inference Pool"}, {"Criticality"}, {"Age"}},
       model_cells},
      {"inference.networking.x-k8s.io",
       "InferenceObjective",
       {{"Name"}, {"Inference Pool"}, {"Priority"}, {"Age"}},
       objective_cells},
      {"inference.networking.x-k8s.io",
       "InferenceModelRewrite",
       {{"Name"}, {"Inference Pool"}, {"Age"}},
       rewrite_cells},
      {"serving.kserve.io",
       "InferenceService",
       {{"Name"},
        {"URL"},
        {"Ready"},
        {"Prev", "integer"},
        {"Latest", "integer"},
        {"PrevRolledoutRevision"},
        {"LatestReadyRevision"},
        {"Age"}},
       inference_service_cells},
      {"serving.kserve.io",
       "LLMInferenceService",
       {{"Name"}, {"URL"}, {"Ready"}, {"Reason"}, {"Age"}, {"URLs", "string", 1}},
       llm_service_cells},
      {"scheduling.alibabacloud.com",
       "ResourcePolicy",
       {{"Name"}, {"Strategy"}, {"Units"}, {"Age"}, {"Selector", "string", 1}},
       policy_cells},
      {"tidegate.dev",
       "NodePool",
       {{"Name"},
        {"Provider"},
        {"Min", "integer"},
        {"Max", "integer"},
        {"Nodes", "integer"},
        {"Ready", "integer"},
        {"Price", "string", 1},
        {"Age"}},
       node_pool_cells},
  };
  return kLayouts;
}

}  // namespace tidegate::table
