#include "resource/gateway.h"

#include <set>
#include <tuple>

#include "base/ascii.h"
#include "resource/defaults.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr IntegerRule kPort = {.min = 1, .max = kPortMax, .need = Need::kRequired};

bool wants_tls(ListenerProtocol protocol) {
  return protocol == ListenerProtocol::kHttps || protocol == ListenerProtocol::kTls;
}

// Istio reads protocol names in any case.
ListenerProtocol read_istio_protocol(Reader& port) {
  const std::string text = ascii::to_lower(port.text("protocol", {.need = Need::kRequired}));
  if (text.empty() || text == "http") return ListenerProtocol::kHttp;
  if (text == "https") return ListenerProtocol::kHttps;
  if (text == "http2") return ListenerProtocol::kHttp2;
  if (text == "grpc" || text == "grpc-web") return ListenerProtocol::kGrpc;
  if (text == "tls") return ListenerProtocol::kTls;
  if (text == "tcp") return ListenerProtocol::kTcp;
  if (text == "mongo") return ListenerProtocol::kOther;
  port.wrong("protocol",
             "is \"" + text.substr(0, 40) + "\"; use HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP or MONGO");
  return ListenerProtocol::kOther;
}

// "[namespace/]dnsName"; the namespace may be "*" or ".".
std::string_view istio_host(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view space = text.substr(0, slash);
    if (space != "*" && space != "." && !dns_label(space).empty()) return "use host or namespace/host";
    text.remove_prefix(slash + 1);
  }
  return any_host(text);
}

void read_istio_tls(Reader& server, IstioServer& result) {
  Reader tls(server, "tls");
  tls.ignore({"subjectAltNames", "verifyCertificateSpki", "verifyCertificateHash", "minProtocolVersion",
              "maxProtocolVersion", "cipherSuites", "caCrl", "caCertCredentialName", "workloadSelector"});
  result.https_redirect = tls.boolean("httpsRedirect").value_or(false);
  result.server_certificate = tls.text("serverCertificate");
  result.private_key = tls.text("privateKey");
  result.ca_certificates = tls.text("caCertificates");
  const std::string one = tls.text("credentialName");
  result.credential_names = tls.texts("credentialNames", {.max = 2});
  if (!one.empty() && !result.credential_names.empty()) {
    tls.wrong("credentialNames", "is set beside credentialName; keep one of them");
  }
  if (!one.empty()) result.credential_names.insert(result.credential_names.begin(), one);
  tls.each("tlsCertificates", {}, [](Reader& item) { item.open(); });
  if (tls.present()) {
    const auto mode = tls.choice<TlsMode>("mode",
                                          {{"PASSTHROUGH", TlsMode::kPassthrough},
                                           {"SIMPLE", TlsMode::kTerminate},
                                           {"MUTUAL", TlsMode::kMutual},
                                           {"AUTO_PASSTHROUGH", TlsMode::kPassthrough},
                                           {"ISTIO_MUTUAL", TlsMode::kMutual},
                                           {"OPTIONAL_MUTUAL", TlsMode::kOptionalMutual}},
                                          TlsMode::kPassthrough);
    // A redirect alone leaves the port in plain text.
    if (wants_tls(result.protocol) || tls.has("mode")) result.tls = mode;
    if (result.https_redirect && !tls.has("mode")) result.tls = TlsMode::kNone;
  }
  if (wants_tls(result.protocol) && !tls.present()) {
    server.wrong("tls", "is missing; protocols HTTPS and TLS need it");
  }
  const bool terminates = result.tls == TlsMode::kTerminate || result.tls == TlsMode::kMutual ||
                          result.tls == TlsMode::kOptionalMutual;
  const bool has_files = !result.server_certificate.empty() && !result.private_key.empty();
  if (terminates && tls.present() && tls.text("mode") != "ISTIO_MUTUAL" && result.credential_names.empty() &&
      !has_files && !tls.has("tlsCertificates")) {
    tls.wrong("credentialName", "is missing; name a Secret, or set serverCertificate and privateKey");
  }
}

IstioGateway read_istio(Reader& root) {
  IstioGateway gateway;
  Reader spec(root, "spec", Need::kRequired);
  gateway.selector = spec.text_map("selector");
  std::set<std::string> names;
  spec.each("servers", {.min = 1, .need = Need::kRequired}, [&](Reader& item) {
    IstioServer server;
    server.name = item.text("name");
    if (!server.name.empty() && !names.insert(server.name).second) {
      item.wrong("name", "is \"" + server.name + "\" for the second time; use each name once");
    }
    item.ignore({"defaultEndpoint"});
    server.bind = item.text("bind");
    {
      Reader port(item, "port", Need::kRequired);
      server.port = static_cast<std::uint16_t>(port.integer("number", kPort).value_or(0));
      server.port_name = port.text("name", {.need = Need::kRequired});
      server.protocol = read_istio_protocol(port);
      port.integer("targetPort", {.min = 0, .max = kPortMax});
    }
    server.hosts = item.texts("hosts", {.min = 1, .need = Need::kRequired}, {.syntax = istio_host});
    read_istio_tls(item, server);
    gateway.servers.push_back(std::move(server));
  });
  return gateway;
}

void read_listener_tls(Reader& item, GatewayListener& listener) {
  Reader tls(item, "tls");
  tls.ignore({"options", "frontendValidation"});
  const auto mode = tls.choice<TlsMode>(
      "mode", {{"Terminate", TlsMode::kTerminate}, {"Passthrough", TlsMode::kPassthrough}},
      TlsMode::kTerminate);
  tls.each("certificateRefs", {.max = 64}, [&](Reader& ref) {
    SecretRef secret;
    secret.name = ref.text("name", {.need = Need::kRequired, .max = 253});
    secret.namespace_ = ref.text("namespace", {.syntax = dns_label});
    secret.group = ref.text("group", {.max = 253});
    if (ref.has("kind")) secret.kind = ref.text("kind", {.syntax = kind_name});
    listener.certificates.push_back(std::move(secret));
  });
  if (!tls.present()) {
    if (listener.protocol == ListenerProtocol::kHttps)
      item.wrong("tls", "is missing; protocol HTTPS needs it");
    return;
  }
  listener.tls = mode;
  if (!wants_tls(listener.protocol)) {
    item.wrong("tls", "is set; only protocols HTTPS and TLS take it");
  } else if (listener.protocol == ListenerProtocol::kHttps && mode == TlsMode::kPassthrough) {
    tls.wrong("mode", "is Passthrough; protocol HTTPS needs Terminate");
  } else if (mode == TlsMode::kTerminate && listener.certificates.empty() && !tls.has("options")) {
    tls.wrong("certificateRefs", "is empty; name at least one Secret");
  }
}

void read_allowed_routes(Reader& item, GatewayListener& listener) {
  Reader allowed(item, "allowedRoutes");
  {
    Reader namespaces(allowed, "namespaces");
    listener.routes_from = namespaces.choice<RoutesFrom>("from",
                                                         {{"Same", RoutesFrom::kSame},
                                                          {"All", RoutesFrom::kAll},
                                                          {"Selector", RoutesFrom::kSelector},
                                                          {"None", RoutesFrom::kNone}},
                                                         RoutesFrom::kSame);
    listener.namespaces =
        read_selector(namespaces, "selector",
                      listener.routes_from == RoutesFrom::kSelector ? Need::kRequired : Need::kOptional);
  }
  allowed.each("kinds", {.max = 8}, [&](Reader& kind) {
    const std::string group = kind.text("group", {.max = 253});
    const std::string name = kind.text("kind", {.need = Need::kRequired, .syntax = kind_name});
    const bool ours = group == kGatewayApiGroup || !kind.has("group");
    listener.route_kinds.push_back(ours ? name : name + "." + group);
  });
}

Gateway read_gateway(Reader& root) {
  Gateway gateway;
  Reader spec(root, "spec", Need::kRequired);
  spec.ignore({"infrastructure", "backendTLS", "allowedListeners", "tls", "defaultScope"});
  gateway.class_name = spec.text("gatewayClassName", {.need = Need::kRequired, .max = 253});
  std::set<std::string> names;
  std::set<std::tuple<std::uint16_t, ListenerProtocol, std::string>> places;
  spec.each("listeners", {.min = 1, .max = 64, .need = Need::kRequired}, [&](Reader& item) {
    GatewayListener listener;
    listener.name = item.text("name", {.need = Need::kRequired, .max = 253, .syntax = dns_subdomain});
    listener.hostname = item.text("hostname", {.syntax = hostname});
    listener.port = static_cast<std::uint16_t>(item.integer("port", kPort).value_or(0));
    // The API also lets others define protocols of their own ("example.com/ours").
    const std::string protocol = item.text("protocol", {.need = Need::kRequired, .max = 255});
    listener.protocol = protocol == "HTTP"    ? ListenerProtocol::kHttp
                        : protocol == "HTTPS" ? ListenerProtocol::kHttps
                        : protocol == "TLS"   ? ListenerProtocol::kTls
                        : protocol == "TCP"   ? ListenerProtocol::kTcp
                        : protocol == "UDP"   ? ListenerProtocol::kUdp
                                              : ListenerProtocol::kOther;
    if (listener.protocol == ListenerProtocol::kOther && !protocol.empty() &&
        protocol.find('/') == std::string::npos) {
      item.wrong("protocol", "is \"" + protocol.substr(0, 40) + "\"; use HTTP, HTTPS, TLS, TCP or UDP");
    }
    if (!listener.name.empty() && !names.insert(listener.name).second) {
      item.wrong("name", "is \"" + listener.name + "\" for the second time; use each name once");
    }
    if (!places.emplace(listener.port, listener.protocol, listener.hostname).second && listener.port != 0) {
      item.wrong({}, "has the port, protocol and hostname of another listener; make one of them differ");
    }
    read_listener_tls(item, listener);
    read_allowed_routes(item, listener);
    gateway.listeners.push_back(std::move(listener));
  });
  spec.each("addresses", {.max = 16}, [&](Reader& item) {
    const std::string type = item.text("type");
    std::string value = item.text("value");
    if ((type.empty() || type == "IPAddress") && !value.empty())
      gateway.addresses.push_back(std::move(value));
  });
  return gateway;
}

void set_gateway_defaults(Json& document) {
  Defaults(document).at("spec").each("listeners", [](Defaults listener) {
    listener.make("allowedRoutes").make("namespaces").set("from", "Same");
    listener.at("tls").set("mode", "Terminate");
    listener.at("tls").each("certificateRefs", [](Defaults ref) {
      ref.set("group", "");
      ref.set("kind", "Secret");
    });
  });
}

void validate_istio(const Json& document, Findings& findings) {
  check_document(document, findings, read_istio);
}
void validate_gateway(const Json& document, Findings& findings) {
  check_document(document, findings, read_gateway);
}

}  // namespace

Result<IstioGateway> IstioGateway::from(const Object& object) { return read_view(object.json(), read_istio); }
Result<Gateway> Gateway::from(const Object& object) { return read_view(object.json(), read_gateway); }

Kind istio_gateway_kind() {
  return {.group = kIstioGroup,
          .kind = "Gateway",
          .plural = "gateways",
          .singular = "gateway",
          .versions = {"v1", "v1beta1", "v1alpha3"},
          .short_names = {"gw"},
          .validate = validate_istio};
}

Kind gateway_kind() {
  return {.group = kGatewayApiGroup,
          .kind = "Gateway",
          .plural = "gateways",
          .singular = "gateway",
          .versions = {"v1", "v1beta1"},
          .short_names = {"gtw"},
          .set_defaults = set_gateway_defaults,
          .validate = validate_gateway};
}

}  // namespace tidegate::resource
