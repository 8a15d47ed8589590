// Columns of the core kinds.

#include <nlohmann/json.hpp>

#include "cluster/table/cells.h"
#include "resource/fields.h"

namespace tidegate::table {
namespace {

using resource::find;
using resource::flag;
using resource::text;

// How many keys the maps at these paths have together.
std::size_t keys(const Json& object, std::initializer_list<std::string_view> paths) {
  std::size_t count = 0;
  for (const std::string_view path : paths) {
    const Json* map = find(object, path);
    if (map != nullptr && map->is_object()) count += map->size();
  }
  return count;
}

std::string external_address(const Json& service) {
  const std::string type = text(service, "spec.type");
  std::vector<std::string> addresses;
  if (type == "LoadBalancer") {
    for (const Json& entry : items(service, "status.loadBalancer.ingress")) {
      addresses.push_back(text_or(entry, "ip", text(entry, "hostname")));
    }
  }
  for (const Json& address : items(service, "spec.externalIPs")) {
    if (address.is_string()) addresses.push_back(address.get<std::string>());
  }
  if (type == "ExternalName") addresses.push_back(text(service, "spec.externalName"));
  if (addresses.empty()) return type == "LoadBalancer" ? "<pending>" : kNone;
  return joined(addresses);
}

std::string service_ports(const Json& service) {
  std::vector<std::string> ports;
  for (const Json& port : items(service, "spec.ports")) {
    std::string one = std::to_string(number(port, "port"));
    if (number(port, "nodePort") > 0) one += ":" + std::to_string(number(port, "nodePort"));
    ports.push_back(one + "/" + text_or(port, "protocol", "TCP"));
  }
  return ports.empty() ? kNone : joined(ports);
}

Json service_cells(const Json& service, WallTime now) {
  return Json::array({name(service), text_or(service, "spec.type", "ClusterIP"),
                      text_or(service, "spec.clusterIP"), external_address(service), service_ports(service),
                      age(service, now), labels_text(find(service, "spec.selector"))});
}

std::string node_status(const Json& node) {
  const Json* ready = resource::condition(node, "Ready");
  std::string status = ready == nullptr ? "Unknown" : text(*ready, "status") == "True" ? "Ready" : "NotReady";
  if (flag(node, "spec.unschedulable")) status += ",SchedulingDisabled";
  return status;
}

std::string node_roles(const Json& node) {
  constexpr std::string_view kRole = "node-role.kubernetes.io/";
  std::vector<std::string> roles;
  for (const auto& [label, value] : resource::text_map(node, "metadata.labels")) {
    if (label.starts_with(kRole) && label.size() > kRole.size()) roles.push_back(label.substr(kRole.size()));
    if (label == "kubernetes.io/role" && !value.empty()) roles.push_back(value);
  }
  return roles.empty() ? kNone : joined(roles);
}

std::string node_address(const Json& node, std::string_view type) {
  for (const Json& address : items(node, "status.addresses")) {
    if (text(address, "type") == type) return text_or(address, "address");
  }
  return kNone;
}

Json node_cells(const Json& node, WallTime now) {
  return Json::array({name(node), node_status(node), node_roles(node), age(node, now),
                      text(node, "status.nodeInfo.kubeletVersion"), node_address(node, "InternalIP"),
                      node_address(node, "ExternalIP"), text_or(node, "status.nodeInfo.osImage", kUnknown),
                      text_or(node, "status.nodeInfo.kernelVersion", kUnknown),
                      text_or(node, "status.nodeInfo.containerRuntimeVersion", kUnknown)});
}

std::string ascii_lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Json event_cells(const Json& event, WallTime now) {
  // Events of a series count in the series, single ones may only have an eventTime.
  const std::string first = text_or(event, "firstTimestamp", text(event, "eventTime"));
  std::string last = text_or(event, "lastTimestamp", first);
  std::string count = text_or(event, "count", "1");
  if (find(event, "series") != nullptr) {
    last = text_or(event, "series.lastObservedTime", last);
    count = text_or(event, "series.count", count);
  }
  std::string source = text_or(event, "source.component", text(event, "reportingComponent"));
  const std::string host = text(event, "source.host");
  if (!host.empty()) source += ", " + host;
  std::string message = text(event, "message");
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  return Json::array(
      {since(last, now), text(event, "type"), text(event, "reason"),
       ascii_lower(text(event, "involvedObject.kind")) + "/" + text(event, "involvedObject.name"),
       text(event, "involvedObject.fieldPath"), source, message, since(first, now), count, name(event)});
}

std::string access_modes(const Json& object, std::string_view path) {
  std::vector<std::string> modes;
  for (const Json& mode : items(object, path)) {
    if (mode == "ReadWriteOnce") modes.emplace_back("RWO");
    if (mode == "ReadOnlyMany") modes.emplace_back("ROX");
    if (mode == "ReadWriteMany") modes.emplace_back("RWX");
    if (mode == "ReadWriteOncePod") modes.emplace_back("RWOP");
  }
  return joined(modes);
}

Json claim_cells(const Json& claim, WallTime now) {
  const bool bound = !text(claim, "spec.volumeName").empty();
  const bool goes = !text(claim, "metadata.deletionTimestamp").empty();
  return Json::array(
      {name(claim), goes ? "Terminating" : text(claim, "status.phase"), text(claim, "spec.volumeName"),
       bound ? text_or(claim, "status.capacity.storage", "0") : "",
       bound ? access_modes(claim, "status.accessModes") : "", text(claim, "spec.storageClassName"),
       text_or(claim, "spec.volumeAttributesClassName", kUnset), age(claim, now),
       text_or(claim, "spec.volumeMode", kUnset)});
}

Json volume_cells(const Json& volume, WallTime now) {
  const std::string claim = text(volume, "spec.claimRef.name");
  const bool goes = !text(volume, "metadata.deletionTimestamp").empty();
  return Json::array(
      {name(volume), text(volume, "spec.capacity.storage"), access_modes(volume, "spec.accessModes"),
       text(volume, "spec.persistentVolumeReclaimPolicy"),
       goes ? "Terminating" : text(volume, "status.phase"),
       claim.empty() ? "" : text(volume, "spec.claimRef.namespace") + "/" + claim,
       text(volume, "spec.storageClassName"), text_or(volume, "spec.volumeAttributesClassName", kUnset),
       text(volume, "status.reason"), age(volume, now), text_or(volume, "spec.volumeMode", kUnset)});
}

Json config_map_cells(const Json& map, WallTime now) {
  return Json::array({name(map), keys(map, {"data", "binaryData"}), age(map, now)});
}
Json secret_cells(const Json& secret, WallTime now) {
  return Json::array({name(secret), text(secret, "type"), keys(secret, {"data"}), age(secret, now)});
}
Json namespace_cells(const Json& space, WallTime now) {
  return Json::array({name(space), text(space, "status.phase"), age(space, now)});
}
Json account_cells(const Json& account, WallTime now) {
  return Json::array({name(account), items(account, "secrets").size(), age(account, now)});
}

}  // namespace

std::span<const Layout> core_layouts() {
  static const Layout kLayouts[] = {
      {"",
       "Service",
       {{"Name"}, {"Type"}, {"Cluster-IP"}, {"External-IP"}, {"Port(s)"}, {"Age"}, {"Selector", "string", 1}},
       service_cells},
      {"",
       "Node",
       {{"Name"},
        {"Status"},
        {"Roles"},
        {"Age"},
        {"Version"},
        {"Internal-IP", "string", 1},
        {"External-IP", "string", 1},
        {"OS-Image", "string", 1},
        {"Kernel-Version", "string", 1},
        {"Container-Runtime", "string", 1}},
       node_cells},
      {"",
       "Event",
       {{"Last Seen"},
        {"Type"},
        {"Reason"},
        {"Object"},
        {"Subobject", "string", 1},
        {"Source", "string", 1},
        {"Message"},
        {"First Seen", "string", 1},
        {"Count", "string", 1},
        {"Name", "string", 1}},
       event_cells},
      {"", "ConfigMap", {{"Name"}, {"Data", "integer"}, {"Age"}}, config_map_cells},
      {"", "Secret", {{"Name"}, {"Type"}, {"Data", "integer"}, {"Age"}}, secret_cells},
      {"", "Namespace", {{"Name"}, {"Status"}, {"Age"}}, namespace_cells},
      {"", "ServiceAccount", {{"Name"}, {"Secrets", "integer"}, {"Age"}}, account_cells},
      {"",
       "PersistentVolumeClaim",
       {{"Name"},
        {"Status"},
        {"Volume"},
        {"Capacity"},
        {"Access Modes"},
        {"StorageClass"},
        {"VolumeAttributesClass"},
        {"Age"},
        {"VolumeMode", "string", 1}},
       claim_cells},
      {"",
       "PersistentVolume",
       {{"Name"},
        {"Capacity"},
        {"Access Modes"},
        {"Reclaim Policy"},
        {"Status"},
        {"Claim"},
        {"StorageClass"},
        {"VolumeAttributesClass"},
        {"Reason"},
        {"Age"},
        {"VolumeMode", "string", 1}},
       volume_cells},
  };
  return kLayouts;
}

}  // namespace tidegate::table
