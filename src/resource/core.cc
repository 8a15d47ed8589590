#include "resource/core.h"

#include <array>
#include <optional>
#include <set>

#include "base/base64.h"
#include "resource/defaults.h"

namespace tidegate::resource {
namespace {

constexpr IntegerRule kPort = {.min = 1, .max = kPortMax, .need = Need::kRequired};

Service read_service(Reader& root) {
  Service service;
  Reader spec(root, "spec");
  spec.open();
  static const std::vector<std::string_view> kTypes = {"ClusterIP", "NodePort", "LoadBalancer",
                                                       "ExternalName"};
  const int type = spec.choice_index("type", kTypes);
  if (type >= 0) service.type = kTypes[static_cast<std::size_t>(type)];
  service.selector = spec.text_map("selector", Need::kOptional, label_key, label_value);
  service.cluster_ip = spec.text("clusterIP");
  service.external_name = spec.text("externalName");
  service.publish_not_ready = spec.boolean("publishNotReadyAddresses").value_or(false);
  std::set<std::string> names;
  std::size_t listed = 0;
  spec.each("ports", {.max = 1000}, [&](Reader& item) {
    item.open();
    ServicePort port;
    port.name = item.text("name", {.syntax = dns_label});
    port.port = static_cast<std::uint16_t>(item.integer("port", kPort).value_or(0));
    port.target = item.int_or_text("targetPort", {.min = 1, .max = kPortMax}, port_name)
                      .value_or(IntOrText{port.port, {}});
    static const std::vector<std::string_view> kProtocols = {"TCP", "UDP", "SCTP"};
    const int protocol = item.choice_index("protocol", kProtocols);
    if (protocol >= 0) port.protocol = kProtocols[static_cast<std::size_t>(protocol)];
    port.node_port =
        static_cast<std::uint16_t>(item.integer("nodePort", {.min = 0, .max = kPortMax}).value_or(0));
    ++listed;
    if (!names.insert(port.name).second) {
      item.wrong("name", port.name.empty()
                             ? "is missing; a Service with several ports names each of them"
                             : "is \"" + port.name + "\" for the second time; use each name once");
    }
    service.ports.push_back(std::move(port));
  });
  if (spec.present() && listed == 0 && !spec.has("ports") && service.type != "ExternalName" &&
      service.cluster_ip != "None") {
    spec.wrong("ports", "is missing; name at least one port");
  }
  if (service.type == "ExternalName" && service.external_name.empty()) {
    spec.wrong("externalName", "is missing; type ExternalName needs it");
  }
  return service;
}

std::map<std::string, std::string> read_base64(Reader& root, std::string_view field) {
  std::map<std::string, std::string> result;
  for (auto& [key, text] : root.text_map(field, Need::kOptional, config_key)) {
    auto decoded = base64::decode(text);
    if (!decoded) {
      Reader map(root, field);
      map.open();
      map.wrong(key, "is not Base64; encode the value, or put it as it is into " +
                         std::string(field == "binaryData" ? "data" : "stringData"));
      continue;
    }
    result.emplace(key, *std::move(decoded));
  }
  return result;
}

// As Kubernetes bounds what ConfigMaps and Secrets hold. `field` is where it says so, in its own writing.
constexpr std::size_t kValuesMax = 1024 * 1024;

void bound_values(Reader& root, const char* field, std::size_t bytes) {
  if (bytes <= kValuesMax) return;
  root.findings().errors.push_back(Error{
      Code::kInvalid, field, "Too long: may not be more than " + std::to_string(kValuesMax) + " bytes"});
}

template <typename Values>
std::size_t bytes_of(const Values& values) {
  std::size_t bytes = 0;
  for (const auto& [key, value] : values) bytes += value.size();
  return bytes;
}

// What a ConfigMap holds, where it stands: every one that is written is looked at, and few are read.
struct ConfigMapView {
  TextViews data;
  std::map<std::string, std::string> binary_data;
  bool immutable = false;
};

ConfigMapView view_config_map(Reader& root) {
  ConfigMapView map;
  map.data = root.text_views("data", Need::kOptional, config_key);
  map.binary_data = read_base64(root, "binaryData");
  map.immutable = root.boolean("immutable").value_or(false);
  std::set<std::string_view> keys;
  if (!map.binary_data.empty()) {
    for (const auto& [key, value] : map.data) keys.insert(key);
  }
  for (const auto& [key, value] : map.binary_data) {
    if (keys.contains(key))
      root.wrong("binaryData", "has \"" + key + "\", which is in data too; keep one of them");
  }
  bound_values(root, "[]", bytes_of(map.data) + bytes_of(map.binary_data));
  return map;
}

ConfigMap read_config_map(Reader& root) {
  ConfigMapView view = view_config_map(root);
  return {.data = {view.data.begin(), view.data.end()},
          .binary_data = std::move(view.binary_data),
          .immutable = view.immutable};
}

Secret read_secret(Reader& root) {
  Secret secret;
  if (root.has("type")) secret.type = root.text("type");
  secret.data = read_base64(root, "data");
  for (auto& [key, value] : root.text_map("stringData", Need::kOptional, config_key))
    secret.data[key] = value;
  bound_values(root, "data", bytes_of(secret.data));
  secret.immutable = root.boolean("immutable").value_or(false);
  return secret;
}

Node read_node(Reader& root) {
  Node node;
  {
    Reader spec(root, "spec");
    spec.open();
    node.unschedulable = spec.boolean("unschedulable").value_or(false);
    node.provider_id = spec.text("providerID");
    spec.each("taints", {.max = 1000}, [&](Reader& item) {
      item.open();
      static const std::vector<std::string_view> kEffects = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
      const int effect = item.choice_index("effect", kEffects, Need::kRequired);
      node.taints.push_back(
          {.key = item.text("key", {.need = Need::kRequired, .syntax = label_key}),
           .value = item.text("value"),
           .effect = effect < 0 ? "" : std::string(kEffects[static_cast<std::size_t>(effect)])});
    });
  }
  Reader status(root, "status");
  status.open();
  node.capacity = status.quantities("capacity");
  node.allocatable = status.has("allocatable") ? status.quantities("allocatable") : node.capacity;
  node.conditions = read_conditions(status);
  status.each("addresses", {}, [&](Reader& item) {
    item.open();
    if (item.text("type") == "InternalIP" && node.internal_ip.empty())
      node.internal_ip = item.text("address");
  });
  return node;
}

EventView read_event(Reader& root) {
  EventView event;
  root.open();
  event.type = root.text("type");
  event.reason = root.text("reason");
  event.message = root.text("message");
  event.count = static_cast<int>(root.integer("count", {.min = 0, .max = kInt32Max}).value_or(1));
  event.first_seen = root.text("firstTimestamp");
  event.last_seen = root.text("lastTimestamp");
  Reader about(root, "involvedObject");
  about.open();
  event.about_kind = about.text("kind");
  event.about_namespace = about.text("namespace");
  event.about_name = about.text("name");
  event.about_uid = about.text("uid");
  Reader source(root, "source");
  source.open();
  event.source = source.text("component");
  return event;
}

struct Anything {};
Anything read_anything(Reader& root) {
  root.open();
  return {};
}

void set_service_defaults(Json& document) {
  Defaults spec = Defaults(document).at("spec");
  spec.set("type", "ClusterIP");
  spec.set("sessionAffinity", "None");
  spec.each("ports", [](Defaults port) { port.set("protocol", "TCP"); });
}

void set_secret_defaults(Json& document) { Defaults(document).set("type", "Opaque"); }

void set_namespace_defaults(Json& document) { Defaults(document).make("status").set("phase", "Active"); }

template <auto read>
void check(const Json& document, Findings& findings) {
  check_document(document, findings, read);
}

template <typename View>
Result<View> with_metadata(const Object& object, View (*read)(Reader&)) {
  auto view = read_view(object.json(), read);
  if (view) view->metadata = object.metadata();
  return view;
}

void refuse_change_of_immutable(const Json& before, const Json& after, std::vector<Error>& errors) {
  Findings findings;
  findings.refuse_unknown = false;
  Reader old_map(before, findings);
  Reader new_map(after, findings);
  if (!old_map.boolean("immutable").value_or(false)) return;
  for (const std::string_view field : {"data", "binaryData", "immutable"}) {
    if (old_map.raw(field) != new_map.raw(field)) {
      errors.push_back(
          {Code::kInvalid, std::string(field), "cannot change in an immutable object; create another one"});
    }
  }
}

}  // namespace

Result<Service> Service::from(const Object& object) { return with_metadata(object, read_service); }
Result<ConfigMap> ConfigMap::from(const Object& object) { return read_view(object.json(), read_config_map); }
Result<Secret> Secret::from(const Object& object) { return read_view(object.json(), read_secret); }
Result<Node> Node::from(const Object& object) { return with_metadata(object, read_node); }
Result<EventView> EventView::from(const Object& object) { return with_metadata(object, read_event); }

Kind service_kind() {
  return {.group = "",
          .kind = "Service",
          .plural = "services",
          .singular = "service",
          .versions = {"v1"},
          .short_names = {"svc"},
          .set_defaults = set_service_defaults,
          .validate = check<read_service>};
}

Kind config_map_kind() {
  return {.group = "",
          .kind = "ConfigMap",
          .plural = "configmaps",
          .singular = "configmap",
          .versions = {"v1"},
          .short_names = {"cm"},
          .has_status = false,
          .validate = check<view_config_map>,
          .validate_update = refuse_change_of_immutable};
}

Kind secret_kind() {
  return {.group = "",
          .kind = "Secret",
          .plural = "secrets",
          .singular = "secret",
          .versions = {"v1"},
          .short_names = {},
          .has_status = false,
          .set_defaults = set_secret_defaults,
          .validate = check<read_secret>,
          .validate_update = refuse_change_of_immutable};
}

Kind namespace_kind() {
  return {.group = "",
          .kind = "Namespace",
          .plural = "namespaces",
          .singular = "namespace",
          .versions = {"v1"},
          .short_names = {"ns"},
          .namespaced = false,
          .set_defaults = set_namespace_defaults,
          .validate = check<read_anything>};
}

Kind node_kind() {
  return {.group = "",
          .kind = "Node",
          .plural = "nodes",
          .singular = "node",
          .versions = {"v1"},
          .short_names = {"no"},
          .namespaced = false,
          .validate = check<read_node>};
}

Kind event_kind() {
  return {.group = "",
          .kind = "Event",
          .plural = "events",
          .singular = "event",
          .versions = {"v1"},
          .short_names = {"ev"},
          .has_status = false,
          .validate = check<read_event>};
}

Kind service_account_kind() {
  return {.group = "",
          .kind = "ServiceAccount",
          .plural = "serviceaccounts",
          .singular = "serviceaccount",
          .versions = {"v1"},
          .short_names = {"sa"},
          .has_status = false,
          .validate = check<read_anything>};
}

Kind lease_kind() {
  return {.group = "coordination.k8s.io",
          .kind = "Lease",
          .plural = "leases",
          .singular = "lease",
          .versions = {"v1"},
          .short_names = {},
          .has_status = false,
          .validate = check<read_anything>};
}

Kind endpoint_slice_kind() {
  return {.group = "discovery.k8s.io",
          .kind = "EndpointSlice",
          .plural = "endpointslices",
          .singular = "endpointslice",
          .versions = {"v1"},
          .short_names = {},
          .has_status = false,
          .validate = check<read_anything>};
}

}  // namespace tidegate::resource
