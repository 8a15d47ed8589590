// Columns of what leads requests: Ingress, Gateway API, Istio, LLMRoute.

#include <nlohmann/json.hpp>

#include "cluster/table/cells.h"
#include "resource/fields.h"

namespace tidegate::table {
namespace {

using resource::find;
using resource::text;

std::vector<std::string> texts_of(const Json& object, std::string_view path) {
  std::vector<std::string> texts;
  for (const Json& item : items(object, path)) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

// A list as custom resources' columns show it: ["a","b"].
std::string as_json(const Json& object, std::string_view path) {
  const Json* list = resource::find_array(object, path);
  return list == nullptr ? std::string() : list->dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json ingress_cells(const Json& ingress, WallTime now) {
  std::vector<std::string> hosts;
  for (const Json& rule : items(ingress, "spec.rules")) {
    if (!text(rule, "host").empty()) hosts.push_back(text(rule, "host"));
  }
  std::vector<std::string> addresses;
  for (const Json& entry : items(ingress, "status.loadBalancer.ingress")) {
    addresses.push_back(text_or(entry, "ip", text(entry, "hostname")));
  }
  const bool tls = !items(ingress, "spec.tls").empty();
  return Json::array({name(ingress), text_or(ingress, "spec.ingressClassName"),
                      hosts.empty() ? "*" : joined(hosts), joined(addresses), tls ? "80, 443" : "80",
                      age(ingress, now)});
}

Json gateway_cells(const Json& gateway, WallTime now) {
  std::vector<std::string> addresses;
  for (const Json& address : items(gateway, "status.addresses")) addresses.push_back(text(address, "value"));
  return Json::array({name(gateway), text(gateway, "spec.gatewayClassName"), joined(addresses),
                      condition(gateway, "Programmed"), age(gateway, now)});
}

Json http_route_cells(const Json& route, WallTime now) {
  return Json::array({name(route), as_json(route, "spec.hostnames"), age(route, now)});
}

Json llm_route_cells(const Json& route, WallTime now) {
  const auto gateways = texts_of(route, "spec.gateways");
  return Json::array(
      {name(route), text(route, "spec.host"), age(route, now), gateways.empty() ? kNone : joined(gateways)});
}

}  // namespace

std::span<const Layout> route_layouts() {
  static const Layout kLayouts[] = {
      {"networking.k8s.io",
       "Ingress",
       {{"Name"}, {"Class"}, {"Hosts"}, {"Address"}, {"Ports"}, {"Age"}},
       ingress_cells},
      {"gateway.networking.k8s.io",
       "Gateway",
       {{"Name"}, {"Class"}, {"Address"}, {"Programmed"}, {"Age"}},
       gateway_cells},
      {"gateway.networking.k8s.io", "HTTPRoute", {{"Name"}, {"Hostnames"}, {"Age"}}, http_route_cells},
      {"istio.alibabacloud.com",
       "LLMRoute",
       {{"Name"}, {"Host"}, {"Age"}, {"Gateways", "string", 1}},
       llm_route_cells},
  };
  return kLayouts;
}

}  // namespace tidegate::table
