#include "gateway/endpoint_tls.h"

#include <gtest/gtest.h>

#include "gateway/snapshot.h"
#include "gateway/test_objects.h"
#include "net/certificate.h"

namespace tidegate::gateway {
namespace {

using resource::Json;

std::string authority() {
  static const Result<net::KeyPair> made =
      net::make_authority("test", WallTime(std::chrono::hours(24 * 20'000)), std::chrono::hours(24));
  return made->certificate_pem;
}

ObjectPtr config_map(const std::string& name, const std::string& pem) {
  return object(Json{{"apiVersion", "v1"},
                     {"kind", "ConfigMap"},
                     {"metadata", {{"name", name}}},
                     {"data", {{"ca.crt", pem}}}}
                    .dump());
}

ObjectPtr policy(const std::string& name, const std::string& targets, const std::string& refs = "[\"ca\"]",
                 const std::string& created = "2026-01-01T00:00:00Z") {
  Json authorities = Json::array();
  for (const Json& ref : Json::parse(refs))
    authorities.push_back({{"group", ""}, {"kind", "ConfigMap"}, {"name", ref}});
  return object(
      Json{{"apiVersion", "gateway.networking.k8s.io/v1"},
           {"kind", "BackendTLSPolicy"},
           {"metadata", {{"name", name}, {"creationTimestamp", created}}},
           {"spec",
            {{"targetRefs", Json::parse(targets)},
             {"validation", {{"caCertificateRefs", authorities}, {"hostname", name + ".internal"}}}}}}
          .dump());
}

const char* const kService = R"([{"group":"","kind":"Service","name":"svc"}])";
const char* const kPort = R"([{"group":"","kind":"Service","name":"svc","sectionName":"web"}])";

// A Service of two ports behind one Gateway.
Inputs inputs_with(std::vector<ObjectPtr> policies) {
  Inputs inputs;
  inputs.gateways = {object(
      R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"gw"},"spec":{"gatewayClassName":"tidegate","listeners":[{"name":"http","port":80,"protocol":"HTTP"}]}})")};
  inputs.http_routes = {object(
      R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"route"},"spec":{"parentRefs":[{"name":"gw"}],"rules":[{"backendRefs":[{"name":"svc","port":80},{"name":"svc","port":81}]}]}})")};
  inputs.services = {object(
      R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"svc"},"spec":{"selector":{"app":"web"},"ports":[{"name":"web","port":80},{"name":"other","port":81}]}})")};
  inputs.pods = {object(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"i"}]},"status":{"phase":"Running","podIP":"127.0.1.1","conditions":[{"type":"Ready","status":"True"}]}})")};
  inputs.config_maps = {config_map("ca", authority()), config_map("nonsense", "no certificate")};
  inputs.backend_tls_policies = std::move(policies);
  return inputs;
}

// The name that the port's endpoints must have; "plain", "nothing is sent".
std::string spoken(const Compiled& compiled, const std::string& port) {
  for (const Pool& pool : compiled.snapshot->pools) {
    if (pool.port_name != port) continue;
    if (!pool.tls) return "plain";
    return pool.endpoints.empty() ? "nothing is sent" : pool.tls->server_name;
  }
  return "no pool";
}

// "Accepted, ResolvedRefs" as reasons, of the policy's only ancestor.
std::string said(const Compiled& compiled, const ObjectPtr& object) {
  for (const Finding& finding : compiled.findings) {
    if (finding.object != object || finding.parents.size() != 1) continue;
    const auto& conditions = finding.parents[0].conditions;
    return conditions.at(0).reason + ", " + conditions.at(1).reason;
  }
  return "nothing";
}

TEST(EndpointTls, APolicyHoldsForAllPortsOfItsService) {
  const Inputs inputs = inputs_with({policy("a", kService)});
  const Compiled compiled = compile(inputs);
  EXPECT_EQ(spoken(compiled, "web"), "a.internal");
  EXPECT_EQ(spoken(compiled, "other"), "a.internal");
  EXPECT_EQ(said(compiled, inputs.backend_tls_policies[0]), "Accepted, ResolvedRefs");
}

TEST(EndpointTls, APolicyForThePortGoesBeforeAnOlderOneForTheService) {
  const Inputs inputs =
      inputs_with({policy("all", kService), policy("port", kPort, "[\"ca\"]", "2026-02-01T00:00:00Z")});
  const Compiled compiled = compile(inputs);
  EXPECT_EQ(spoken(compiled, "web"), "port.internal");
  EXPECT_EQ(spoken(compiled, "other"), "all.internal");
  EXPECT_EQ(said(compiled, inputs.backend_tls_policies[0]), "Accepted, ResolvedRefs");
  EXPECT_EQ(said(compiled, inputs.backend_tls_policies[1]), "Accepted, ResolvedRefs");
}

TEST(EndpointTls, OfTwoForTheSameTheOlderHolds) {
  const Inputs inputs =
      inputs_with({policy("new", kService, "[\"ca\"]", "2026-02-01T00:00:00Z"), policy("old", kService)});
  const Compiled compiled = compile(inputs);
  EXPECT_EQ(spoken(compiled, "web"), "old.internal");
  EXPECT_EQ(said(compiled, inputs.backend_tls_policies[0]), "Conflicted, ResolvedRefs");
  EXPECT_EQ(said(compiled, inputs.backend_tls_policies[1]), "Accepted, ResolvedRefs");
}

TEST(EndpointTls, WithoutAnyAuthorityNothingIsSent) {
  for (const char* refs : {R"(["absent"])", R"(["nonsense"])"}) {
    const Inputs inputs = inputs_with({policy("a", kService, refs)});
    const Compiled compiled = compile(inputs);
    EXPECT_EQ(spoken(compiled, "web"), "nothing is sent");
    EXPECT_EQ(said(compiled, inputs.backend_tls_policies[0]),
              "NoValidCACertificate, InvalidCACertificateRef");
  }
  const Inputs inputs = inputs_with({policy("a", kService, R"(["absent", "ca"])")});
  EXPECT_EQ(spoken(compile(inputs), "web"), "a.internal");
  EXPECT_EQ(said(compile(inputs), inputs.backend_tls_policies[0]), "Accepted, InvalidCACertificateRef");
}

TEST(EndpointTls, WhatNobodyNamesIsSpokenToInPlainText) {
  EXPECT_EQ(spoken(compile(inputs_with({policy("a", kPort)})), "other"), "plain");
  const char* const pool = R"([{"group":"inference.networking.k8s.io","kind":"InferencePool","name":"svc"}])";
  EXPECT_EQ(spoken(compile(inputs_with({policy("a", pool)})), "web"), "plain");
}

// Kind and name of the ancestor, and what it is told.
std::string told(const Inputs& inputs) {
  const Compiled compiled = compile(inputs);
  for (const Finding& finding : compiled.findings) {
    if (finding.object != inputs.backend_tls_policies[0] || finding.parents.size() != 1) continue;
    const ParentRef& parent = finding.parents[0].parent;
    const Condition& accepted = finding.parents[0].conditions.at(0);
    return parent.kind + " " + parent.name + ": " + accepted.reason +
           (accepted.message.empty() ? "" : ", " + accepted.message);
  }
  return "nothing";
}

TEST(EndpointTls, TheSameTargetTwiceIsNoConflict) {
  const char* const twice =
      R"([{"group":"","kind":"Service","name":"svc"},{"group":"","kind":"Service","name":"svc"},)"
      R"({"group":"","kind":"Service","name":"svc","sectionName":"web"}])";
  const Inputs inputs = inputs_with({policy("a", twice)});
  EXPECT_EQ(told(inputs), "Gateway gw: Accepted");
  EXPECT_EQ(spoken(compile(inputs), "web"), "a.internal");
}

TEST(EndpointTls, ATargetThatIsNotThereIsToldSo) {
  EXPECT_EQ(told(inputs_with({policy("a", R"([{"group":"","kind":"Service","name":"gone"}])")})),
            "Service gone: TargetNotFound, there is no Service default/gone");
  EXPECT_EQ(told(inputs_with(
                {policy("a", R"([{"group":"","kind":"Service","name":"svc","sectionName":"admin"}])")})),
            "Service svc: TargetNotFound, Service default/svc has no port named admin");
  EXPECT_EQ(told(inputs_with({policy(
                "a", R"([{"group":"inference.networking.k8s.io","kind":"InferencePool","name":"svc"}])")})),
            "InferencePool svc: TargetNotFound, there is no InferencePool default/svc of group "
            "inference.networking.k8s.io");
  EXPECT_EQ(told(inputs_with({policy("a", R"([{"group":"","kind":"Pod","name":"a"}])")})),
            "Pod a: Invalid, spec.targetRefs names Pod default/a; name a Service or an InferencePool");
}

TEST(EndpointTls, WhatNoRouteLeadsToIsToldItself) {
  Inputs inputs = inputs_with({policy("a", kService)});
  inputs.http_routes.clear();
  EXPECT_EQ(told(inputs), "Service svc: Accepted");
}

TEST(EndpointTls, AnIngressIsAnAncestorToo) {
  Inputs inputs = inputs_with({policy("a", kService)});
  inputs.http_routes.clear();
  inputs.ingress_port = 80;
  inputs.ingresses = {object(
      R"({"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"in"},"spec":{"defaultBackend":{"service":{"name":"svc","port":{"number":80}}}}})")};
  EXPECT_EQ(told(inputs), "Ingress in: Accepted");
  EXPECT_EQ(spoken(compile(inputs), "web"), "a.internal");
}

TEST(EndpointTls, AnEndpointIsAnotherOnceItsRulesChange) {
  const auto key = [](std::vector<ObjectPtr> policies) {
    return compile(inputs_with(std::move(policies))).snapshot->pools.at(0).endpoints.at(0).key;
  };
  EXPECT_NE(key({}), key({policy("a", kService)}));
  EXPECT_NE(key({policy("a", kService)}), key({policy("b", kService)}));
  EXPECT_EQ(key({policy("a", kService)}), key({policy("a", kService)}));
}

TEST(EndpointClients, AreSharedWhileInUse) {
  const Compiled compiled = compile(inputs_with({policy("a", kService)}));
  EndpointClients clients;
  const upstream::SecuredPtr first = clients.find(compiled.snapshot->pools.at(0));
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(clients.find(compiled.snapshot->pools.at(1)), first);
  EXPECT_EQ(clients.find(Pool{}), nullptr);
}

}  // namespace
}  // namespace tidegate::gateway
