#include "resource/ingress.h"

#include <charconv>

#include "base/ascii.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

std::string_view absolute_path(std::string_view text) {
  return text.starts_with('/') ? std::string_view() : "use a path that begins with /";
}

IngressTarget read_target(Reader& reader) {
  IngressTarget target;
  if (reader.has("resource")) {
    reader.wrong("resource", "is not served here; use service");
    return target;
  }
  Reader service(reader, "service", Need::kRequired);
  target.service = service.text("name", {.need = Need::kRequired, .syntax = dns_label});
  Reader port(service, "port", Need::kRequired);
  target.port_name = port.text("name", {.max = 63});
  const Need need = target.port_name.empty() ? Need::kRequired : Need::kOptional;
  if (const auto number = port.integer("number", {.min = 1, .max = kPortMax, .need = need})) {
    target.port = static_cast<std::uint16_t>(*number);
  }
  return target;
}

IngressPath read_path(Reader& item) {
  IngressPath path;
  path.type =
      item.choice<IngressPath::Type>("pathType",
                                     {{"Exact", IngressPath::Type::kExact},
                                      {"Prefix", IngressPath::Type::kPrefix},
                                      {"ImplementationSpecific", IngressPath::Type::kImplementationSpecific}},
                                     IngressPath::Type::kPrefix, Need::kRequired);
  if (item.has("path")) path.path = item.text("path", {.max = 1024, .syntax = absolute_path});
  Reader target(item, "backend", Need::kRequired);
  path.target = read_target(target);
  return path;
}

IngressRule read_rule(Reader& item) {
  IngressRule rule;
  rule.host = ascii::to_lower(item.text("host", {.max = 253, .syntax = any_host}));
  Reader http(item, "http");
  http.each("paths", {.min = 1, .max = 1000, .need = Need::kRequired},
            [&](Reader& path) { rule.paths.push_back(read_path(path)); });
  return rule;
}

void read_annotations(Reader& root, Ingress& ingress) {
  Reader metadata(root, "metadata");
  metadata.open();
  Reader annotations(metadata, "annotations");
  annotations.open();
  ingress.class_name = annotations.text(kIngressClassAnnotation);
  if (annotations.text(kCanaryAnnotation) != "true") return;
  const std::string weight = annotations.text(kCanaryWeightAnnotation);
  std::uint32_t percent = 0;
  const auto parsed = std::from_chars(weight.data(), weight.data() + weight.size(), percent);
  if (!weight.empty() &&
      (parsed.ec != std::errc() || parsed.ptr != weight.data() + weight.size() || percent > 100)) {
    annotations.wrong(kCanaryWeightAnnotation, "is \"" + weight.substr(0, 20) + "\"; use 0 to 100");
  }
  ingress.canary_weight = percent;
}

Ingress read_ingress(Reader& root) {
  Ingress ingress;
  read_annotations(root, ingress);
  Reader spec(root, "spec", Need::kRequired);
  if (spec.has("ingressClassName"))
    ingress.class_name = spec.text("ingressClassName", {.syntax = dns_subdomain});
  if (spec.has("defaultBackend")) {
    Reader target(spec, "defaultBackend");
    ingress.default_target = read_target(target);
  }
  spec.each("rules", {.max = 1000}, [&](Reader& item) { ingress.rules.push_back(read_rule(item)); });
  spec.each("tls", {.max = 1000}, [&](Reader& item) {
    ingress.tls.push_back({item.texts("hosts"), item.text("secretName", {.syntax = dns_subdomain})});
  });
  if (spec.present() && ingress.rules.empty() && !ingress.default_target && spec.findings().errors.empty()) {
    spec.wrong("rules", "is missing, and so is defaultBackend; give one of them");
  }
  return ingress;
}

struct ClassView {};
ClassView read_class(Reader& root) {
  Reader spec(root, "spec");
  spec.text("controller", {.max = 250});
  spec.raw("parameters");
  return {};
}

void validate_ingress(const Json& document, Findings& findings) {
  check_document(document, findings, read_ingress);
}
void validate_class(const Json& document, Findings& findings) {
  check_document(document, findings, read_class);
}

}  // namespace

Result<Ingress> Ingress::from(const Object& object) {
  auto ingress = read_view(object.json(), read_ingress);
  if (ingress) ingress->metadata = object.metadata();
  return ingress;
}

Kind ingress_kind() {
  return {.group = "networking.k8s.io",
          .kind = "Ingress",
          .plural = "ingresses",
          .singular = "ingress",
          .versions = {"v1"},
          .short_names = {"ing"},
          .validate = validate_ingress};
}

Kind ingress_class_kind() {
  return {.group = "networking.k8s.io",
          .kind = "IngressClass",
          .plural = "ingressclasses",
          .singular = "ingressclass",
          .versions = {"v1"},
          .short_names = {},
          .namespaced = false,
          .has_status = false,
          .validate = validate_class};
}

}  // namespace tidegate::resource
