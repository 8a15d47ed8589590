#include "resource/backend_tls_policy.h"

#include "resource/gateway.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

BackendTLSPolicy read(Reader& root) {
  BackendTLSPolicy policy;
  Reader spec(root, "spec", Need::kRequired);
  spec.ignore({"options"});
  spec.each("targetRefs", {.min = 1, .max = 16, .need = Need::kRequired}, [&](Reader& item) {
    policy.targets.push_back(
        {item.text("group", {.max = 253}), item.text("kind", {.need = Need::kRequired, .syntax = kind_name}),
         item.text("name", {.need = Need::kRequired, .max = 253}), item.text("sectionName", {.max = 253})});
  });
  Reader validation(spec, "validation", Need::kRequired);
  validation.each("caCertificateRefs", {.max = 8}, [&](Reader& item) {
    policy.authorities.push_back({item.text("group", {.max = 253}),
                                  item.text("kind", {.need = Need::kRequired, .syntax = kind_name}),
                                  item.text("name", {.need = Need::kRequired, .max = 253})});
  });
  const std::string known = validation.text("wellKnownCACertificates");
  policy.system_authorities = known == "System";
  if (!known.empty() && !policy.system_authorities)
    validation.wrong("wellKnownCACertificates", "is \"" + known.substr(0, 40) + "\"; use System");
  policy.hostname = validation.text("hostname", {.need = Need::kRequired, .syntax = dns_subdomain});
  policy.names_others = validation.has("subjectAltNames");
  validation.ignore({"subjectAltNames"});
  const bool readable = known.empty() || policy.system_authorities;
  if (validation.present() && readable && policy.authorities.empty() == !policy.system_authorities) {
    validation.wrong(
        "caCertificateRefs",
        policy.system_authorities
            ? "is set beside wellKnownCACertificates; keep one of them"
            : "is missing; name a ConfigMap with ca.crt, or set wellKnownCACertificates: System");
  }
  return policy;
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

}  // namespace

Result<BackendTLSPolicy> BackendTLSPolicy::from(const Object& object) {
  return read_view(object.json(), read);
}

Kind backend_tls_policy_kind() {
  return {.group = kGatewayApiGroup,
          .kind = "BackendTLSPolicy",
          .plural = "backendtlspolicies",
          .singular = "backendtlspolicy",
          .versions = {"v1", "v1alpha3"},
          .short_names = {"btlspolicy"},
          .validate = validate};
}

}  // namespace tidegate::resource
