// What an installation of KServe keeps in its ConfigMap inferenceservice-config, as far as it matters here.
//
// Thread: a value.
// Source: kserve/kserve config/configmap/inferenceservice.yaml (ingress, deploy).

#pragma once

#include <string>

namespace tidegate::serving {

struct Settings {
  std::string domain_template = "{{.Name}}-{{.Namespace}}.{{.IngressDomain}}";
  std::string ingress_domain = "example.com";
  std::string ingress_class = "tidegate";
  // For the model formats vllm and huggingface where no ServingRuntime says otherwise.
  std::string engine_image = "vllm/vllm-openai";
};

// "qwen-chat-default.example.com".
std::string host_of(const Settings& settings, const std::string& name, const std::string& namespace_);

}  // namespace tidegate::serving
