#include "resource/asm_mesh_config.h"

#include <nlohmann/json.hpp>

#include "resource/reader.h"

namespace tidegate::resource {
namespace {

ASMMeshConfig read(Reader& root) {
  ASMMeshConfig config;
  {
    Reader metadata(root, "metadata");
    metadata.open();
    const std::string name = metadata.text("name");
    if (name != "default") {
      metadata.wrong("name",
                     "is \"" + name.substr(0, 80) + "\"; the mesh has one ASMMeshConfig, named default");
    }
  }
  Reader spec(root, "spec");
  spec.open();
  Reader extension(spec, "gatewayAPIInferenceExtension");
  config.inference_enabled = extension.boolean("enabled").value_or(true);
  return config;
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

}  // namespace

Result<ASMMeshConfig> ASMMeshConfig::from(const Object& object) { return read_view(object.json(), read); }

Kind asm_mesh_config_kind() {
  return {.group = "istio.alibabacloud.com",
          .kind = "ASMMeshConfig",
          .plural = "asmmeshconfigs",
          .singular = "asmmeshconfig",
          .versions = {"v1beta1"},
          .short_names = {},
          .namespaced = false,
          .validate = validate};
}

Json default_asm_mesh_config() {
  return {{"apiVersion", "istio.alibabacloud.com/v1beta1"},
          {"kind", "ASMMeshConfig"},
          {"metadata", {{"name", "default"}}},
          {"spec", Json::object()}};
}

}  // namespace tidegate::resource
