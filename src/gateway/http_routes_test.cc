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

}  // namespace
}  // namespace tidegate::gateway
