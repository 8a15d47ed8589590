// BackendTLSPolicy of the Gateway API: how the gateway speaks TLS to what it names.
//
// Thread: immutable once read; any thread.
// Source: kubernetes-sigs/gateway-api apis/v1/backendtlspolicy_types.go.

#pragma once

#include <string>
#include <vector>

#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::resource {

struct BackendTLSPolicy {
  struct Target {
    std::string group;
    std::string kind;
    std::string name;
    std::string section_name;  // a Service's port by its name; empty: all
  };
  struct CertificateRef {
    std::string group;
    std::string kind;
    std::string name;
  };
  std::vector<Target> targets;
  std::vector<CertificateRef> authorities;  // in ConfigMaps or Secrets, under ca.crt
  bool system_authorities = false;          // wellKnownCACertificates: System
  std::string hostname;                     // what the endpoint's certificate must name
  bool names_others = false;                // has subjectAltNames

  // Errors: kInvalid with the field.
  static Result<BackendTLSPolicy> from(const Object& object);
};

Kind backend_tls_policy_kind();

}  // namespace tidegate::resource
