// What an installation of KServe keeps in its ConfigMap inferenceservice-config, as far as it matters here.
//
// Thread: a value.
// Source: kserve/kserve config/configmap/inferenceservice.yaml (ingress, deploy).

#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace tidegate::serving {

struct Settings {
  std::string domain_template = "{{.Name}}-{{.Namespace}}.{{.IngressDomain}}";
  std::string ingress_domain = "example.com";
  std::string ingress_class = "tidegate";
  // For the model formats vllm and huggingface where no ServingRuntime says otherwise.
  std::string engine_image = "vllm/vllm-openai";
  // Folders of this machine that hold what a storageUri names: "hf://Qwen/Qwen2.5-0.5B" -> "/srv/qwen". What
  // lies under a URI is found under its folder.
  std::map<std::string, std::string> storage;
};

// Errors: kInvalid if no host would come of the template, or the same one for two services.
Result<void> check(const Settings& settings);

// "qwen-chat-default.example.com".
std::string host_of(const Settings& settings, const std::string& name, const std::string& namespace_);

}  // namespace tidegate::serving
