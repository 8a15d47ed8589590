#include "gateway/snapshot.h"

#include <gtest/gtest.h>

#include "gateway/attach.h"
#include "gateway/test_objects.h"

namespace tidegate::gateway {
namespace {

ObjectPtr pod(const std::string& name, const std::string& ip, const std::string& app = "vllm-llama2-7b-pool",
              bool ready = true, const std::string& args = R"(["--max-loras","4"])") {
  return object(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + R"(","labels":{"app":")" + app +
      R"("}},"spec":{"containers":[{"name":"lora","image":"vllm","args":)" + args +
      R"(,"ports":[{"name":"http","containerPort":8000}]}]},"status":{"phase":"Running","podIP":")" + ip +
      R"(","conditions":[{"type":"Ready","status":")" + (ready ? "True" : "False") + R"("}]}})");
}

ObjectPtr istio_gateway(const std::string& hosts = R"(["*"])",
                        const std::string& name = "llm-inference-gateway", int port = 8080) {
  return object(R"({"apiVersion":"networking.istio.io/v1beta1","kind":"Gateway","metadata":{"name":")" +
                name + R"("},"spec":{"selector":{"istio":"ingressgateway"},"servers":[{"hosts":)" + hosts +
                R"(,"port":{"name":"http-service","number":)" + std::to_string(port) +
                R"(,"protocol":"HTTP"}}]}})");
}

ObjectPtr pool(const std::string& annotations = "{}", const std::string& version = "v1alpha1") {
  return object(R"({"apiVersion":"inference.networking.x-k8s.io/)" + version +
                R"(","kind":"InferencePool","metadata":{"name":"vllm-llama2-7b-pool","annotations":)" +
                annotations +
                R"(},"spec":{"targetPortNumber":8000,"selector":{"app":"vllm-llama2-7b-pool"}}})");
}

ObjectPtr model(const std::string& name, const std::string& model_name, const std::string& targets,
                const std::string& extra = "", const std::string& created = "2026-01-01T00:00:00Z") {
  return object(
      R"({"apiVersion":"inference.networking.x-k8s.io/v1alpha1","kind":"InferenceModel","metadata":{"name":")" +
      name + R"(","creationTimestamp":")" + created + R"("},"spec":{"modelName":")" + model_name +
      R"(","poolRef":{"name":"vllm-llama2-7b-pool"},"targetModels":)" + targets + extra + "}}");
}

ObjectPtr llm_route(const std::string& rules, const std::string& more = "",
                    const std::string& host = "test.com", const std::string& name = "test-llm-route") {
  return object(R"({"apiVersion":"istio.alibabacloud.com/v1","kind":"LLMRoute","metadata":{"name":")" + name +
                R"("},"spec":{"host":")" + host + R"(")" + more + R"(,"rules":)" + rules + "}}");
}

const char* const kToPool =
    R"([{"backendRefs":[{"backendRef":{"group":"inference.networking.x-k8s.io","kind":"InferencePool","name":"vllm-llama2-7b-pool"}}]}])";

ObjectPtr http_route(const std::string& spec, const std::string& namespace_ = "default") {
  return object(
      R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"route","namespace":")" +
      namespace_ + R"("},"spec":)" + spec + "}");
}

ObjectPtr api_gateway(const std::string& listeners, const std::string& class_name = "tidegate") {
  return object(
      R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"gw"},"spec":{"gatewayClassName":")" +
      class_name + R"(","listeners":)" + listeners + "}}");
}

ObjectPtr mesh_config(const std::string& spec) {
  return object(
      R"({"apiVersion":"istio.alibabacloud.com/v1beta1","kind":"ASMMeshConfig","metadata":{"name":"default"},"spec":)" +
      spec + "}");
}

ObjectPtr service(const std::string& ports, const std::string& more = "") {
  return object(
      R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"svc"},"spec":{"selector":{"app":"web"},"ports":)" +
      ports + more + "}}");
}

const Finding* finding_of(const Compiled& compiled, const ObjectPtr& object) {
  for (const Finding& finding : compiled.findings) {
    if (finding.object == object) return &finding;
  }
  return nullptr;
}

// "True Accepted", of the object's own conditions or of its first parent's.
std::string condition(const Compiled& compiled, const ObjectPtr& object, const std::string& type) {
  const Finding* finding = finding_of(compiled, object);
  if (finding == nullptr) return "no finding";
  const auto& list = finding->parents.empty() ? finding->conditions : finding->parents.front().conditions;
  for (const Condition& c : list) {
    if (c.type != type) continue;
    return std::string(c.status == Truth::kTrue    ? "True"
                       : c.status == Truth::kFalse ? "False"
                                                   : "Unknown") +
           " " + c.reason;
  }
  return "no condition";
}

const Pool* answering_pool(const Compiled& compiled, std::uint16_t port, const std::string& host,
                           const std::string& target = "/v1/completions") {
  const Listener* listener = compiled.snapshot->listener(port);
  if (listener == nullptr) return nullptr;
  const std::vector<http::Header> headers;
  const route::Matched matched = listener->routes.match({host, "POST", target, &headers});
  if (!matched) return nullptr;
  const route::Destination* destination = route::draw(*matched.rule, 0);
  return destination == nullptr ? nullptr : compiled.snapshot->pool(destination->target);
}

Inputs tutorial() {
  Inputs inputs;
  inputs.istio_gateways = {istio_gateway()};
  inputs.llm_routes = {llm_route(kToPool, R"(,"gateways":["llm-inference-gateway"])")};
  inputs.inference_pools = {pool()};
  inputs.inference_models = {
      model("inferencemodel-sample", "lora-request",
            R"([{"name":"sql-lora","weight":10},{"name":"tweet-summary","weight":10}])")};
  inputs.mesh_configs = {mesh_config(R"({"gatewayAPIInferenceExtension":{"enabled":true}})")};
  inputs.pods = {pod("a", "127.0.1.1"), pod("b", "127.0.1.2")};
  return inputs;
}

TEST(Snapshot, TheTutorialCompiles) {
  const Inputs inputs = tutorial();
  const Compiled compiled = compile(inputs);
  const Snapshot& snapshot = *compiled.snapshot;
  ASSERT_EQ(snapshot.listeners.size(), 1U);
  EXPECT_EQ(snapshot.listeners[0].port, 8080);
  EXPECT_TRUE(snapshot.listeners[0].bind.empty());
  EXPECT_EQ(snapshot.listeners[0].gateways, (std::vector<std::string>{"default/llm-inference-gateway"}));

  const Pool* found = answering_pool(compiled, 8080, "test.com:8080");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->id, "InferencePool.inference.networking.x-k8s.io default/vllm-llama2-7b-pool");
  ASSERT_EQ(found->endpoints.size(), 2U);
  EXPECT_EQ(found->endpoints[0].address, "127.0.1.1:8000");
  EXPECT_EQ(found->endpoints[0].key, found->id + " 127.0.1.1:8000");
  EXPECT_EQ(found->endpoints[0].pod, "default/a");
  EXPECT_EQ(found->endpoints[0].max_loras, 4U);
  EXPECT_EQ(answering_pool(compiled, 8080, "other.com"), nullptr);

  const rewrite::ModelEntry* entry = found->models.find("lora-request");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->split.targets().size(), 2U);
  EXPECT_EQ(entry->criticality, pick::Criticality::kStandard);
  EXPECT_EQ(entry->created, 1767225600);

  EXPECT_EQ(condition(compiled, inputs.istio_gateways[0], "Programmed"), "True Programmed");
  EXPECT_EQ(condition(compiled, inputs.llm_routes[0], "Accepted"), "True Accepted");
  EXPECT_EQ(condition(compiled, inputs.llm_routes[0], "ResolvedRefs"), "True ResolvedRefs");
  EXPECT_EQ(condition(compiled, inputs.inference_pools[0], "Ready"), "True Ready");
  EXPECT_EQ(condition(compiled, inputs.inference_models[0], "Accepted"), "True Accepted");
}

TEST(Snapshot, NothingMakesNothing) {
  const Compiled compiled = compile({});
  EXPECT_TRUE(compiled.snapshot->listeners.empty());
  EXPECT_TRUE(compiled.findings.empty());
  EXPECT_EQ(compiled.snapshot->pool(0), nullptr);
}

TEST(Endpoints, OnlyReadyPodsOfThePoolServe) {
  Inputs inputs = tutorial();
  inputs.pods = {pod("b", "127.0.1.2"), pod("a", "127.0.1.1"), pod("other", "127.0.1.3", "other"),
                 pod("unready", "127.0.1.4", "vllm-llama2-7b-pool", false), pod("no-ip", "")};
  auto leaving = resource::Json(inputs.pods[0]->json());
  leaving["metadata"]["name"] = "leaving";
  leaving["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z";
  leaving["status"]["podIP"] = "127.0.1.9";
  inputs.pods.push_back(*resource::Object::make(leaving));
  const Pool found = compile(inputs).snapshot->pools.at(0);
  ASSERT_EQ(found.endpoints.size(), 2U);
  EXPECT_EQ(found.endpoints[0].pod, "default/a");
  EXPECT_EQ(found.endpoints[1].pod, "default/b");
}

TEST(Endpoints, TheAnnotationListsMoreAndNamesNoPod) {
  Inputs inputs = tutorial();
  inputs.inference_pools = {pool(
      R"({"tidegate.dev/endpoints":"10.0.0.6:8000, 10.0.0.5:8000,[fd00::7]:8000,127.0.1.1:8000","tidegate.dev/sticky-header":" X-User "})")};
  const auto snapshot = compile(inputs).snapshot;
  const Pool& found = snapshot->pools.at(0);
  std::vector<std::string> addresses;
  for (const Endpoint& endpoint : found.endpoints) addresses.push_back(endpoint.address);
  EXPECT_EQ(addresses, (std::vector<std::string>{"10.0.0.5:8000", "10.0.0.6:8000", "127.0.1.1:8000",
                                                 "127.0.1.2:8000", "[fd00::7]:8000"}));
  EXPECT_EQ(found.endpoints[2].pod, "default/a");  // given twice: the pod's
  EXPECT_EQ(found.endpoints[0].pod, "");
  EXPECT_EQ(found.sticky_header, "x-user");
}

TEST(Endpoints, TheNewerPoolHasSeveralPorts) {
  Inputs inputs = tutorial();
  const auto newer = object(
      R"({"apiVersion":"inference.networking.k8s.io/v1","kind":"InferencePool","metadata":{"name":"vllm-llama2-7b-pool"},
      "spec":{"selector":{"matchLabels":{"app":"vllm-llama2-7b-pool"}},"targetPorts":[{"number":8000},{"number":8001}],"appProtocol":"kubernetes.io/h2c",
      "endpointPickerRef":{"name":"epp","port":{"number":9002}}}})");
  inputs.inference_pools = {newer};
  const Compiled compiled = compile(inputs);
  const Pool& found = compiled.snapshot->pools.at(0);
  EXPECT_EQ(found.endpoints.size(), 4U);
  EXPECT_TRUE(found.http2);
  // The model's poolRef means the older group by default; the only pool of that name is meant.
  EXPECT_NE(found.models.find("lora-request"), nullptr);
  // The route said the older group and gets no guess.
  EXPECT_EQ(condition(compiled, inputs.llm_routes[0], "ResolvedRefs"), "False BackendNotFound");
  EXPECT_EQ(answering_pool(compiled, 8080, "test.com"), nullptr);
}

TEST(Endpoints, MaxLorasIsReadWhereverItIsWritten) {
  const auto read = [](const std::string& args) {
    return resource::Pod::from(*pod("a", "127.0.0.2", "x", true, args))
        .map([](const auto& p) { return max_loras_of(p.spec); })
        .value();
  };
  EXPECT_EQ(read(R"(["--max-loras","8"])"), 8U);
  EXPECT_EQ(read(R"(["--max-loras=8"])"), 8U);
  EXPECT_EQ(read(R"(["-c","exec vllm serve m --max-loras 8 --max-lora-rank 16"])"), 8U);
  EXPECT_EQ(read(R"(["--max-loras-x","8"])"), 0U);
  EXPECT_EQ(read(R"(["--max-loras"])"), 0U);
  EXPECT_EQ(read("[]"), 0U);
}

TEST(Switch, DisablingTurnsPoolsOffAndUnsetCountsAsOn) {
  Inputs inputs = tutorial();
  inputs.mesh_configs = {mesh_config(R"({"gatewayAPIInferenceExtension":{"enabled":false}})")};
  const Compiled off = compile(inputs);
  EXPECT_FALSE(off.snapshot->pools_enabled);
  EXPECT_TRUE(off.snapshot->pools.at(0).endpoints.empty());
  EXPECT_FALSE(off.snapshot->pools.at(0).enabled);
  EXPECT_NE(answering_pool(off, 8080, "test.com"), nullptr);
  EXPECT_EQ(condition(off, inputs.inference_pools[0], "Ready"), "False NotSupportedByParent");
  inputs.mesh_configs = {mesh_config("{}")};
  EXPECT_TRUE(compile(inputs).snapshot->pools_enabled);
  inputs.mesh_configs = {};
  EXPECT_TRUE(compile(inputs).snapshot->pools_enabled);
}

TEST(Models, TheOldestOfANameWinsAndThenTheName) {
  Inputs inputs = tutorial();
  const auto young = model("aaa", "lora-request", R"([{"name":"young"}])", "", "2026-02-01T00:00:00Z");
  const auto old_z = model("zzz", "lora-request", R"([{"name":"z"}])");
  const auto old_b = model("bbb", "lora-request", R"([{"name":"b"}])", R"(,"criticality":"Sheddable")");
  inputs.inference_models = {young, old_z, old_b};
  Compiled compiled = compile(inputs);
  EXPECT_EQ(condition(compiled, old_b, "Accepted"), "True Accepted");
  EXPECT_EQ(condition(compiled, old_z, "Accepted"), "False ModelNameInUse");
  EXPECT_EQ(condition(compiled, young, "Ready"), "False ModelNameInUse");
  const rewrite::ModelEntry* entry = compiled.snapshot->pools[0].models.find("lora-request");
  EXPECT_EQ(entry->split.targets()[0].model, "b");
  EXPECT_EQ(entry->criticality, pick::Criticality::kSheddable);
  // Deleting the winner promotes the next.
  inputs.inference_models = {young, old_z};
  compiled = compile(inputs);
  EXPECT_EQ(condition(compiled, old_z, "Accepted"), "True Accepted");
}

TEST(Models, WithoutTargetsTheNameIsItsOwnTarget) {
  Inputs inputs = tutorial();
  inputs.inference_models = {
      object(
          R"({"apiVersion":"inference.networking.x-k8s.io/v1alpha2","kind":"InferenceModel","metadata":{"name":"m"},"spec":{"modelName":"base","poolRef":{"name":"vllm-llama2-7b-pool"}}})"),
      model("reserved", "reserved", R"([{"name":"x","weight":0}])"),
      object(
          R"({"apiVersion":"inference.networking.x-k8s.io/v1alpha2","kind":"InferenceModel","metadata":{"name":"lost"},"spec":{"modelName":"lost","poolRef":{"name":"nowhere"}}})")};
  const Compiled compiled = compile(inputs);
  const rewrite::ModelTable& models = compiled.snapshot->pools[0].models;
  EXPECT_EQ(models.resolve("base", 5, nullptr).target->model, "base");
  EXPECT_EQ(models.resolve("reserved", 5, nullptr).kind, rewrite::Resolution::kReserved);
  EXPECT_EQ(models.find("lost"), nullptr);
  EXPECT_EQ(condition(compiled, inputs.inference_models[2], "Accepted"), "Unknown Pending");
}

TEST(LlmRoutes, AttachToTheGatewaysTheyName) {
  Inputs inputs = tutorial();
  inputs.istio_gateways = {istio_gateway(), istio_gateway(R"(["test.com"])", "other", 9090)};
  inputs.llm_routes = {llm_route(kToPool)};  // none named: all
  EXPECT_NE(answering_pool(compile(inputs), 9090, "test.com"), nullptr);
  inputs.llm_routes = {llm_route(kToPool, R"(,"gateways":["default/other"])")};
  EXPECT_NE(answering_pool(compile(inputs), 9090, "test.com"), nullptr);
  EXPECT_EQ(answering_pool(compile(inputs), 8080, "test.com"), nullptr);
  inputs.llm_routes = {llm_route(kToPool, R"(,"gateways":["mesh"])")};
  Compiled compiled = compile(inputs);
  EXPECT_EQ(condition(compiled, inputs.llm_routes[0], "Accepted"), "False NoMatchingParent");
  inputs.llm_routes = {llm_route(kToPool, R"(,"gateways":["other"])", "elsewhere.com")};
  EXPECT_EQ(condition(compile(inputs), inputs.llm_routes[0], "Accepted"), "False NoMatchingListenerHostname");
}

TEST(LlmRoutes, AGatewayMayAdmitOneNamespaceOnly) {
  Inputs inputs = tutorial();
  inputs.istio_gateways = {istio_gateway(R"(["./test.com"])")};
  EXPECT_NE(answering_pool(compile(inputs), 8080, "test.com"), nullptr);
  inputs.istio_gateways = {istio_gateway(R"(["elsewhere/*"])")};
  EXPECT_EQ(answering_pool(compile(inputs), 8080, "test.com"), nullptr);
}

TEST(LlmRoutes, WhatCannotHoldIsLeftOutAndSaid) {
  Inputs inputs = tutorial();
  inputs.llm_routes = {llm_route(
      R"([{"name":"labels","matches":[{"sourceLabels":{"app":"x"}}],"backendRefs":[{"providerHost":"dashscope.aliyuncs.com"}]},
                                     {"name":"default","backendRefs":[{"backendRef":{"group":"inference.networking.x-k8s.io","kind":"InferencePool","name":"gone"}}]}])")};
  const Compiled compiled = compile(inputs);
  EXPECT_EQ(condition(compiled, inputs.llm_routes[0], "Accepted"), "False UnsupportedValue");
  EXPECT_EQ(condition(compiled, inputs.llm_routes[0], "ResolvedRefs"), "False BackendNotFound");
  const std::vector<http::Header> headers;
  const route::Matched matched =
      compiled.snapshot->listener(8080)->routes.match({"test.com", "POST", "/", &headers});
  ASSERT_TRUE(matched);
  EXPECT_EQ(matched.rule->name, "default");
  EXPECT_EQ(route::draw(*matched.rule, 0)->target, route::Destination::kBroken);
}

TEST(LlmRoutes, ABrokenExpressionCostsOnlyItsRule) {
  Inputs inputs = tutorial();
  const std::string refs = std::string(kToPool).substr(2, std::string(kToPool).size() - 4);
  inputs.llm_routes = {llm_route(R"([{"name":"bad","matches":[{"headers":{"x":{"regex":"("}}}],)" + refs +
                                 R"(},{"name":"good",)" + refs + "}]")};
  const Compiled compiled = compile(inputs);
  EXPECT_EQ(condition(compiled, inputs.llm_routes[0], "Accepted"), "False UnsupportedValue");
  EXPECT_NE(answering_pool(compiled, 8080, "test.com"), nullptr);
}

Inputs gateway_api(const std::string& listeners, const std::string& route) {
  Inputs inputs = tutorial();
  inputs.istio_gateways.clear();
  inputs.llm_routes.clear();
  inputs.inference_pools = {pool("{}", "v1alpha2")};
  inputs.gateways = {api_gateway(listeners)};
  inputs.http_routes = {http_route(route)};
  return inputs;
}

const char* const kHttpToPool =
    R"({"parentRefs":[{"name":"gw"}],"hostnames":["test.com"],"rules":[{"backendRefs":[{"group":"inference.networking.x-k8s.io","kind":"InferencePool","name":"vllm-llama2-7b-pool","port":9999}]}]})";

TEST(HttpRoutes, AttachAndCount) {
  const Inputs inputs = gateway_api(R"([{"name":"http","port":80,"protocol":"HTTP"}])", kHttpToPool);
  const Compiled compiled = compile(inputs);
  EXPECT_NE(answering_pool(compiled, 80, "test.com"), nullptr);
  EXPECT_EQ(condition(compiled, inputs.http_routes[0], "Accepted"), "True Accepted");
  const Finding* gateway = finding_of(compiled, inputs.gateways[0]);
  ASSERT_EQ(gateway->listeners.size(), 1U);
  EXPECT_EQ(gateway->listeners[0].attached_routes, 1U);
  EXPECT_EQ(condition(compiled, inputs.gateways[0], "Programmed"), "True Programmed");
  const Finding* pool_finding = finding_of(compiled, inputs.inference_pools[0]);
  ASSERT_EQ(pool_finding->parents.size(), 1U);
  EXPECT_EQ(pool_finding->parents[0].parent.name, "gw");
  EXPECT_EQ(pool_finding->parents[0].parent.group, "gateway.networking.k8s.io");
}

TEST(HttpRoutes, SayWhyTheyDoNotAttach) {
  const auto accepted = [](const std::string& listeners, const std::string& route) {
    const Inputs inputs = gateway_api(listeners, route);
    return condition(compile(inputs), inputs.http_routes[0], "Accepted");
  };
  const std::string route = kHttpToPool;
  EXPECT_EQ(accepted(R"([{"name":"http","port":80,"protocol":"HTTP","hostname":"*.test.com"}])", route),
            "False NoMatchingListenerHostname");
  EXPECT_EQ(
      accepted(
          R"([{"name":"http","port":80,"protocol":"HTTP","allowedRoutes":{"kinds":[{"kind":"GRPCRoute"}]}}])",
          route),
      "False NotAllowedByListeners");
  const auto with_parent = [&](const std::string& parent) {
    return R"({"parentRefs":[)" + parent + route.substr(route.find(R"(],"hostnames")"));
  };
  EXPECT_EQ(accepted(R"([{"name":"http","port":80,"protocol":"HTTP"}])",
                     with_parent(R"({"name":"gw","sectionName":"https"})")),
            "False NoMatchingParent");
  EXPECT_EQ(
      accepted(R"([{"name":"http","port":80,"protocol":"HTTP"}])", with_parent(R"({"name":"gw","port":81})")),
      "False NoMatchingParent");
  EXPECT_EQ(accepted(R"([{"name":"http","port":80,"protocol":"HTTP"}])", with_parent(R"({"name":"none"})")),
            "False NoMatchingParent");
}

TEST(HttpRoutes, ForeignGatewaysAreLeftAlone) {
  Inputs inputs = gateway_api(R"([{"name":"http","port":80,"protocol":"HTTP"}])", kHttpToPool);
  inputs.gateways = {api_gateway(R"([{"name":"http","port":80,"protocol":"HTTP"}])", "istio")};
  inputs.gateway_class = "tidegate";
  const Compiled compiled = compile(inputs);
  EXPECT_TRUE(compiled.snapshot->listeners.empty());
  EXPECT_EQ(finding_of(compiled, inputs.gateways[0]), nullptr);
  EXPECT_TRUE(finding_of(compiled, inputs.http_routes[0])->parents.empty());
}

TEST(HttpRoutes, NamespacesAreAdmittedByTheListener) {
  Inputs inputs = gateway_api(
      R"([{"name":"http","port":80,"protocol":"HTTP","allowedRoutes":{"namespaces":{"from":"Selector","selector":{"matchLabels":{"team":"a"}}}}}])",
      kHttpToPool);
  EXPECT_EQ(condition(compile(inputs), inputs.http_routes[0], "Accepted"), "False NotAllowedByListeners");
  inputs.namespaces = {object(
      R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"default","labels":{"team":"a"}}})")};
  EXPECT_EQ(condition(compile(inputs), inputs.http_routes[0], "Accepted"), "True Accepted");
}

TEST(HttpRoutes, BrokenReferencesKeepTheirShare) {
  const auto resolved = [](const std::string& ref) {
    Inputs inputs = gateway_api(R"([{"name":"http","port":80,"protocol":"HTTP"}])",
                                R"({"parentRefs":[{"name":"gw"}],"rules":[{"backendRefs":[)" + ref + "]}]}");
    inputs.services = {service(R"([{"port":80}])")};
    const Compiled compiled = compile(inputs);
    const std::vector<http::Header> headers;
    const route::Matched matched = compiled.snapshot->listener(80)->routes.match({"h", "GET", "/", &headers});
    EXPECT_EQ(route::draw(*matched.rule, 0)->target == route::Destination::kBroken,
              condition(compiled, inputs.http_routes[0], "ResolvedRefs") != "True ResolvedRefs");
    return condition(compiled, inputs.http_routes[0], "ResolvedRefs");
  };
  EXPECT_EQ(resolved(R"({"name":"svc","port":80})"), "True ResolvedRefs");
  EXPECT_EQ(resolved(R"({"name":"svc","port":81})"), "False BackendNotFound");
  EXPECT_EQ(resolved(R"({"name":"none","port":80})"), "False BackendNotFound");
  EXPECT_EQ(resolved(R"({"name":"svc","port":80,"namespace":"other"})"), "False RefNotPermitted");
  EXPECT_EQ(resolved(R"({"group":"example.com","kind":"Bucket","name":"svc"})"), "False InvalidKind");
  EXPECT_EQ(resolved(R"({"group":"inference.networking.k8s.io","kind":"InferencePool","name":"none"})"),
            "False BackendNotFound");
}

TEST(HttpRoutes, ServicesBecomePoolsOfTheirPods) {
  Inputs inputs =
      gateway_api(R"([{"name":"http","port":80,"protocol":"HTTP"}])",
                  R"({"parentRefs":[{"name":"gw"}],"rules":[{"backendRefs":[{"name":"svc","port":80}]}]})");
  inputs.pods = {pod("w", "127.0.2.1", "web"), pod("x", "127.0.2.2", "other")};
  inputs.services = {service(R"([{"port":80,"targetPort":"http"}])")};
  Compiled compiled = compile(inputs);
  const Pool* found = answering_pool(compiled, 80, "h");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->kind, Pool::kService);
  EXPECT_EQ(found->id, "Service default/svc:80");
  ASSERT_EQ(found->endpoints.size(), 1U);
  EXPECT_EQ(found->endpoints[0].address, "127.0.2.1:8000");
  inputs.services = {service(R"([{"port":80}])")};
  compiled = compile(inputs);
  EXPECT_EQ(answering_pool(compiled, 80, "h")->endpoints[0].address, "127.0.2.1:80");
}

TEST(HttpRoutes, AFilterThatIsNotOursIsNeverSkipped) {
  Inputs inputs = gateway_api(
      R"([{"name":"http","port":80,"protocol":"HTTP"}])",
      R"({"parentRefs":[{"name":"gw"}],"rules":[{"filters":[{"type":"ExtensionRef","extensionRef":{"group":"a.b","kind":"Filter","name":"x"}}],
      "backendRefs":[{"group":"inference.networking.x-k8s.io","kind":"InferencePool","name":"vllm-llama2-7b-pool"}]}]})");
  const Compiled compiled = compile(inputs);
  EXPECT_EQ(condition(compiled, inputs.http_routes[0], "Accepted"), "False UnsupportedValue");
  EXPECT_EQ(answering_pool(compiled, 80, "h"), nullptr);
}

TEST(Gateways, AListenerThatCannotBeServedCostsOnlyItself) {
  Inputs inputs = gateway_api(
      R"([{"name":"a","port":80,"protocol":"HTTP"},{"name":"b","port":80,"protocol":"HTTPS","tls":{"certificateRefs":[{"name":"x"}]}},
          {"name":"c","port":81,"protocol":"HTTP"}])",
      kHttpToPool);
  const Compiled compiled = compile(inputs);
  ASSERT_EQ(compiled.snapshot->listeners.size(), 1U);
  EXPECT_EQ(compiled.snapshot->listeners[0].port, 81);
  EXPECT_EQ(condition(compiled, inputs.gateways[0], "Accepted"), "True ListenersNotValid");
  const auto& listeners = finding_of(compiled, inputs.gateways[0])->listeners;
  EXPECT_EQ(listeners[0].conditions.back().reason, "ProtocolConflict");
  EXPECT_EQ(listeners[1].conditions.back().reason, "ProtocolConflict");
  EXPECT_EQ(listeners[2].conditions.front().reason, "Accepted");
}

TEST(Gateways, AnOpenPortThatFailedIsSaid) {
  Inputs inputs = tutorial();
  inputs.port_problems = {{8080, "port 8080 is in use"}};
  const Compiled compiled = compile(inputs);
  EXPECT_EQ(condition(compiled, inputs.istio_gateways[0], "Programmed"), "False PortUnavailable");
  EXPECT_EQ(compiled.snapshot->listeners.size(), 1U);
}

TEST(Gateways, BothFamiliesShareAPort) {
  Inputs inputs = gateway_api(
      R"([{"name":"http","port":8080,"protocol":"HTTP","hostname":"http.test.com"}])",
      R"({"parentRefs":[{"name":"gw"}],"rules":[{"backendRefs":[{"group":"inference.networking.x-k8s.io","kind":"InferencePool","name":"vllm-llama2-7b-pool"}]}]})");
  inputs.istio_gateways = {istio_gateway()};
  inputs.llm_routes = {llm_route(kToPool)};
  const Compiled compiled = compile(inputs);
  ASSERT_EQ(compiled.snapshot->listeners.size(), 1U);
  EXPECT_EQ(compiled.snapshot->listeners[0].gateways.size(), 2U);
  EXPECT_NE(answering_pool(compiled, 8080, "http.test.com"), nullptr);
  EXPECT_NE(answering_pool(compiled, 8080, "test.com"), nullptr);
}

TEST(CommonHost, TakesTheNarrower) {
  EXPECT_EQ(common_host("", "test.com"), "test.com");
  EXPECT_EQ(common_host("test.com", ""), "test.com");
  EXPECT_EQ(common_host("*.com", "test.com"), "test.com");
  EXPECT_EQ(common_host("*.test.com", "*.com"), "*.test.com");
  EXPECT_EQ(common_host("*.test.com", "a.b.test.com"), "a.b.test.com");
  EXPECT_EQ(common_host("*.test.com", "test.com"), std::nullopt);
  EXPECT_EQ(common_host("a.com", "b.com"), std::nullopt);
  EXPECT_EQ(common_host("*", "*"), "");
}

TEST(UnixSeconds, ReadsKubernetesTimes) {
  EXPECT_EQ(unix_seconds("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(unix_seconds("2026-11-21T21:40:18Z"), 1795297218);
  EXPECT_EQ(unix_seconds("2026-13-21T21:40:18Z"), 0);
  EXPECT_EQ(unix_seconds("soon"), 0);
}

// Endpoints keep their identity and equal inputs give equal results, whatever the order of the lists.
TEST(Snapshot, OrderDoesNotMatter) {
  Inputs inputs = tutorial();
  const Compiled first = compile(inputs);
  std::reverse(inputs.pods.begin(), inputs.pods.end());
  const Compiled second = compile(inputs);
  ASSERT_EQ(first.snapshot->pools[0].endpoints.size(), second.snapshot->pools[0].endpoints.size());
  for (std::size_t i = 0; i < first.snapshot->pools[0].endpoints.size(); ++i) {
    EXPECT_EQ(first.snapshot->pools[0].endpoints[i].key, second.snapshot->pools[0].endpoints[i].key);
  }
}

}  // namespace
}  // namespace tidegate::gateway
