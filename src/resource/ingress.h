// Ingress: hosts and paths that lead to Services, as KServe makes them for its services; and IngressClass,
// which says who serves them.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes networking.k8s.io/v1; ingress-nginx's canary annotations.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::resource {

inline constexpr std::string_view kIngressClassAnnotation = "kubernetes.io/ingress.class";  // the older way
// An Ingress beside another one of the same host and path, which takes a share in percent of its requests.
inline constexpr std::string_view kCanaryAnnotation = "nginx.ingress.kubernetes.io/canary";
inline constexpr std::string_view kCanaryWeightAnnotation = "nginx.ingress.kubernetes.io/canary-weight";

struct IngressTarget {
  std::string service;
  std::uint16_t port = 0;  // 0: by name
  std::string port_name;
};

struct IngressPath {
  enum class Type { kExact, kPrefix, kImplementationSpecific };
  Type type = Type::kPrefix;
  std::string path = "/";
  IngressTarget target;
};

struct IngressRule {
  std::string host;  // lower case; empty: any; "*.example.com" matches one label
  std::vector<IngressPath> paths;
};

struct IngressTls {
  std::vector<std::string> hosts;
  std::string secret;
};

struct Ingress {
  Metadata metadata;
  std::string class_name;  // empty: the default class
  std::optional<IngressTarget> default_target;
  std::vector<IngressRule> rules;
  std::vector<IngressTls> tls;
  std::optional<std::uint32_t> canary_weight;  // set: a canary, in percent

  // Errors: kInvalid with the field.
  static Result<Ingress> from(const Object& object);
};

Kind ingress_kind();
Kind ingress_class_kind();

}  // namespace tidegate::resource
