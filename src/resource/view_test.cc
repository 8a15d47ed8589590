// The typed views: what a struct holds of a document.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "resource/asm_mesh_config.h"
#include "resource/core.h"
#include "resource/fields.h"
#include "resource/gateway.h"
#include "resource/horizontal_pod_autoscaler.h"
#include "resource/http_route.h"
#include "resource/inference_model.h"
#include "resource/inference_pool.h"
#include "resource/llm_route.h"
#include "resource/pod.h"
#include "resource/workload.h"
#include "resource/yaml.h"

namespace tidegate::resource {
namespace {

// As it would be stored: defaults set, checked.
ObjectPtr stored(std::string_view text) {
  auto documents = parse_documents("test.yaml", text);
  EXPECT_TRUE(documents) << documents.error().message;
  Json& document = *documents->front().json;
  for (const Error& error : admit(**kind_of(document), document)) ADD_FAILURE() << describe(error);
  return *Object::make(std::move(document));
}

// As a newer program may have stored it, without any check.
ObjectPtr raw(std::string_view text) {
  return *Object::make(std::move(*parse_documents("t", text)->front().json));
}

TEST(View, InferencePoolOfEveryVersion) {
  const auto first = InferencePool::from(
      *stored("apiVersion: inference.networking.x-k8s.io/v1alpha1\nkind: InferencePool\nmetadata: {name: p}\n"
              "spec: {selector: {app: v}, targetPortNumber: 8000, extensionRef: {name: epp, "
              "targetPortNumber: 9100}}"));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->target_ports, std::vector<std::uint16_t>{8000});
  EXPECT_EQ(first->picker->port, 9100);
  EXPECT_FALSE(first->picker->fail_open);
  EXPECT_TRUE(first->selects_pod({{"app", "v"}, {"x", "y"}}));
  EXPECT_FALSE(first->selects_pod({{"x", "y"}}));

  const auto newest = InferencePool::from(*stored(
      "apiVersion: inference.networking.k8s.io/v1\nkind: InferencePool\n"
      "metadata:\n  name: p\n  annotations:\n    tidegate.dev/endpoints: '127.0.0.2:8000,[::1]:1'\n"
      "    inference.networking.x-k8s.io/routing-strategy: PREFIX_CACHE\n"
      "spec: {selector: {matchLabels: {app: v}}, targetPorts: [{number: 8000}, {number: 8001}], appProtocol: "
      "kubernetes.io/h2c}"));
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->target_ports.size(), 2u);
  EXPECT_TRUE(newest->h2c);
  EXPECT_FALSE(newest->picker);
  EXPECT_EQ(newest->endpoints, (std::vector<std::string>{"127.0.0.2:8000", "[::1]:1"}));
  EXPECT_EQ(newest->routing_strategy, "PREFIX_CACHE");
}

TEST(View, InferenceModel) {
  const auto model = InferenceModel::from(*stored(
      "apiVersion: inference.networking.x-k8s.io/v1alpha1\nkind: InferenceModel\nmetadata: {name: m}\n"
      "spec: {modelName: lora-request, criticality: Sheddable, poolRef: {name: p}, targetModels: [{name: a, "
      "weight: "
      "10}, {name: b, weight: 0}]}"));
  ASSERT_TRUE(model);
  EXPECT_EQ(model->model_name, "lora-request");
  EXPECT_EQ(model->criticality, Criticality::kSheddable);
  EXPECT_EQ(model->pool_group, kInferenceGroupOld);
  ASSERT_EQ(model->targets.size(), 2u);
  EXPECT_EQ(model->targets[1].weight, 0u);
}

TEST(View, FieldsOfNewerVersionsDoNotHurtReaders) {
  EXPECT_TRUE(InferenceModel::from(
      *raw("apiVersion: inference.networking.x-k8s.io/v1alpha2\nkind: InferenceModel\nmetadata: {name: m}\n"
           "spec: {modelName: a, poolRef: {name: p}, future: 1}")));
  const auto wrong = InferenceModel::from(
      *raw("apiVersion: inference.networking.x-k8s.io/v1alpha2\nkind: InferenceModel\nmetadata: {name: m}\n"
           "spec: {poolRef: {name: p}}"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().field, "spec.modelName");
}

TEST(View, LLMRoute) {
  const auto route = LLMRoute::from(
      *stored("apiVersion: istio.alibabacloud.com/v1beta1\nkind: LLMRoute\nmetadata: {name: r}\n"
              "spec:\n  host: Test.com\n  gateways: [gw]\n  rules:\n  - matches:\n    - headers: {X-Tier: "
              "{prefix: g}}\n"
              "    backendRefs: [{providerHost: api.example.com}]\n  - backendRefs: [{backendRef: {name: "
              "pool}, weight: 3}]\n"));
  ASSERT_TRUE(route);
  EXPECT_EQ(route->host, "test.com");
  ASSERT_EQ(route->rules.size(), 2u);
  EXPECT_EQ(route->rules[0].matches[0].headers.at("x-tier").type, MatchType::kPrefix);
  EXPECT_EQ(route->rules[0].refs[0].provider_host, "api.example.com");
  EXPECT_EQ(route->rules[1].refs[0].kind, "InferencePool");
  EXPECT_EQ(route->rules[1].refs[0].weight, 3u);
}

TEST(View, HTTPRoute) {
  const auto route = HTTPRoute::from(*stored(
      "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\n"
      "spec:\n  parentRefs: [{name: gw, sectionName: http}]\n  hostnames: [test.com]\n  rules:\n"
      "  - matches: [{headers: [{name: X-A, value: '1'}, {name: x-a, value: '2'}], queryParams: [{name: Q, "
      "value: v}], "
      "method: POST}]\n"
      "    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: "
      "/b}}}]\n"
      "    timeouts: {request: 1m}\n"
      "    backendRefs: [{group: inference.networking.k8s.io, kind: InferencePool, name: p, weight: 0}]\n"));
  ASSERT_TRUE(route);
  EXPECT_EQ(route->parents[0].kind, "Gateway");
  EXPECT_EQ(route->parents[0].section_name, "http");
  const HTTPRouteRule& rule = route->rules.at(0);
  EXPECT_EQ(rule.matches[0].path.type, MatchType::kPrefix);
  EXPECT_EQ(rule.matches[0].path.value, "/");
  ASSERT_EQ(rule.matches[0].headers.size(), 1u);
  EXPECT_EQ(rule.matches[0].headers[0].match.value, "1");
  EXPECT_EQ(rule.matches[0].query[0].name, "Q");
  EXPECT_EQ(rule.matches[0].method, "POST");
  EXPECT_EQ(rule.filters[0].rewrite.path.value, "/b");
  EXPECT_NE(rule.filters[0].raw.find("replacePrefixMatch"), std::string::npos);
  EXPECT_EQ(rule.request_timeout, std::chrono::minutes(1));
  EXPECT_EQ(rule.refs[0].weight, 0u);
}

TEST(View, Gateways) {
  const auto istio = IstioGateway::from(*stored(
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\n"
      "spec:\n  servers:\n  - port: {number: 443, name: s, protocol: https}\n    hosts: ['ns/*.a.com']\n"
      "    tls: {mode: MUTUAL, credentialName: cert}\n"));
  ASSERT_TRUE(istio);
  EXPECT_EQ(istio->servers[0].protocol, ListenerProtocol::kHttps);
  EXPECT_EQ(istio->servers[0].tls, TlsMode::kMutual);
  EXPECT_EQ(istio->servers[0].credential_names, std::vector<std::string>{"cert"});

  const auto gateway =
      Gateway::from(*stored("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n"
                            "spec:\n  gatewayClassName: c\n  listeners:\n  - {name: h, port: 80, protocol: "
                            "HTTP, allowedRoutes: {namespaces: "
                            "{from: Selector, selector: {matchLabels: {a: b}}}}}\n"));
  ASSERT_TRUE(gateway);
  EXPECT_EQ(gateway->listeners[0].routes_from, RoutesFrom::kSelector);
  EXPECT_TRUE(gateway->listeners[0].namespaces.matches({{"a", "b"}}));
  EXPECT_FALSE(gateway->listeners[0].namespaces.matches({{"a", "c"}}));
}

TEST(View, TheMeshSwitchIsOnUnlessTurnedOff) {
  EXPECT_TRUE(ASMMeshConfig::from(**Object::make(default_asm_mesh_config()))->inference_enabled);
  const auto off = stored(
      "apiVersion: istio.alibabacloud.com/v1beta1\nkind: ASMMeshConfig\nmetadata: {name: default}\n"
      "spec: {gatewayAPIInferenceExtension: {enabled: false}}");
  EXPECT_FALSE(ASMMeshConfig::from(*off)->inference_enabled);
}

constexpr std::string_view kDeployment = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  replicas: 3
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}, annotations: {k: v}}
    spec:
      initContainers:
      - {name: side, image: s, restartPolicy: Always, resources: {requests: {cpu: 100m}}}
      - {name: init, image: s, resources: {requests: {cpu: "3"}}}
      containers:
      - name: lora
        image: vllm/vllm-openai:v0.6
        command: [python3, -m, vllm]
        args: [--model, /model]
        ports: [{containerPort: 8000, name: http}]
        env:
        - {name: A, value: b}
        - {name: S, valueFrom: {secretKeyRef: {name: s, key: k}}}
        resources: {limits: {nvidia.com/gpu: 1, cpu: "2"}, requests: {cpu: 500m, memory: 1Gi}}
        readinessProbe: {httpGet: {path: /health, port: http}, periodSeconds: 1, failureThreshold: 600}
        livenessProbe: {tcpSocket: {port: 8000}}
        lifecycle: {preStop: {exec: {command: [sleep, "1"]}}}
        volumeMounts: [{name: data, mountPath: /data, readOnly: true}]
      volumes:
      - {name: data, configMap: {name: c, items: [{key: a, path: b}]}}
      - {name: shm, emptyDir: {medium: Memory}}
      nodeSelector: {pool: gpu}
      tolerations: [{key: gpu, operator: Exists}]
)";

TEST(View, DeploymentAndItsPods) {
  const auto deployment = Deployment::from(*stored(kDeployment));
  ASSERT_TRUE(deployment) << describe(deployment.error());
  EXPECT_EQ(deployment->replicas, 3);
  EXPECT_EQ(deployment->max_surge.text, "25%");
  const PodSpec& pod = deployment->pods.spec;
  ASSERT_EQ(pod.containers.size(), 1u);
  const Container& container = pod.containers[0];
  EXPECT_EQ(container.image_pull_policy, "IfNotPresent");
  EXPECT_EQ(container.env[1].source, EnvVar::Source::kSecret);
  EXPECT_EQ(container.env[1].key, "k");
  EXPECT_EQ(container.readiness->action.http.port.text, "http");
  EXPECT_EQ(container.readiness->failure_threshold, 600);
  EXPECT_EQ(container.readiness->timeout_s, 1);
  EXPECT_EQ(container.liveness->action.port.number, 8000);
  EXPECT_EQ(container.pre_stop->command, (std::vector<std::string>{"sleep", "1"}));
  EXPECT_TRUE(container.mounts[0].read_only);
  EXPECT_EQ(pod.volumes[0].ref, "c");
  EXPECT_EQ(pod.volumes[1].medium, "Memory");
  EXPECT_EQ(pod.grace_s, 30);
  EXPECT_EQ(find_port(pod, "http"), 8000);
  // The init container with its sidecar needs more CPU than the containers; a limit counts as a request.
  const auto requests = pod.requests();
  EXPECT_EQ(requests.at("cpu").milli, 3100);
  EXPECT_EQ(requests.at("memory").text(), "1Gi");
  EXPECT_EQ(requests.at("nvidia.com/gpu").whole(), 1);
}

TEST(View, SharesOfReplicas) {
  EXPECT_EQ(resolve_share({0, "25%"}, 3, true), 1);
  EXPECT_EQ(resolve_share({0, "25%"}, 3, false), 0);
  EXPECT_EQ(resolve_share({2, ""}, 3, false), 2);
  EXPECT_EQ(resolve_share({0, "150%"}, 4, true), 6);
}

TEST(View, PodStatus) {
  const auto pod = Pod::from(*raw(R"(
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: default, deletionTimestamp: "2026-01-01T00:00:00Z"}
spec: {containers: [{name: c, image: i}]}
status:
  phase: Running
  podIP: 127.9.0.1
  conditions: [{type: Ready, status: "True"}]
  containerStatuses:
  - {name: c, ready: true, restartCount: 2, state: {running: {startedAt: "2026-01-01T00:00:00Z"}}}
  - {name: d, ready: false, state: {terminated: {exitCode: 137, reason: OOMKilled}}}
)"));
  ASSERT_TRUE(pod);
  EXPECT_TRUE(pod->ready());
  EXPECT_TRUE(pod->terminating());
  EXPECT_FALSE(pod->ended());
  EXPECT_EQ(pod->status.containers[0].restart_count, 2);
  EXPECT_EQ(pod->status.containers[1].state, ContainerStatus::State::kTerminated);
  EXPECT_EQ(pod->status.containers[1].exit_code, 137);
}

TEST(View, CoreKinds) {
  const auto secret = Secret::from(*stored(
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aGVsbG8=}\nstringData: {b: plain}"));
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->data.at("a"), "hello");
  EXPECT_EQ(secret->data.at("b"), "plain");

  const auto service = Service::from(
      *stored("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {a: b}, ports: [{port: "
              "80}]}"));
  ASSERT_TRUE(service);
  EXPECT_EQ(service->ports[0].target.number, 80);

  const auto node = Node::from(
      *raw("apiVersion: v1\nkind: Node\nmetadata: {name: n}\nspec: {taints: [{key: k, effect: NoSchedule}]}\n"
           "status: {capacity: {cpu: '8', nvidia.com/gpu: 1}, addresses: [{type: InternalIP, address: "
           "127.0.0.1}]}"));
  ASSERT_TRUE(node);
  EXPECT_EQ(node->allocatable.at("cpu").whole(), 8);
  EXPECT_EQ(node->internal_ip, "127.0.0.1");
  EXPECT_EQ(node->taints[0].effect, "NoSchedule");
}

TEST(View, HorizontalPodAutoscalerOfEitherVersion) {
  const auto old = stored(
      "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: "
      "{scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}, maxReplicas: 3, "
      "targetCPUUtilizationPercentage: 60}");
  const auto v1 = HorizontalPodAutoscaler::from(*old);
  ASSERT_TRUE(v1) << describe(v1.error());
  ASSERT_EQ(v1->metrics.size(), 1u);
  EXPECT_EQ(v1->metrics[0].name, "cpu");
  EXPECT_EQ(v1->metrics[0].target.utilization, 60);
  EXPECT_EQ(v1->min_replicas, 1);

  // There and back, with everything v1 has no field for.
  const auto rich = stored(
      "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec:\n"
      "  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}\n  maxReplicas: 3\n  metrics:\n"
      "  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}\n"
      "  - {type: Pods, pods: {metric: {name: u}, target: {type: AverageValue, averageValue: '50'}}}\n"
      "  - {type: External, external: {metric: {name: q, selector: {matchLabels: {a: b}}}, target: {type: "
      "Value, value: '5'}}}\n"
      "  - {type: Object, object: {metric: {name: o}, describedObject: {kind: Service, name: s}, target: "
      "{type: AverageValue, averageValue: '7'}}}\n"
      "  behavior: {scaleDown: {stabilizationWindowSeconds: 5}}\n");
  Json as_v1 = horizontal_pod_autoscaler_as("v1", rich->json());
  EXPECT_EQ(as_v1["apiVersion"], "autoscaling/v1");
  EXPECT_EQ(as_v1["spec"]["targetCPUUtilizationPercentage"], 70);
  EXPECT_FALSE(as_v1["spec"].contains("metrics"));
  const Json back = horizontal_pod_autoscaler_as("v2", as_v1);
  EXPECT_TRUE(same_content(back["spec"], rich->json()["spec"])) << back.dump(2);

  const auto view = HorizontalPodAutoscaler::from(*rich);
  ASSERT_TRUE(view);
  ASSERT_TRUE(view->behavior);
  EXPECT_EQ(view->behavior->down.window_s, 5);
  EXPECT_EQ(view->behavior->up.window_s, 0);
  ASSERT_EQ(view->behavior->up.policies.size(), 2u);
  EXPECT_EQ(view->behavior->down.policies.size(), 1u);
}

TEST(View, PodsStayAWhileOnALostNode) {
  const auto pod = [](const char* tolerations) {
    return Pod::from(*stored(std::string("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n") +
                             "  containers: [{name: c, image: i}]\n" + tolerations))
        ->spec.tolerations;
  };
  const auto unsaid = pod("");
  ASSERT_EQ(unsaid.size(), 2u);
  EXPECT_EQ(unsaid[0].key, "node.kubernetes.io/not-ready");
  EXPECT_EQ(unsaid[1].key, "node.kubernetes.io/unreachable");
  EXPECT_EQ(unsaid[1].effect, "NoExecute");
  EXPECT_EQ(unsaid[1].seconds, 300);

  const auto said = pod(
      "  tolerations: [{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, "
      "tolerationSeconds: 5}]\n");
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[0].seconds, 5);
  EXPECT_EQ(said[1].key, "node.kubernetes.io/not-ready");

  EXPECT_EQ(pod("  tolerations: [{operator: Exists}]\n").size(), 1u);
}

TEST(View, Base64) {
  EXPECT_EQ(base64::decode(""), "");
  EXPECT_EQ(base64::decode("Zg=="), "f");
  EXPECT_EQ(base64::decode("Zm9v\nYmFy"), "foobar");
  for (const char* wrong : {"Z", "Zg", "Zg=", "Zg===", "Z=g=", "Zm9vY!==", "===="}) {
    EXPECT_FALSE(base64::decode(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace tidegate::resource
