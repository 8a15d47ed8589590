#include <gtest/gtest.h>

#include "gateway/snapshot.h"
#include "gateway/test_objects.h"

namespace tidegate::gateway {
namespace {

ObjectPtr gateway_of(const std::string& listeners) {
  return object(
      R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"gw","namespace":"default"},
          "spec":{"gatewayClassName":"tidegate","listeners":)" +
      listeners + "}}");
}

ObjectPtr route_of(const std::string& rules, const std::string& namespace_ = "default") {
  return object(
      R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"route","namespace":")" +
      namespace_ + R"("},"spec":{"parentRefs":[{"name":"gw","namespace":"default"}],"rules":)" + rules +
      "}}");
}

ObjectPtr service_of(const std::string& name, const std::string& namespace_ = "default") {
  return object(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")" + name + R"(","namespace":")" +
                namespace_ + R"("},"spec":{"selector":{"app":")" + name +
                R"("},"ports":[{"name":"http","port":80,"targetPort":8000}]}})");
}

struct World {
  explicit World(const std::string& rules) {
    inputs.gateways = {gateway_of(R"([{"name":"http","port":80,"protocol":"HTTP"}])")};
    inputs.http_routes = {route_of(rules)};
    inputs.services = {service_of("a"), service_of("b")};
  }
  Inputs inputs;
  Compiled compiled;

  void compile() { compiled = gateway::compile(inputs); }

  route::Matched match(const std::string& target, const std::vector<http::Header>& headers = {}) {
    const Listener* listener = compiled.snapshot->listener(80);
    return listener ? listener->routes.match({"any.com", "GET", target, &headers}) : route::Matched();
  }

  // "type status reason" of the route's only parent.
  std::string condition(const std::string& type) {
    for (const Finding& finding : compiled.findings) {
      if (finding.object->kind() != "HTTPRoute" || finding.parents.empty()) continue;
      for (const Condition& condition : finding.parents[0].conditions) {
        if (condition.type == type)
          return (condition.status == Truth::kTrue ? "True " : "False ") + condition.reason;
      }
    }
    return "none";
  }
};

const std::string kToA = R"("backendRefs":[{"name":"a","port":80}])";

TEST(HttpRouteFilters, AreCompiledForTheirDestinations) {
  World world(R"([{"filters":[
      {"type":"RequestHeaderModifier","requestHeaderModifier":{"set":[{"name":"X-A","value":"1"}],"remove":["x-secret"]}},
      {"type":"ResponseHeaderModifier","responseHeaderModifier":{"add":[{"name":"X-B","value":"2"}]}},
      {"type":"URLRewrite","urlRewrite":{"hostname":"one.org","path":{"type":"ReplacePrefixMatch","replacePrefixMatch":"/v1"}}},
      {"type":"RequestMirror","requestMirror":{"backendRef":{"name":"b","port":80},"percent":50}}],
    "matches":[{"path":{"value":"/team"}}],
    "backendRefs":[{"name":"a","port":80,"filters":[
      {"type":"RequestHeaderModifier","requestHeaderModifier":{"add":[{"name":"X-A","value":"3"}]}}]}]}])");
  world.compile();
  EXPECT_EQ(world.condition("Accepted"), "True Accepted");
  const route::Matched matched = world.match("/team/x");
  ASSERT_TRUE(matched);
  EXPECT_EQ(matched.prefix, "/team");
  const route::FiltersPtr& filters = matched.rule->destinations[0].filters;
  ASSERT_NE(filters, nullptr);
  EXPECT_TRUE(filters->request.drops("X-Secret"));
  EXPECT_EQ(filters->request.all()[0].values, (std::vector<std::string>{"1", "3"}));
  EXPECT_EQ(filters->response.all()[0].values, (std::vector<std::string>{"2"}));
  EXPECT_EQ(filters->rewrite->host, "one.org");
  ASSERT_EQ(filters->mirrors.size(), 1U);
  EXPECT_EQ(filters->mirrors[0].numerator, 50U);
  EXPECT_EQ(world.compiled.snapshot->pool(filters->mirrors[0].target)->name, "b");
}

TEST(HttpRouteFilters, ARedirectNeedsNoBackend) {
  World world(
      R"([{"filters":[{"type":"RequestRedirect","requestRedirect":{"scheme":"https","statusCode":301}}]}])");
  world.compile();
  const route::Matched matched = world.match("/");
  ASSERT_TRUE(matched);
  ASSERT_NE(matched.rule->filters, nullptr);
  EXPECT_EQ(matched.rule->filters->redirect->status, 301);
  EXPECT_EQ(world.condition("ResolvedRefs"), "True ResolvedRefs");
}

TEST(HttpRouteFilters, NoEditTouchesTheFraming) {
  World world(R"([{"filters":[{"type":"RequestHeaderModifier","requestHeaderModifier":
      {"set":[{"name":"Content-Length","value":"0"}]}}],)" +
              kToA + "}]");
  world.compile();
  EXPECT_EQ(world.condition("Accepted"), "False UnsupportedValue");
  EXPECT_EQ(world.match("/").rule->destinations[0].target, route::Destination::kBroken);
}

TEST(HttpRouteFilters, AMirrorThatLeadsNowhereCostsOnlyItself) {
  World world(
      R"([{"filters":[{"type":"RequestMirror","requestMirror":{"backendRef":{"name":"none","port":80}}}],)" +
      kToA + "}]");
  world.compile();
  EXPECT_EQ(world.condition("Accepted"), "True Accepted");
  EXPECT_EQ(world.condition("ResolvedRefs"), "False BackendNotFound");
  EXPECT_NE(world.match("/").rule->destinations[0].target, route::Destination::kBroken);
}

ObjectPtr grant(const std::string& to, const std::string& from_namespace = "apps") {
  return object(
      R"({"apiVersion":"gateway.networking.k8s.io/v1beta1","kind":"ReferenceGrant","metadata":{"name":"g","namespace":"data"},
          "spec":{"from":[{"group":"gateway.networking.k8s.io","kind":"HTTPRoute","namespace":")" +
      from_namespace + R"("}],"to":)" + to + "}}");
}

// The conformance suite's cases for references across namespaces.
TEST(HttpRouteRefs, LeaveTheirNamespaceOnlyWithAGrant) {
  struct Case {
    std::vector<ObjectPtr> grants;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {{}, "False RefNotPermitted"},
      {{grant(R"([{"group":"","kind":"Service"}])")}, "True ResolvedRefs"},
      {{grant(R"([{"group":"","kind":"Service","name":"far"}])")}, "True ResolvedRefs"},
      {{grant(R"([{"group":"","kind":"Service","name":"other"}])")}, "False RefNotPermitted"},
      {{grant(R"([{"group":"","kind":"Secret"}])")}, "False RefNotPermitted"},
      {{grant(R"([{"group":"","kind":"Service"}])", "elsewhere")}, "False RefNotPermitted"},
      {{grant(R"([{"group":"","kind":"Secret"}])"), grant(R"([{"group":"","kind":"Service"}])")},
       "True ResolvedRefs"},
  };
  for (const Case& one : cases) {
    World world("[]");
    world.inputs.gateways = {gateway_of(
        R"([{"name":"http","port":80,"protocol":"HTTP","allowedRoutes":{"namespaces":{"from":"All"}}}])")};
    world.inputs.http_routes = {
        route_of(R"([{"backendRefs":[{"name":"far","namespace":"data","port":80}]}])", "apps")};
    world.inputs.services = {service_of("far", "data")};
    world.inputs.reference_grants = one.grants;
    world.compile();
    EXPECT_EQ(world.condition("ResolvedRefs"), one.expected);
    EXPECT_EQ(world.condition("Accepted"), "True Accepted");
    const bool leads_somewhere = world.match("/").rule->destinations[0].target != route::Destination::kBroken;
    EXPECT_EQ(leads_somewhere, one.expected == "True ResolvedRefs");
  }
}

TEST(HttpRouteRefs, AServiceWithoutPodsHasTheAddressesOfItsSlices) {
  World world(R"([{)" + kToA + "}]");
  const auto slice = [](const std::string& name, const std::string& type, const std::string& endpoints) {
    return object(R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":")" +
                  name +
                  R"(","namespace":"default","labels":{"kubernetes.io/service-name":"a"}},"addressType":")" +
                  type + R"(","endpoints":)" + endpoints +
                  R"(,"ports":[{"name":"other","port":1},{"name":"http","port":8000}]})");
  };
  world.inputs.endpoint_slices = {
      slice("one", "IPv4",
            R"([{"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"],"conditions":{"ready":false}},
                {"addresses":["10.0.0.3"],"conditions":{"ready":true,"terminating":true}},
                {"addresses":["10.0.0.4"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","name":"p"}}])"),
      slice("six", "IPv6", R"([{"addresses":["fd00::1"]}])"),
      slice("names", "FQDN", R"([{"addresses":["a.org"]}])"),
  };
  world.compile();
  const Pool* pool = world.compiled.snapshot->pool(world.match("/").rule->destinations[0].target);
  ASSERT_NE(pool, nullptr);
  ASSERT_EQ(pool->endpoints.size(), 3U);
  EXPECT_EQ(pool->endpoints[0].address, "10.0.0.1:8000");
  EXPECT_EQ(pool->endpoints[1].address, "10.0.0.4:8000");
  EXPECT_EQ(pool->endpoints[1].pod, "default/p");
  EXPECT_EQ(pool->endpoints[2].address, "[fd00::1]:8000");
}

// Which listener a route may use: the conformance suite's cases for parentRefs and allowedRoutes.
TEST(HttpRouteParents, AreAcceptedOrSayWhyNot) {
  struct Case {
    std::string listeners;
    std::string parent;
    std::string namespace_;
    std::string expected;
  };
  const std::string http = R"({"name":"http","port":80,"protocol":"HTTP")";
  const std::vector<Case> cases = {
      {"[" + http + "}]", R"({"name":"gw"})", "default", "True Accepted"},
      {"[" + http + "}]", R"({"name":"gw","sectionName":"http","port":80})", "default", "True Accepted"},
      {"[" + http + "}]", R"({"name":"gw","sectionName":"other"})", "default", "False NoMatchingParent"},
      {"[" + http + "}]", R"({"name":"gw","port":81})", "default", "False NoMatchingParent"},
      {"[" + http + "}]", R"({"name":"none"})", "default", "False NoMatchingParent"},
      {"[" + http + "}]", R"({"name":"gw","namespace":"default"})", "apps", "False NotAllowedByListeners"},
      {"[" + http + R"(,"allowedRoutes":{"namespaces":{"from":"All"}}}])",
       R"({"name":"gw","namespace":"default"})", "apps", "True Accepted"},
      {"[" + http + R"(,"allowedRoutes":{"namespaces":{"from":"None"}}}])", R"({"name":"gw"})", "default",
       "False NotAllowedByListeners"},
      {"[" + http +
           R"(,"allowedRoutes":{"namespaces":{"from":"Selector","selector":{"matchLabels":{"team":"a"}}}}}])",
       R"({"name":"gw","namespace":"default"})", "apps", "True Accepted"},
      {"[" + http +
           R"(,"allowedRoutes":{"namespaces":{"from":"Selector","selector":{"matchLabels":{"team":"b"}}}}}])",
       R"({"name":"gw","namespace":"default"})", "apps", "False NotAllowedByListeners"},
      {"[" + http + R"(,"allowedRoutes":{"kinds":[{"kind":"GRPCRoute"}]}}])", R"({"name":"gw"})", "default",
       "False NotAllowedByListeners"},
      {"[" + http + R"(,"hostname":"other.com"}])", R"({"name":"gw"})", "default",
       "False NoMatchingListenerHostname"},
      {"[" + http + R"(,"hostname":"*.com"}])", R"({"name":"gw"})", "default", "True Accepted"},
  };
  for (const Case& one : cases) {
    World world("[]");
    world.inputs.gateways = {gateway_of(one.listeners)};
    world.inputs.namespaces = {
        object(R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"apps","labels":{"team":"a"}}})")};
    world.inputs.http_routes = {object(
        R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"route","namespace":")" +
        one.namespace_ + R"("},"spec":{"hostnames":["test.com"],"parentRefs":[)" + one.parent +
        R"(],"rules":[{"backendRefs":[{"name":"a","port":80}]}]}})")};
    world.compile();
    EXPECT_EQ(world.condition("Accepted"), one.expected) << one.listeners << one.parent;
  }
}

}  // namespace
}  // namespace tidegate::gateway
