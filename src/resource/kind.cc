#include "resource/kind.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "resource/asm_mesh_config.h"
#include "resource/backend_tls_policy.h"
#include "resource/core.h"
#include "resource/custom_kind.h"
#include "resource/defaults.h"
#include "resource/gateway.h"
#include "resource/horizontal_pod_autoscaler.h"
#include "resource/http_route.h"
#include "resource/inference_model.h"
#include "resource/inference_objective.h"
#include "resource/inference_pool.h"
#include "resource/inference_service.h"
#include "resource/ingress.h"
#include "resource/installed.h"
#include "resource/llm_inference_service.h"
#include "resource/llm_route.h"
#include "resource/metadata.h"
#include "resource/node_pool.h"
#include "resource/persistent_volume.h"
#include "resource/pod.h"
#include "resource/pod_disruption_budget.h"
#include "resource/priority_class.h"
#include "resource/reader.h"
#include "resource/reference_grant.h"
#include "resource/resource_policy.h"
#include "resource/workload.h"

namespace tidegate::resource {

// A name without a group ("gateways") means the first kind here that answers to it.
std::span<const Kind> kinds() {
  static const std::vector<Kind> kKinds = [] {
    std::vector<Kind> all = {
        pod_kind(),
        service_kind(),
        config_map_kind(),
        secret_kind(),
        namespace_kind(),
        node_kind(),
        event_kind(),
        service_account_kind(),
        persistent_volume_kind(),
        persistent_volume_claim_kind(),
        pod_disruption_budget_kind(),
        deployment_kind(),
        replica_set_kind(),
        lease_kind(),
        endpoint_slice_kind(),
        priority_class_kind(),
        resource_policy_kind(),
        node_pool_kind(),
        inference_pool_old_kind(),
        inference_pool_kind(),
        inference_model_kind(),
        inference_objective_kind(kInferenceGroupOld),
        inference_objective_kind(kLlmdGroup),
        inference_model_rewrite_kind(kInferenceGroupOld),
        inference_model_rewrite_kind(kLlmdGroup),
        llm_route_kind(),
        asm_mesh_config_kind(),
        istio_gateway_kind(),
        gateway_kind(),
        http_route_kind(),
      reference_grant_kind(),
      backend_tls_policy_kind(),
        horizontal_pod_autoscaler_kind(),
        inference_service_kind(),
        serving_runtime_kind(),
        cluster_serving_runtime_kind(),
        llm_inference_service_kind(),
        ingress_kind(),
        ingress_class_kind(),
    };
    for (Kind& kind : installed_kinds()) all.push_back(std::move(kind));
    return all;
  }();
  return kKinds;
}

const Kind* find_kind(std::string_view api_version, std::string_view kind) {
  const std::size_t slash = api_version.find('/');
  const std::string_view group =
      slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
  const std::string_view version =
      slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
  for (const Kind& candidate : kinds()) {
    if (candidate.group == group && candidate.kind == kind &&
        std::find(candidate.versions.begin(), candidate.versions.end(), version) !=
            candidate.versions.end()) {
      return &candidate;
    }
  }
  return nullptr;
}

const Kind* find_kind_by_name(std::string_view name) {
  const std::size_t dot = name.find('.');
  const std::string_view word = name.substr(0, dot);
  std::string_view group = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  const auto answers = [&](const Kind& kind) {
    const auto is_word = [&](std::string_view candidate) {
      return ascii::equals_ignoring_case(candidate, word);
    };
    if (dot != std::string_view::npos && kind.group != group) {
      // kubectl also writes plural.version.group.
      const std::size_t second = group.find('.');
      const std::string_view version = group.substr(0, second);
      const bool versioned =
          second != std::string_view::npos && kind.group == group.substr(second + 1) &&
          std::find(kind.versions.begin(), kind.versions.end(), version) != kind.versions.end();
      if (!versioned) return false;
    }
    return is_word(kind.plural) || is_word(kind.singular) || is_word(kind.kind) ||
           std::any_of(kind.short_names.begin(), kind.short_names.end(), is_word);
  };
  const auto all = kinds();
  const auto found = std::find_if(all.begin(), all.end(), answers);
  return found == all.end() ? nullptr : &*found;
}

Result<const Kind*> kind_of(const Json& document) {
  Findings findings;
  std::string api_version;
  std::string kind_text;
  {
    Reader root(document, findings);
    root.open();
    api_version = root.text("apiVersion", {.need = Need::kRequired});
    kind_text = root.text("kind", {.need = Need::kRequired});
  }
  if (!findings.errors.empty()) return tl::unexpected(std::move(findings.errors.front()));
  if (const Kind* kind = find_kind(api_version, kind_text)) return kind;
  std::vector<std::string_view> names;
  for (const Kind& kind : kinds()) {
    if (kind.kind == kind_text) {
      return invalid("apiVersion", "is \"" + api_version.substr(0, 100) + "\"; " + kind_text +
                                       " is served in " + std::string(kind.group) +
                                       (kind.group.empty() ? "" : "/") + std::string(kind.versions.front()));
    }
    names.push_back(kind.kind);
  }
  const std::string_view meant = nearest(kind_text, names);
  return invalid("kind", "is \"" + kind_text.substr(0, 100) + "\" of " + api_version.substr(0, 100) +
                             ", which is not known here" +
                             (meant.empty() ? std::string() : "; did you mean " + std::string(meant) + "?"));
}

std::vector<Error> admit(const Kind& kind, Json& document) {
  std::vector<Error> errors;
  const CustomKind* custom = as_custom(kind);
  if (document.is_object()) {
    set_metadata_defaults(kind, document);
    if (custom != nullptr) custom->set_defaults_of(document);
    if (kind.set_defaults != nullptr) kind.set_defaults(document);
  }
  validate_metadata(kind, document, errors);
  if (custom != nullptr) custom->validate_all(document, errors);
  if (document.is_object() && kind.validate != nullptr) {
    Findings findings;
    kind.validate(document, findings);
    for (Error& error : findings.errors) errors.push_back(std::move(error));
  }
  return errors;
}

}  // namespace tidegate::resource
