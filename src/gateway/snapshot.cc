#include "gateway/snapshot.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "gateway/api_keys.h"
#include "gateway/attach.h"
#include "gateway/endpoint_tls.h"
#include "gateway/holding.h"
#include "gateway/objectives.h"
#include "gateway/routes.h"
#include "resource/asm_mesh_config.h"
#include "resource/inference_pool.h"

namespace tidegate::gateway {
namespace {

constexpr std::string_view kMeshConfigName = "default";

// Unset and unreadable count as on: a switch that nobody turned off is not off.
bool pools_enabled(const std::vector<ObjectPtr>& mesh_configs) {
  for (const ObjectPtr& object : mesh_configs) {
    if (object->name() != kMeshConfigName) continue;
    if (const auto config = resource::ASMMeshConfig::from(*object)) return config->inference_enabled;
  }
  return true;
}

std::string picker_note(const ObjectPtr& object) {
  const auto pool = resource::InferencePool::from(*object);
  if (!pool || !pool->picker) return "";
  return "The picker " + pool->picker->kind + " " + pool->picker->name +
         " is not asked: this gateway picks endpoints itself";
}

// v1alpha1 has one condition for the pool; later versions have an entry per Gateway whose routes name it.
Finding pool_finding(const ObjectPtr& object, bool enabled, const std::string& problem,
                     const std::vector<ParentRef>& parents) {
  Finding finding;
  finding.object = object;
  const std::string note = picker_note(object);
  Condition accepted = {"Accepted", Truth::kTrue, "Accepted", problem.empty() ? note : problem};
  if (!enabled) {
    accepted = {"Accepted", Truth::kFalse, "NotSupportedByParent",
                "ASMMeshConfig default has spec.gatewayAPIInferenceExtension.enabled: false; set it to true "
                "to serve pools"};
  }
  if (object->api_version().ends_with("/v1alpha1")) {
    finding.conditions = {{"Ready", accepted.status,
                           accepted.status == Truth::kTrue ? "Ready" : accepted.reason, accepted.message}};
    return finding;
  }
  for (const ParentRef& parent : parents) {
    finding.parents.push_back({parent, {accepted, {"ResolvedRefs", Truth::kTrue, "ResolvedRefs", note}}});
  }
  return finding;
}

void remark_on_picking(const Inputs& inputs, const std::vector<Pool>& pools, std::vector<Remark>& remarks) {
  for (const Pool& pool : pools) {
    if (pool.picking.problem.empty() && !pool.picking.config) continue;
    const ObjectPtr object = object_of(inputs, pool);
    if (!object) continue;
    if (!pool.picking.problem.empty()) remarks.push_back({object, pool.picking.problem});
    if (!pool.picking.config) continue;
    for (const std::string& note : pool.picking.config->notes)
      remarks.push_back({object, "annotation " + std::string(kPickerConfigAnnotation) + ": " + note, false});
  }
}

void append(std::vector<Finding>& all, std::vector<Finding>&& more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

const Listener* Snapshot::listener(std::uint16_t port) const {
  const auto found =
      std::find_if(listeners.begin(), listeners.end(), [&](const Listener& l) { return l.port == port; });
  return found == listeners.end() ? nullptr : &*found;
}

ObjectPtr object_of(const Inputs& inputs, const Pool& pool) {
  const bool is_service = pool.kind == Pool::kService;
  for (const ObjectPtr& object : is_service ? inputs.services : inputs.inference_pools) {
    if (object->namespace_() != pool.namespace_ || object->name() != pool.name) continue;
    const std::string& version = object->api_version();
    if (is_service || pool.id.starts_with("InferencePool." + version.substr(0, version.find('/')) + " "))
      return object;
  }
  return nullptr;
}

Compiled compile(const Inputs& inputs) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->base_models = BaseModels(inputs.config_maps);
  snapshot->pools_enabled = pools_enabled(inputs.mesh_configs);
  PoolSet pools(inputs, snapshot->pools_enabled);
  const Credentials credentials(inputs.secrets, inputs.config_maps);
  const Grants grants(inputs.reference_grants);
  ListenerSet listeners = read_listeners(inputs, credentials, grants);
  RouteSet routes;
  add_https_redirects(listeners, routes);
  read_llm_routes(inputs, listeners, pools, routes);
  read_http_routes(inputs, grants, listeners, pools, routes);
  read_ingresses(inputs, credentials, listeners, pools, routes);

  std::vector<Finding> policies = apply_backend_tls(inputs, credentials, routes, pools);

  for (const auto& [port, plan] : listeners.ports) {
    Listener listener;
    listener.port = port;
    listener.bind.assign(plan.bind.begin(), plan.bind.end());
    listener.gateways.assign(plan.gateways.begin(), plan.gateways.end());
    if (plan.secure) listener.tls = plan_of(plan.tls);
    auto table = route::Table::build(std::move(routes.by_port[port]));
    TG_CHECK(table.has_value());  // every expression was tried when its route was read
    listener.routes = *std::move(table);
    snapshot->listeners.push_back(std::move(listener));
  }

  Compiled compiled;
  append(compiled.findings, std::move(listeners.findings));
  append(compiled.findings, std::move(routes.findings));
  append(compiled.findings, std::move(policies));
  for (const ObjectPtr& object : inputs.inference_pools) {
    const std::string& version = object->api_version();
    const std::uint32_t index =
        pools.find(version.substr(0, version.find('/')), object->namespace_(), object->name());
    if (index == PoolSet::kNone) continue;
    compiled.findings.push_back(pool_finding(object, snapshot->pools_enabled, pools.at(index).picking.problem,
                                             routes.pool_parents[index]));
  }
  append(compiled.findings, std::move(pools.unreadable));
  append(compiled.findings, std::move(pools.model_findings));
  append(compiled.findings, read_objectives(inputs, pools));
  append(compiled.findings, read_model_rewrites(inputs, pools));
  snapshot->pools = pools.take();
  mark_holding(inputs, snapshot->pools, compiled.remarks);
  mark_guarded(inputs, snapshot->pools, compiled.remarks);
  remark_on_picking(inputs, snapshot->pools, compiled.remarks);
  compiled.snapshot = std::move(snapshot);
  return compiled;
}

}  // namespace tidegate::gateway
