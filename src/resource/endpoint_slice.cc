#include "resource/endpoint_slice.h"

#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr std::size_t kEndpointsMax = 1000;  // as Kubernetes bounds one slice

EndpointSlice read(Reader& root) {
  EndpointSlice slice;
  const std::string type = root.text("addressType");
  slice.has_addresses = type == "IPv4" || type == "IPv6";
  root.each("endpoints", {.max = kEndpointsMax}, [&](Reader& item) {
    item.open();
    EndpointSlice::Endpoint endpoint;
    endpoint.addresses = item.texts("addresses", {.max = 100});
    Reader conditions(item, "conditions");
    conditions.open();
    endpoint.ready =
        conditions.boolean("ready").value_or(true) && !conditions.boolean("terminating").value_or(false);
    Reader target(item, "targetRef");
    target.open();
    if (target.text("kind") == "Pod") endpoint.pod = target.text("name");
    slice.endpoints.push_back(std::move(endpoint));
  });
  root.each("ports", {.max = 100}, [&](Reader& item) {
    item.open();
    const auto port = item.integer("port", {.min = 1, .max = kPortMax});
    const std::string protocol = item.text("protocol");
    if (port && (protocol.empty() || protocol == "TCP"))
      slice.ports.push_back({item.text("name"), static_cast<std::uint16_t>(*port)});
  });
  return slice;
}

}  // namespace

Result<EndpointSlice> EndpointSlice::from(const Object& object) {
  auto slice = read_view(object.json(), read);
  if (!slice) return slice;
  const auto& labels = object.metadata().labels;
  const auto named = labels.find("kubernetes.io/service-name");
  if (named != labels.end()) slice->service = named->second;
  return slice;
}

}  // namespace tidegate::resource
