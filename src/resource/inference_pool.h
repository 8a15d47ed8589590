// InferencePool: the pods that serve one base model, and how they are reached.
//
// Three schemas become one struct: inference.networking.x-k8s.io v1alpha1 and v1alpha2 (flat selector, one
// port, extensionRef) and inference.networking.k8s.io v1 (matchLabels, up to eight ports, endpointPickerRef).
// Each pod address with each port is an endpoint of its own.
//
// Thread: immutable once read; any thread.
// Source: kubernetes-sigs/gateway-api-inference-extension api/v1alpha1 @v0.1.0, api/v1alpha2 @v0.5.1, api/v1
// @v1.6.0.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resource/kind.h"
#include "resource/object.h"
#include "resource/selector.h"

namespace tidegate::resource {

inline constexpr std::string_view kInferenceGroup = "inference.networking.k8s.io";
inline constexpr std::string_view kInferenceGroupOld = "inference.networking.x-k8s.io";

// Endpoints named by hand: "10.0.0.7:8000, [fd00::7]:8000". They join those of the selected pods.
inline constexpr std::string_view kEndpointsAnnotation = "tidegate.dev/endpoints";
// Of the ACK gateway: DEFAULT (queue and cache load) or PREFIX_CACHE.
inline constexpr std::string_view kRoutingStrategyAnnotation =
    "inference.networking.x-k8s.io/routing-strategy";

struct PickerRef {
  std::string group;  // "" for core
  std::string kind = "Service";
  std::string name;
  std::uint16_t port = 9002;
  bool fail_open = false;
};

struct InferencePool {
  Labels selector;
  std::vector<std::uint16_t> target_ports;  // at least one
  bool h2c = false;                         // HTTP/2 without TLS towards the endpoints
  std::optional<PickerRef> picker;
  std::vector<std::string> endpoints;  // from the annotation, each "address:port"
  std::string routing_strategy;        // "", "DEFAULT" or "PREFIX_CACHE"

  bool selects_pod(const Labels& pod_labels) const { return selects(selector, pod_labels); }

  // Errors: kInvalid with the field.
  static Result<InferencePool> from(const Object& object);
};

Kind inference_pool_kind();      // inference.networking.k8s.io
Kind inference_pool_old_kind();  // inference.networking.x-k8s.io

}  // namespace tidegate::resource
