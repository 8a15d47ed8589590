// Files to documents to admission to typed views, and documents as patches to each other. Besides not
// crashing: what admission accepts, every view can read; and what was read survives being written and read
// again.

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/check.h"
#include "cluster/store/patch.h"
#include "cluster/store/rules.h"
#include "resource/asm_mesh_config.h"
#include "resource/core.h"
#include "resource/gateway.h"
#include "resource/http_route.h"
#include "resource/inference_model.h"
#include "resource/inference_pool.h"
#include "resource/json.h"
#include "resource/llm_route.h"
#include "resource/pod.h"
#include "resource/workload.h"
#include "resource/yaml.h"

namespace {

using namespace tidegate;
using resource::Json;

template <typename View>
void check_view(const resource::Object& object) {
  const auto view = View::from(object);
  TG_CHECK(view.has_value());
}

void check_views(const resource::Object& object) {
  const std::string& kind = object.kind();
  if (kind == "InferencePool") check_view<resource::InferencePool>(object);
  if (kind == "InferenceModel") check_view<resource::InferenceModel>(object);
  if (kind == "LLMRoute") check_view<resource::LLMRoute>(object);
  if (kind == "HTTPRoute") check_view<resource::HTTPRoute>(object);
  if (kind == "ASMMeshConfig") check_view<resource::ASMMeshConfig>(object);
  if (kind == "Deployment") check_view<resource::Deployment>(object);
  if (kind == "ReplicaSet") check_view<resource::ReplicaSet>(object);
  if (kind == "Service") check_view<resource::Service>(object);
  if (kind == "ConfigMap") check_view<resource::ConfigMap>(object);
  if (kind == "Secret") check_view<resource::Secret>(object);
  if (kind == "Gateway" && object.api_version().starts_with(resource::kIstioGroup)) {
    check_view<resource::IstioGateway>(object);
  } else if (kind == "Gateway") {
    check_view<resource::Gateway>(object);
  }
  // The status of a pod or node is not held to a schema here: these may fail, but not crash.
  if (kind == "Pod") (void)resource::Pod::from(object);
  if (kind == "Node") (void)resource::Node::from(object);
  if (kind == "Event") (void)resource::EventView::from(object);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)resource::parse_json(text);
  const auto documents = resource::parse_documents("fuzz.yaml", text);
  if (!documents) return 0;
  for (const resource::Document& document : *documents) {
    const auto again =
        resource::parse_json(resource::to_text(*document.json), 16 * resource::kObjectBytesMax);
    TG_CHECK(again.has_value() && cluster::same(*again, *document.json));
    const auto kind = resource::kind_of(*document.json);
    if (!kind) continue;
    Json admitted = *document.json;
    const auto errors = resource::admit(**kind, admitted);
    for (const Error& error : errors) TG_CHECK(!resource::locate(document, error).empty());
    const auto object = resource::Object::make(std::move(admitted));
    if (!errors.empty()) continue;
    // A resourceVersion or a timestamp of the wrong type is found by Object::make alone.
    if (object) check_views(**object);
  }
  if (documents->size() >= 2) {
    const Json& patch = *(*documents)[1].json;
    (void)cluster::apply_patch(cluster::PatchType::kMerge, *(*documents)[0].json, patch);
    (void)cluster::apply_patch(cluster::PatchType::kStrategic, *(*documents)[0].json, patch);
    const auto operations = patch.find("operations");
    if (operations != patch.end()) {
      (void)cluster::apply_patch(cluster::PatchType::kJson, *(*documents)[0].json, *operations);
    }
  }
  return 0;
}
