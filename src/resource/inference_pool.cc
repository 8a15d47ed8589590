#include "resource/inference_pool.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/ascii.h"
#include "resource/defaults.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr IntegerRule kPort = {.min = 1, .max = kPortMax, .need = Need::kRequired};

std::string_view group_or_empty(std::string_view text) { return text.empty() ? text : dns_subdomain(text); }

bool is_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view address = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
    if (address.find(':') == std::string_view::npos) return false;
  } else if (address.find(':') != std::string_view::npos) {
    return false;
  }
  unsigned port = 0;
  const auto parsed = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  return ip_address(address).empty() && parsed.ec == std::errc() &&
         parsed.ptr == port_text.data() + port_text.size() && port >= 1 &&
         port <= static_cast<unsigned>(kPortMax);
}

void read_annotations(Reader& root, InferencePool& pool) {
  Reader metadata(root, "metadata");
  metadata.open();
  Reader annotations(metadata, "annotations");
  annotations.open();
  const std::string listed = annotations.text(kEndpointsAnnotation);
  for (std::string_view rest = listed; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view entry = ascii::trim(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (entry.empty()) continue;
    if (!is_endpoint(entry)) {
      annotations.wrong(kEndpointsAnnotation, "has \"" + std::string(entry.substr(0, 80)) +
                                                  "\"; use addresses with ports like 10.0.0.7:8000 or "
                                                  "[fd00::7]:8000, with commas between them");
      continue;
    }
    pool.endpoints.emplace_back(entry);
  }
  if (annotations.has(kRoutingStrategyAnnotation)) {
    const int index = annotations.choice_index(kRoutingStrategyAnnotation, {"DEFAULT", "PREFIX_CACHE"});
    if (index >= 0) pool.routing_strategy = index == 0 ? "DEFAULT" : "PREFIX_CACHE";
  }
}

PickerRef read_picker_names(Reader& reader) {
  PickerRef ref;
  ref.group = reader.text("group", {.syntax = group_or_empty});
  if (reader.has("kind")) ref.kind = reader.text("kind", {.need = Need::kRequired, .syntax = kind_name});
  ref.name = reader.text("name", {.need = Need::kRequired, .max = 253});
  ref.fail_open = reader.choice<bool>("failureMode", {{"FailOpen", true}, {"FailClose", false}}, false);
  return ref;
}

InferencePool read_old(Reader& root) {
  InferencePool pool;
  read_annotations(root, pool);
  const bool first_version = root.text("apiVersion").ends_with("/v1alpha1");
  Reader spec(root, "spec", Need::kRequired);
  pool.selector = spec.text_map("selector", Need::kRequired, label_key, label_value);
  if (const auto port = spec.integer("targetPortNumber", kPort)) {
    pool.target_ports.push_back(static_cast<std::uint16_t>(*port));
  }
  Reader ref(spec, "extensionRef");
  if (ref.present()) {
    pool.picker = read_picker_names(ref);
    const auto port =
        ref.integer(first_version ? "targetPortNumber" : "portNumber", {.min = 1, .max = kPortMax});
    if (port) pool.picker->port = static_cast<std::uint16_t>(*port);
  }
  return pool;
}

InferencePool read_v1(Reader& root) {
  InferencePool pool;
  read_annotations(root, pool);
  Reader spec(root, "spec", Need::kRequired);
  {
    Reader selector(spec, "selector", Need::kRequired);
    pool.selector = selector.text_map("matchLabels", Need::kRequired, label_key, label_value);
    if (pool.selector.size() > 64) {
      selector.wrong("matchLabels", "has " + std::to_string(pool.selector.size()) + " labels; use 1 to 64");
    }
    if (selector.present() && selector.has("matchLabels") && pool.selector.empty() &&
        selector.findings().errors.empty()) {
      selector.wrong("matchLabels", "is empty; name at least one label of the pods");
    }
  }
  std::set<std::int64_t> seen;
  spec.each("targetPorts", {.min = 1, .max = 8, .need = Need::kRequired}, [&](Reader& item) {
    const auto port = item.integer("number", kPort);
    if (!port) return;
    if (!seen.insert(*port).second) {
      item.wrong("number", "is " + std::to_string(*port) + " for the second time; use each port once");
      return;
    }
    pool.target_ports.push_back(static_cast<std::uint16_t>(*port));
  });
  pool.h2c = spec.choice<bool>("appProtocol", {{"http", false}, {"kubernetes.io/h2c", true}}, false);
  Reader ref(spec, "endpointPickerRef");
  if (ref.present()) {
    pool.picker = read_picker_names(ref);
    Reader port(ref, "port");
    const auto number = port.integer("number", kPort);
    if (number) pool.picker->port = static_cast<std::uint16_t>(*number);
    if (!port.present() && pool.picker->kind == "Service") {
      ref.wrong("port", "is missing; a reference to a Service needs port.number");
    }
  }
  return pool;
}

void set_defaults_old(Json& document) {
  Defaults ref = Defaults(document).at("spec").at("extensionRef");
  ref.set("group", "");
  ref.set("kind", "Service");
  ref.set("failureMode", "FailClose");
}

void set_defaults_v1(Json& document) {
  Defaults ref = Defaults(document).at("spec").at("endpointPickerRef");
  ref.set("group", "");
  ref.set("kind", "Service");
  ref.set("failureMode", "FailClose");
}

void validate_old(const Json& document, Findings& findings) {
  check_document(document, findings, read_old);
}
void validate_v1(const Json& document, Findings& findings) {
  check_document(document, findings, read_v1);
}

}  // namespace

Result<InferencePool> InferencePool::from(const Object& object) {
  const bool old = object.api_version().starts_with(kInferenceGroupOld);
  return read_view(object.json(), old ? read_old : read_v1);
}

Kind inference_pool_kind() {
  return {.group = kInferenceGroup,
          .kind = "InferencePool",
          .plural = "inferencepools",
          .singular = "inferencepool",
          .versions = {"v1"},
          .short_names = {"infpool"},
          .set_defaults = set_defaults_v1,
          .validate = validate_v1};
}

Kind inference_pool_old_kind() {
  return {.group = kInferenceGroupOld,
          .kind = "InferencePool",
          .plural = "inferencepools",
          .singular = "inferencepool",
          .versions = {"v1alpha2", "v1alpha1"},
          .short_names = {"xinfpool"},
          .set_defaults = set_defaults_old,
          .validate = validate_old};
}

}  // namespace tidegate::resource
