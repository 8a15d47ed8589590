#include "gateway/attach.h"

#include <algorithm>
#include <tuple>

#include "base/ascii.h"

namespace tidegate::gateway {
namespace {

using resource::ListenerProtocol;
using Clients = net::TlsServerOptions::Clients;

bool is_http(ListenerProtocol protocol) {
  return protocol == ListenerProtocol::kHttp || protocol == ListenerProtocol::kHttp2 ||
         protocol == ListenerProtocol::kGrpc;
}

std::string name_of(const ObjectPtr& object) { return object->namespace_() + "/" + object->name(); }

const PortProblem* problem_of(const Inputs& inputs, std::uint16_t port) {
  for (const PortProblem& problem : inputs.port_problems) {
    if (problem.port == port) return &problem;
  }
  return nullptr;
}

// "*" and nothing are both any host.
std::string plain_host(std::string_view host) { return host == "*" ? std::string() : ascii::to_lower(host); }

void join(std::string& all, const std::string& one, const char* between = "; ") {
  all += (all.empty() ? "" : between) + one;
}

// A port speaks TLS or does not; who came first decides. Null if another Gateway wants it otherwise.
PortPlan* plan_for(ListenerSet& set, std::uint16_t port, bool secure) {
  PortPlan& plan = set.ports[port];
  if (!plan.gateways.empty() && plan.secure != secure) return nullptr;
  plan.secure = secure;
  return &plan;
}

std::string taken_message(const ListenerSet& set, std::uint16_t port) {
  const PortPlan& plan = set.ports.at(port);
  return "port " + std::to_string(port) + (plan.secure ? " speaks TLS" : " speaks plain HTTP") +
         " for Gateway " + *plan.gateways.begin() + "; use another port";
}

// Istio Gateways.

struct IstioHost {
  std::string host;
  std::string routes_namespace;
};

IstioHost istio_host(const std::string& text, const std::string& own_namespace) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return {plain_host(text), {}};
  const std::string namespace_ = text.substr(0, slash);
  IstioHost result{plain_host(text.substr(slash + 1)), namespace_ == "*" ? std::string() : namespace_};
  if (namespace_ == ".") result.routes_namespace = own_namespace;
  return result;
}

// Certificates of a server of SIMPLE, MUTUAL or OPTIONAL_MUTUAL. Errors: what to do about it.
Result<TlsPart> istio_tls(const resource::IstioServer& server, const std::string& namespace_,
                          const Credentials& credentials) {
  TlsPart part;
  if (server.credential_names.empty())
    return invalid("", "names certificates by file; put them into a Secret and name it as credentialName");
  for (const std::string& name : server.credential_names) {
    Result<net::KeyPair> pair = credentials.key_pair(namespace_, name);
    if (!pair) return tl::unexpected(pair.error());
    part.certificates.push_back(*std::move(pair));
  }
  if (server.tls == resource::TlsMode::kTerminate) return part;
  part.clients = server.tls == resource::TlsMode::kMutual ? Clients::kMustShow : Clients::kMayShow;
  // Istio looks into the Secret itself, then beside it.
  const std::string& name = server.credential_names.front();
  Result<std::string> authorities = credentials.authorities("Secret", namespace_, name + "-cacert");
  if (!authorities) authorities = credentials.authorities("Secret", namespace_, name);
  if (!authorities) return tl::unexpected(authorities.error());
  part.clients_authorities_pem = *std::move(authorities);
  return part;
}

// Where httpsRedirect leads: the Gateway's own port with TLS, else the well-known one.
std::uint16_t https_port_of(const resource::IstioGateway& gateway) {
  for (const resource::IstioServer& server : gateway.servers) {
    if (server.protocol == ListenerProtocol::kHttps) return server.port;
  }
  return 443;
}

// Errors: why the server is left out.
Result<void> read_istio_server(const resource::IstioServer& server, const resource::IstioGateway& gateway,
                               const ObjectPtr& object, const Credentials& credentials, ListenerSet& set) {
  const bool plain = is_http(server.protocol) && server.tls == resource::TlsMode::kNone;
  const bool secure =
      (is_http(server.protocol) || server.protocol == ListenerProtocol::kHttps) &&
      (server.tls == resource::TlsMode::kTerminate || server.tls == resource::TlsMode::kMutual ||
       server.tls == resource::TlsMode::kOptionalMutual);
  if (!plain && !secure)
    return invalid("",
                   "is of a protocol or tls mode that is not served; use HTTP, or HTTPS with tls mode "
                   "SIMPLE, MUTUAL or OPTIONAL_MUTUAL");
  Result<TlsPart> tls = secure ? istio_tls(server, object->namespace_(), credentials) : TlsPart();
  if (!tls) return tl::unexpected(tls.error());
  PortPlan* plan = plan_for(set, server.port, secure);
  if (!plan) return invalid("", taken_message(set, server.port));
  plan->gateways.insert(name_of(object));
  if (!server.bind.empty()) plan->bind.insert(server.bind);
  for (const std::string& text : server.hosts) {
    const IstioHost host = istio_host(text, object->namespace_());
    AttachPoint point;
    point.port = server.port;
    point.istio = true;
    point.namespace_ = object->namespace_();
    point.gateway = object->name();
    point.host = host.host;
    point.routes_namespace = host.routes_namespace;
    point.finding = set.findings.size();
    if (plain && server.https_redirect) point.https_redirect_to = https_port_of(gateway);
    tls->hosts.push_back(point.host);
    set.points.push_back(std::move(point));
  }
  if (secure) plan->tls.push_back(*std::move(tls));
  return {};
}

void read_istio(const ObjectPtr& object, const Inputs& inputs, const Credentials& credentials,
                ListenerSet& set) {
  Finding finding;
  finding.object = object;
  auto gateway = resource::IstioGateway::from(*object);
  if (!gateway) {
    finding.conditions = {{"Accepted", Truth::kFalse, "Invalid", describe(gateway.error())}};
    set.findings.push_back(std::move(finding));
    return;
  }
  std::string left_out;
  std::string problems;
  for (const resource::IstioServer& server : gateway->servers) {
    const Result<void> read = read_istio_server(server, *gateway, object, credentials, set);
    if (!read) {
      join(left_out, std::to_string(server.port) + ": " + read.error().message);
    } else if (const PortProblem* problem = problem_of(inputs, server.port)) {
      join(problems, problem->message);
    }
  }
  if (left_out.empty()) {
    finding.conditions.push_back({"Accepted", Truth::kTrue, "Accepted", "Every server is served"});
  } else {
    finding.conditions.push_back({"Accepted", Truth::kFalse, "UnsupportedProtocol",
                                  "The servers on these ports are left out: " + left_out});
  }
  if (problems.empty()) {
    finding.conditions.push_back({"Programmed", Truth::kTrue, "Programmed", "The ports are open"});
  } else {
    finding.conditions.push_back({"Programmed", Truth::kFalse, "PortUnavailable", problems});
  }
  set.findings.push_back(std::move(finding));
}

// Gateways of the Gateway API.

// What there is to say about a listener: a condition is None or False (Conflicted: True).
struct Verdict {
  std::optional<Condition> accepted;
  std::optional<Condition> conflicted;
  std::optional<Condition> refs;
  std::string not_programmed;  // why it serves nothing; empty: it does
  TlsPart tls;
};

bool takes_http_routes(const resource::GatewayListener& listener) {
  return listener.route_kinds.empty() || std::find(listener.route_kinds.begin(), listener.route_kinds.end(),
                                                   "HTTPRoute") != listener.route_kinds.end();
}

class GatewayReader {
 public:
  GatewayReader(const ObjectPtr& object, const Inputs& inputs, const Credentials& credentials,
                const Grants& grants, ListenerSet& set)
      : object_(object), inputs_(inputs), credentials_(credentials), grants_(grants), set_(set) {}

  void read() {
    Finding finding;
    finding.object = object_;
    auto gateway = resource::Gateway::from(*object_);
    if (!gateway) {
      finding.conditions = {{"Accepted", Truth::kFalse, "Invalid", describe(gateway.error())},
                            {"Programmed", Truth::kFalse, "Invalid", "The Gateway cannot be read"}};
      set_.findings.push_back(std::move(finding));
      return;
    }
    if (!inputs_.gateway_class.empty() && gateway->class_name != inputs_.gateway_class) return;
    gateway_ = *std::move(gateway);
    set_.gateways_known.insert(name_of(object_));
    finding.addresses = gateway_.addresses.empty() ? inputs_.default_addresses : gateway_.addresses;
    for (const resource::GatewayListener& listener : gateway_.listeners) take(listener, finding);
    conclude(finding);
    set_.findings.push_back(std::move(finding));
  }

 private:
  void take(const resource::GatewayListener& listener, Finding& finding) {
    Verdict verdict = judge(listener);
    if (verdict.not_programmed.empty()) {
      PortPlan& plan = *plan_for(set_, listener.port, listener.protocol == ListenerProtocol::kHttps);
      plan.gateways.insert(name_of(object_));
      plan.bind.insert(gateway_.addresses.begin(), gateway_.addresses.end());
      if (plan.secure) {
        verdict.tls.hosts = {plain_host(listener.hostname)};
        plan.tls.push_back(std::move(verdict.tls));
      }
      if (const PortProblem* problem = problem_of(inputs_, listener.port)) {
        verdict.accepted = {"Accepted", Truth::kFalse, "PortUnavailable", problem->message};
        join(problems_, problem->message);
      } else {
        ++programmed_;
      }
    }
    if (!verdict.accepted && !verdict.conflicted) ++accepted_;
    finding.listeners.push_back(finding_of(listener, verdict));
    if (verdict.conflicted || !takes_protocol(listener)) return;
    AttachPoint point;
    point.port = listener.port;
    point.namespace_ = object_->namespace_();
    point.gateway = object_->name();
    point.section = listener.name;
    point.host = plain_host(listener.hostname);
    point.from = listener.routes_from;
    point.from_selector = listener.namespaces;
    point.takes_http_routes = takes_http_routes(listener);
    point.served = verdict.not_programmed.empty();
    point.finding = set_.findings.size();
    point.listener_finding = finding.listeners.size() - 1;
    set_.points.push_back(std::move(point));
  }

  static bool takes_protocol(const resource::GatewayListener& listener) {
    return is_http(listener.protocol) || listener.protocol == ListenerProtocol::kHttps;
  }

  Verdict judge(const resource::GatewayListener& listener) {
    Verdict verdict;
    if (!takes_protocol(listener)) {
      verdict.accepted = {"Accepted", Truth::kFalse, "UnsupportedProtocol",
                          "Only the protocols HTTP and HTTPS are served"};
      verdict.not_programmed = verdict.accepted->message;
      return verdict;
    }
    // Equal port, protocol and hostname cannot occur: such a Gateway is refused when it is written.
    const bool mixed = std::ranges::any_of(gateway_.listeners, [&](const auto& other) {
      return other.port == listener.port && other.protocol != listener.protocol;
    });
    if (mixed) {
      verdict.conflicted = {
          "Conflicted", Truth::kTrue, "ProtocolConflict",
          "Another listener of this Gateway has the same port with another protocol; use another port"};
      verdict.not_programmed = verdict.conflicted->message;
      return verdict;
    }
    const bool secure = listener.protocol == ListenerProtocol::kHttps;
    if (secure) judge_certificates(listener, verdict);
    if (verdict.not_programmed.empty() && !plan_for(set_, listener.port, secure)) {
      verdict.accepted = {"Accepted", Truth::kFalse, "PortUnavailable", taken_message(set_, listener.port)};
      verdict.not_programmed = verdict.accepted->message;
    }
    return verdict;
  }

  // A certificate that cannot be had costs only itself while another can.
  void judge_certificates(const resource::GatewayListener& listener, Verdict& verdict) {
    const auto wrong = [&](const char* reason, std::string message) {
      if (!verdict.refs) verdict.refs = {"ResolvedRefs", Truth::kFalse, reason, std::move(message)};
    };
    for (const resource::SecretRef& ref : listener.certificates) {
      const std::string& namespace_ = ref.namespace_.empty() ? object_->namespace_() : ref.namespace_;
      if (!ref.group.empty() || ref.kind != "Secret") {
        wrong("InvalidCertificateRef",
              "tls.certificateRefs names kind " + ref.kind + " of group \"" + ref.group + "\"; use a Secret");
        continue;
      }
      const Grants::From from{resource::kGatewayApiGroup, "Gateway", object_->namespace_()};
      if (!grants_.allows(from, {"", "Secret", namespace_, ref.name})) {
        wrong("RefNotPermitted", "Secret " + namespace_ + "/" + ref.name +
                                     " is in another namespace, where no ReferenceGrant lets Gateways of " +
                                     object_->namespace_() + " use it; create one there");
        continue;
      }
      Result<net::KeyPair> pair = credentials_.key_pair(namespace_, ref.name);
      if (pair) {
        verdict.tls.certificates.push_back(*std::move(pair));
      } else {
        wrong("InvalidCertificateRef", pair.error().message);
      }
    }
    if (!verdict.tls.certificates.empty()) return;
    if (!verdict.refs) wrong("InvalidCertificateRef", "tls.certificateRefs is empty; name a Secret");
    verdict.not_programmed = verdict.refs->message;
  }

  static ListenerFinding finding_of(const resource::GatewayListener& listener, const Verdict& verdict) {
    ListenerFinding finding;
    finding.name = listener.name;
    if (takes_http_routes(listener) && takes_protocol(listener)) finding.supported_kinds = {"HTTPRoute"};
    const bool others = std::ranges::any_of(listener.route_kinds,
                                            [](const std::string& kind) { return kind != "HTTPRoute"; });
    finding.conditions.push_back(
        verdict.accepted.value_or(Condition{"Accepted", Truth::kTrue, "Accepted", ""}));
    std::string why = verdict.not_programmed;
    if (why.empty() && verdict.accepted) why = verdict.accepted->message;
    finding.conditions.push_back(why.empty() ? Condition{"Programmed", Truth::kTrue, "Programmed", ""}
                                             : Condition{"Programmed", Truth::kFalse, "Invalid", why});
    Condition refs{"ResolvedRefs", Truth::kTrue, "ResolvedRefs", ""};
    if (others) refs = {"ResolvedRefs", Truth::kFalse, "InvalidRouteKinds", "Only HTTPRoute may attach"};
    finding.conditions.push_back(verdict.refs.value_or(refs));
    finding.conditions.push_back(
        verdict.conflicted.value_or(Condition{"Conflicted", Truth::kFalse, "NoConflicts", ""}));
    return finding;
  }

  void conclude(Finding& finding) const {
    const bool all = accepted_ == gateway_.listeners.size();
    finding.conditions.push_back({"Accepted", accepted_ > 0 ? Truth::kTrue : Truth::kFalse,
                                  all ? "Accepted" : "ListenersNotValid",
                                  all ? "" : "Some listeners are not served; their own conditions say why"});
    if (!problems_.empty()) {
      finding.conditions.push_back({"Programmed", Truth::kFalse, "AddressNotUsable", problems_});
    } else if (programmed_ == 0) {
      finding.conditions.push_back({"Programmed", Truth::kFalse, "Invalid", "No listener is served"});
    } else {
      finding.conditions.push_back({"Programmed", Truth::kTrue, "Programmed", ""});
    }
  }

  const ObjectPtr& object_;
  const Inputs& inputs_;
  const Credentials& credentials_;
  const Grants& grants_;
  ListenerSet& set_;
  resource::Gateway gateway_;
  std::size_t accepted_ = 0;
  std::size_t programmed_ = 0;
  std::string problems_;
};

}  // namespace

ListenerSet read_listeners(const Inputs& inputs, const Credentials& credentials, const Grants& grants) {
  ListenerSet set;
  for (const ObjectPtr& object : inputs.istio_gateways) read_istio(object, inputs, credentials, set);
  for (const ObjectPtr& object : inputs.gateways)
    GatewayReader(object, inputs, credentials, grants, set).read();
  // Asked for by listeners that came to nothing.
  std::erase_if(set.ports, [](const auto& entry) { return entry.second.gateways.empty(); });
  return set;
}

std::optional<std::string> common_host(std::string_view a, std::string_view b) {
  if (a == "*") a = {};
  if (b == "*") b = {};
  if (a.empty() || a == b) return std::string(b);
  if (b.empty()) return std::string(a);
  // "*.test.com" covers every name that ends in ".test.com", wildcards included.
  const auto covers = [](std::string_view wide, std::string_view narrow) {
    return wide.starts_with("*.") && narrow.size() > wide.size() - 1 && narrow.ends_with(wide.substr(1));
  };
  if (covers(a, b)) return std::string(b);
  if (covers(b, a)) return std::string(a);
  return std::nullopt;
}

}  // namespace tidegate::gateway
