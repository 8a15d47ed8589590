// Gateways: where the data plane listens. Two kinds of that name exist, Istio's and the Gateway API's; both
// are read here because one listener code serves both.
//
// Thread: immutable once read; any thread.
// Source: istio/api networking/v1alpha3/gateway.proto; kubernetes-sigs/gateway-api apis/v1/gateway_types.go.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resource/kind.h"
#include "resource/object.h"
#include "resource/selector.h"

namespace tidegate::resource {

inline constexpr std::string_view kIstioGroup = "networking.istio.io";
inline constexpr std::string_view kGatewayApiGroup = "gateway.networking.k8s.io";

enum class ListenerProtocol { kHttp, kHttps, kHttp2, kGrpc, kTls, kTcp, kUdp, kOther };

// How a listener treats TLS. kNone is plain text.
enum class TlsMode { kNone, kTerminate, kMutual, kOptionalMutual, kPassthrough };

struct SecretRef {
  std::string name;
  std::string namespace_;  // empty: the gateway's own
  std::string group = {};  // Gateway API lets others than Secrets be named
  std::string kind = "Secret";
};

// A server of an Istio Gateway.
struct IstioServer {
  std::string name;
  std::uint16_t port = 0;
  std::string port_name;
  ListenerProtocol protocol = ListenerProtocol::kHttp;
  std::string bind;                // address to listen on; empty: as the program is configured
  std::vector<std::string> hosts;  // "*", "test.com", "*.test.com", each optionally after "namespace/"
  TlsMode tls = TlsMode::kNone;
  bool https_redirect = false;
  std::vector<std::string> credential_names;  // Secrets
  std::string server_certificate;             // files, when no Secret is named
  std::string private_key;
  std::string ca_certificates;
};

struct IstioGateway {
  Labels selector;  // which gateway workloads this is for; empty: all
  std::vector<IstioServer> servers;

  // Errors: kInvalid with the field.
  static Result<IstioGateway> from(const Object& object);
};

enum class RoutesFrom { kSame, kAll, kSelector, kNone };

// A listener of a Gateway API Gateway.
struct GatewayListener {
  std::string name;
  std::string hostname;  // empty: any
  std::uint16_t port = 0;
  ListenerProtocol protocol = ListenerProtocol::kHttp;
  TlsMode tls = TlsMode::kNone;
  std::vector<SecretRef> certificates;
  RoutesFrom routes_from = RoutesFrom::kSame;
  LabelSelector namespaces;              // for kSelector
  std::vector<std::string> route_kinds;  // "HTTPRoute", "Kind.group" of other groups; empty: the protocol's
};

struct Gateway {
  std::string class_name;
  std::vector<GatewayListener> listeners;
  std::vector<std::string> addresses;  // of type IPAddress

  // Errors: kInvalid with the field.
  static Result<Gateway> from(const Object& object);
};

Kind istio_gateway_kind();
Kind gateway_kind();

}  // namespace tidegate::resource
