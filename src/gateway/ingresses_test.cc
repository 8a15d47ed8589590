#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gateway/snapshot.h"
#include "gateway/status.h"
#include "gateway/test_objects.h"
#include "resource/fields.h"

namespace tidegate::gateway {
namespace {

ObjectPtr pod(const std::string& app, const std::string& ip) {
  return object(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + app + R"(","labels":{"app":")" + app +
      R"("}},"spec":{"containers":[{"name":"c","image":"vllm","ports":[{"containerPort":8080}]}]},)" +
      R"("status":{"phase":"Running","podIP":")" + ip +
      R"(","conditions":[{"type":"Ready","status":"True"}]}})");
}

ObjectPtr service(const std::string& name) {
  return object(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")" + name +
                R"("},"spec":{"selector":{"app":")" + name +
                R"("},"ports":[{"name":"http","port":80,"targetPort":8080}]}})");
}

ObjectPtr ingress(const std::string& name, const std::string& spec, const std::string& annotations = "{}") {
  return object(R"({"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":")" + name +
                R"(","annotations":)" + annotations + R"(},"spec":)" + spec + "}");
}

std::string rule(const std::string& host, const std::string& path, const std::string& type,
                 const std::string& service, const std::string& port = R"({"number":80})") {
  return R"({"rules":[{"host":")" + host + R"(","http":{"paths":[{"path":")" + path + R"(","pathType":")" +
         type + R"(","backend":{"service":{"name":")" + service + R"(","port":)" + port + "}}}]}}]}";
}

Inputs inputs_with(std::vector<ObjectPtr> ingresses) {
  Inputs inputs;
  inputs.pods = {pod("qwen", "127.64.0.1"), pod("next", "127.64.0.2")};
  inputs.services = {service("qwen"), service("next")};
  inputs.ingresses = std::move(ingresses);
  inputs.ingress_port = 80;
  inputs.ingress_addresses = {"127.0.0.1"};
  return inputs;
}

const std::vector<http::Header> kNoHeaders;

route::Matched matched(const Compiled& compiled, const char* host, const char* path) {
  const Listener* listener = compiled.snapshot->listener(80);
  if (listener == nullptr) return {};
  return listener->routes.match({host, "POST", path, &kNoHeaders});
}

TEST(Ingresses, LeadAHostToTheServicesPods) {
  const Compiled compiled = compile(
      inputs_with({ingress("qwen-chat", rule("qwen-chat-default.example.com", "/", "Prefix", "qwen"))}));
  const auto found = matched(compiled, "qwen-chat-default.example.com", "/v1/chat/completions");
  ASSERT_TRUE(found);
  EXPECT_FALSE(found.names_path) << "\"/\" opens the inference APIs, not an engine's administration";
  const Pool* pool = compiled.snapshot->pool(found.rule->destinations[0].target);
  ASSERT_NE(pool, nullptr);
  ASSERT_EQ(pool->endpoints.size(), 1U);
  EXPECT_EQ(pool->endpoints[0].address, "127.64.0.1:8080");
  EXPECT_FALSE(matched(compiled, "other.example.com", "/"));
}

TEST(Ingresses, PathTypesAndNamedPorts) {
  const Compiled compiled = compile(inputs_with({
      ingress("exact", rule("h", "/a", "Exact", "qwen", R"({"name":"http"})")),
      ingress("prefix", rule("h", "/b/", "Prefix", "qwen")),
  }));
  EXPECT_TRUE(matched(compiled, "h", "/a"));
  EXPECT_FALSE(matched(compiled, "h", "/a/c"));
  EXPECT_TRUE(matched(compiled, "h", "/b"));
  EXPECT_TRUE(matched(compiled, "h", "/b/c"));
  EXPECT_FALSE(matched(compiled, "h", "/bc"));
  EXPECT_NE(compiled.snapshot->pool(matched(compiled, "h", "/a").rule->destinations[0].target), nullptr);
}

TEST(Ingresses, ACanaryTakesItsShare) {
  const Compiled compiled = compile(inputs_with({
      ingress(
          "qwen-canary", rule("h", "/", "Prefix", "next"),
          R"({"nginx.ingress.kubernetes.io/canary":"true","nginx.ingress.kubernetes.io/canary-weight":"20"})"),
      ingress("qwen", rule("h", "/", "Prefix", "qwen")),
  }));
  const auto found = matched(compiled, "h", "/");
  ASSERT_TRUE(found);
  ASSERT_EQ(found.rule->destinations.size(), 2U);
  EXPECT_EQ(found.rule->destinations[0].weight, 80U);
  EXPECT_EQ(found.rule->destinations[1].weight, 20U);
  EXPECT_EQ(compiled.snapshot->pool(found.rule->destinations[1].target)->name, "next");
}

TEST(Ingresses, ACanaryThatNobodyServesTakesNoShare) {
  Inputs inputs = inputs_with({
      ingress("qwen", rule("h", "/", "Prefix", "qwen")),
      ingress(
          "qwen-canary", rule("h", "/", "Prefix", "next"),
          R"({"nginx.ingress.kubernetes.io/canary":"true","nginx.ingress.kubernetes.io/canary-weight":"20"})"),
  });
  inputs.pods.pop_back();
  const Compiled compiled = compile(inputs);
  const auto found = matched(compiled, "h", "/");
  ASSERT_TRUE(found);
  ASSERT_EQ(found.rule->destinations.size(), 1U);
  EXPECT_EQ(found.rule->destinations[0].weight, 100U);
}

TEST(Ingresses, AServiceThatIsMissingIsAnErrorAndNoSilence) {
  const Compiled compiled = compile(inputs_with({ingress("lost", rule("h", "/", "Prefix", "nobody"))}));
  const auto found = matched(compiled, "h", "/");
  ASSERT_TRUE(found);
  EXPECT_EQ(found.rule->destinations[0].target, route::Destination::kBroken);
}

TEST(Ingresses, OtherClassesAreLeftAloneAndTheAddressIsWritten) {
  Inputs inputs = inputs_with(
      {ingress("ours", rule("h", "/", "Prefix", "qwen"), R"({"kubernetes.io/ingress.class":"tidegate"})"),
       ingress("theirs", rule("g", "/", "Prefix", "qwen"), R"({"kubernetes.io/ingress.class":"nginx"})")});
  inputs.gateway_class = "tidegate";
  const Compiled compiled = compile(inputs);
  EXPECT_TRUE(matched(compiled, "h", "/"));
  EXPECT_FALSE(matched(compiled, "g", "/"));
  ASSERT_EQ(compiled.findings.size(), 1U);
  const auto document = status_for(compiled.findings[0], WallTime{});
  ASSERT_NE(document, nullptr);
  EXPECT_EQ((*document)["status"]["loadBalancer"]["ingress"][0]["ip"], "127.0.0.1");
}

TEST(Ingresses, NonePortIsOpenedForThem) {
  Inputs inputs = inputs_with({ingress("a", rule("h", "/", "Prefix", "qwen"))});
  inputs.ingress_port = 0;
  EXPECT_TRUE(compile(inputs).snapshot->listeners.empty());
  EXPECT_TRUE(compile(inputs_with({})).snapshot->listeners.empty());
}

}  // namespace
}  // namespace tidegate::gateway
