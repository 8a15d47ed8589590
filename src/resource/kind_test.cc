#include "resource/kind.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "resource/condition.h"
#include "resource/names.h"
#include "resource/path.h"
#include "resource/yaml.h"

namespace tidegate::resource {
namespace {

// What admission says about one document, one line per error; "accepted" if nothing.
std::string verdict(std::string_view text) {
  auto documents = parse_documents("test.yaml", text);
  if (!documents) return documents.error().message;
  if (documents->size() != 1) return "no single document";
  Json& document = *documents->front().json;
  const auto kind = kind_of(document);
  if (!kind) return describe(kind.error());
  std::string result;
  for (const Error& error : admit(**kind, document)) result += (result.empty() ? "" : "\n") + describe(error);
  return result.empty() ? "accepted" : result;
}

struct Case {
  std::string spec;     // YAML below "spec:", indented by two blanks
  std::string verdict;  // what is said
};

void check(const std::string& head, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(verdict(head + "\nmetadata:\n  name: thing\nspec:\n" + c.spec), c.verdict) << head << "\n"
                                                                                         << c.spec;
  }
}

TEST(Admit, InferenceModelV1alpha2) {
  const std::string pool = "  poolRef: {name: p}\n";
  const std::string model = "  modelName: lora-request\n" + pool;
  check(
      "apiVersion: inference.networking.x-k8s.io/v1alpha2\nkind: InferenceModel",
      {
          {model, "accepted"},
          {model + "  criticality: Critical\n", "accepted"},
          {model + "  criticality: critical\n",
           "spec.criticality is \"critical\"; use Critical, Standard or Sheddable"},
          {model + "  targetModels:\n  - {name: a, weight: 1}\n  - {name: b, weight: 1000000}\n", "accepted"},
          {model + "  targetModels:\n  - {name: a, weight: 1}\n  - {name: b, weight: 3}\n  - {name: c, "
                   "weight: 0}\n",
           "spec.targetModels[2].weight is 0; use 1 to 1000000, or remove the target to stop sending to it"},
          {model + "  targetModels:\n  - {name: a, weight: 1000001}\n",
           "spec.targetModels[0].weight is 1000001; use 1 to 1000000, or remove the target to stop sending "
           "to it"},
          {model + "  targetModels:\n  - {name: a, weight: \"10\"}\n",
           "spec.targetModels[0].weight is \"10\" (a string); use 1 to 1000000, or remove the target to stop "
           "sending "
           "to it, without quotes"},
          {model + "  targetModels:\n  - {name: a, weight: 1.5}\n",
           "spec.targetModels[0].weight is 1.5; use 1 to 1000000, or remove the target to stop sending to "
           "it"},
          {model + "  targetModels:\n  - {name: a, weight: 5}\n  - {name: b}\n",
           "spec.targetModels[1].weight is missing; set the weight of every target, or of none for equal "
           "shares"},
          {model + "  targetModels:\n  - {name: a}\n  - {name: b, weight: 5}\n",
           "spec.targetModels[0].weight is missing; set the weight of every target, or of none for equal "
           "shares"},
          {model + "  targetModels:\n  - {weight: 5}\n",
           "spec.targetModels[0].name is missing; it is required"},
          {model + "  targetModels: [{name: a},{name: a},{name: a},{name: a},{name: a},{name: a},{name: "
                   "a},{name: "
                   "a},{name: a},{name: a},{name: a}]\n",
           "spec.targetModels has 11 items; use 0 to 10"},
          {model + "  targetModel: []\n", "spec.targetModel is not a field here; did you mean targetModels?"},
          {model + "  zebra: 1\n",
           "spec.zebra is not a field here; known are modelName, criticality, targetModels or poolRef"},
          {pool, "spec.modelName is missing; it is required"},
          {"  modelName: \"\"\n" + pool, "spec.modelName is empty; it is required"},
          {"  modelName: " + std::string(257, 'm') + "\n" + pool,
           "spec.modelName has 257 bytes; use at most 256"},
          {"  modelName: 7\n" + pool, "spec.modelName is 7 (a number); use a string, with quotes around it"},
          {"  modelName: m\n", "spec.poolRef is missing; it is required"},
          {"  modelName: m\n  poolRef: {}\n", "spec.poolRef.name is missing; it is required"},
          {"  modelName: m\n  poolRef: {name: p, kind: Service}\n",
           "spec.poolRef.kind is \"Service\"; use InferencePool"},
      });
}

TEST(Admit, InferenceModelV1alpha1LetsAWeightOfZeroReserveAName) {
  check("apiVersion: inference.networking.x-k8s.io/v1alpha1\nkind: InferenceModel",
        {{"  modelName: m\n  poolRef: {name: p}\n  targetModels: [{name: a, weight: 0}]\n", "accepted"},
         {"  modelName: m\n  poolRef: {name: p}\n  targetModels: [{name: a, weight: -1}]\n",
          "spec.targetModels[0].weight is -1; use 0 to 1000000"}});
}

TEST(Admit, InferencePoolOld) {
  const std::string selector = "  selector: {app: vllm}\n";
  check("apiVersion: inference.networking.x-k8s.io/v1alpha1\nkind: InferencePool",
        {
            {selector + "  targetPortNumber: 8000\n", "accepted"},
            {selector + "  targetPortNumber: 8000\n  extensionRef: {name: epp, targetPortNumber: 9002}\n",
             "accepted"},
            {selector + "  targetPortNumber: 8000\n  extensionRef: {name: epp, failureMode: Open}\n",
             "spec.extensionRef.failureMode is \"Open\"; use FailOpen or FailClose"},
            {selector + "  targetPortNumber: 0\n", "spec.targetPortNumber is 0; use 1 to 65535"},
            {selector + "  targetPortNumber: 65536\n", "spec.targetPortNumber is 65536; use 1 to 65535"},
            {selector, "spec.targetPortNumber is missing; it is required"},
            {"  targetPortNumber: 8000\n", "spec.selector is missing; it is required"},
            {"  targetPortNumber: 8000\n  selector: {matchLabels: {app: a}}\n",
             "spec.selector.matchLabels is an object; use a string"},
            {"  targetPortNumber: 8000\n  selector: {\"a b\": c}\n",
             "spec.selector[\"a b\"] is no right key; use a name of at most 63 letters, digits, '-', '_' and "
             "'.', "
             "optionally after a DNS name and '/'"},
            {"  targetPortNumber: 8000\n  selector: {app: \"a b\"}\n",
             "spec.selector.app is \"a b\"; use at most 63 letters, digits, '-', '_' and '.', beginning and "
             "ending with "
             "a letter or digit"},
        });
  check("apiVersion: inference.networking.x-k8s.io/v1alpha2\nkind: InferencePool",
        {{selector + "  targetPortNumber: 8000\n  extensionRef: {name: epp, portNumber: 9002}\n", "accepted"},
         {selector + "  targetPortNumber: 8000\n  extensionRef: {name: epp, portNumbr: 9002}\n",
          "spec.extensionRef.portNumbr is not a field here; did you mean portNumber?"}});
}

TEST(Admit, InferencePoolV1) {
  const std::string selector = "  selector: {matchLabels: {app: vllm}}\n";
  const std::string ports = "  targetPorts: [{number: 8000}]\n";
  check("apiVersion: inference.networking.k8s.io/v1\nkind: InferencePool",
        {
            {selector + ports, "accepted"},
            {selector + ports + "  endpointPickerRef: {name: epp, port: {number: 9002}}\n", "accepted"},
            {selector + ports + "  endpointPickerRef: {name: epp}\n",
             "spec.endpointPickerRef.port is missing; a reference to a Service needs port.number"},
            {selector + ports + "  endpointPickerRef: {group: x.io, kind: Picker, name: epp}\n", "accepted"},
            {selector + ports + "  appProtocol: kubernetes.io/h2c\n", "accepted"},
            {selector + ports + "  appProtocol: h2\n",
             "spec.appProtocol is \"h2\"; use http or kubernetes.io/h2c"},
            {selector + "  targetPorts: [{number: 1}, {number: 1}]\n",
             "spec.targetPorts[1].number is 1 for the second time; use each port once"},
            {selector + "  targetPorts: []\n", "spec.targetPorts has 0 items; use 1 to 8"},
            {selector + "  targetPortNumber: 8000\n",
             "spec.targetPorts is missing; it is required\nspec.targetPortNumber is not a field here; did "
             "you mean "
             "targetPorts?"},
            {"  selector: {matchLabels: {}}\n" + ports,
             "spec.selector.matchLabels is empty; name at least one label of the pods"},
            {"  selector: {app: vllm}\n" + ports,
             "spec.selector.matchLabels is missing; it is required\nspec.selector.app is not a field here; "
             "known are "
             "matchLabels"},
        });
}

TEST(Admit, EndpointsGivenByAnnotation) {
  const auto with = [](const std::string& endpoints) {
    return verdict(
        "apiVersion: inference.networking.x-k8s.io/v1alpha2\nkind: InferencePool\nmetadata:\n  name: p\n  "
        "annotations:\n    tidegate.dev/endpoints: \"" +
        endpoints + "\"\nspec: {selector: {app: a}, targetPortNumber: 8000}\n");
  };
  EXPECT_EQ(with("127.0.0.1:8000, [::1]:8001"), "accepted");
  for (const std::string bad :
       {"127.0.0.1", "localhost:8000", "127.0.0.1:0", "127.0.0.1:70000", "::1:80", "[1.2.3.4]:1"}) {
    EXPECT_EQ(with(bad),
              "metadata.annotations[\"tidegate.dev/endpoints\"] has \"" + bad +
                  "\"; use addresses with ports like 10.0.0.7:8000 or [fd00::7]:8000, with commas between "
                  "them");
  }
}

TEST(Admit, LLMRoute) {
  const std::string ref = "    backendRefs: [{backendRef: {name: pool}}]\n";
  for (const char* version : {"v1", "v1beta1"}) {
    check(
        std::string("apiVersion: istio.alibabacloud.com/") + version + "\nkind: LLMRoute",
        {
            {"  host: test.com\n  gateways: [gw, ns/gw]\n  rules:\n  - name: r\n" + ref, "accepted"},
            {"  host: test.com\n  rules:\n  - matches:\n    - headers: {X-User: {exact: a}}\n" + ref,
             "accepted"},
            {"  host: test.com\n  rules:\n  - matches:\n    - headers: {X-User: {exact: a, prefix: b}}\n" +
                 ref,
             "spec.rules[0].matches[0].headers.X-User has several of exact, prefix and regex; keep one of "
             "them"},
            {"  host: test.com\n  rules:\n  - matches:\n    - path: {exact: /v1}\n" + ref,
             "spec.rules[0].matches[0].path is not a field here; known are headers, sourceLabels or "
             "gateways"},
            {"  rules:\n  - name: r\n" + ref, "spec.host is missing; it is required"},
            {"  host: test.com:8080\n  rules:\n  - name: r\n" + ref,
             "spec.host is \"test.com:8080\"; use a DNS name like test.com or *.test.com, without port, or * "
             "for "
             "every host"},
            {"  host: test.com\n", "spec.rules is missing; it is required"},
            {"  host: test.com\n  rules:\n  - backendRefs: [{weight: 1}]\n",
             "spec.rules[0].backendRefs[0] has neither providerHost nor backendRef; set one of them"},
            {"  host: test.com\n  rules:\n  - backendRefs: [{providerHost: a.com, backendRef: {name: p}}]\n",
             "spec.rules[0].backendRefs[0] has both providerHost and backendRef; keep one of them"},
            {"  host: test.com\n  rules:\n  - backendRefs: [{backendRef: {name: p}, weight: -1}]\n",
             "spec.rules[0].backendRefs[0].weight is -1; use a whole number of at least 0 and at most "
             "2147483647"},
        });
  }
}

TEST(Admit, ReferenceGrant) {
  check(
      "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant",
      {
          {"  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: apps}]\n"
           "  to: [{group: \"\", kind: Service}]\n",
           "accepted"},
          {"  from: [{group: \"\", kind: Service, namespace: Apps}]\n  to: [{kind: Service}]\n",
           "spec.from[0].namespace is \"Apps\"; use at most 63 lower-case letters, digits and '-', beginning "
           "and ending with a letter or digit"},
      });
}

TEST(Admit, BackendTLSPolicy) {
  const std::string target = "  targetRefs: [{group: \"\", kind: Service, name: s}]\n";
  check("apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy",
        {
            {target + "  validation: {wellKnownCACertificates: System, hostname: a.org}\n", "accepted"},
            {target + "  validation: {caCertificateRefs: [{group: \"\", kind: ConfigMap, name: ca}], "
                      "hostname: a.org}\n",
             "accepted"},
            {target + "  validation: {hostname: a.org}\n",
             "spec.validation.caCertificateRefs is missing; name a ConfigMap with ca.crt, or set "
             "wellKnownCACertificates: System"},
            {target + "  validation: {wellKnownCACertificates: Mine, hostname: a.org}\n",
             "spec.validation.wellKnownCACertificates is \"Mine\"; use System"},
        });
}

TEST(Admit, HTTPRoute) {
  const std::string ref = "    backendRefs: [{name: s, port: 80}]\n";
  check(
      "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute",
      {
          {"  parentRefs: [{name: gw}]\n  hostnames: [test.com, \"*.test.com\"]\n  rules:\n  - name: r\n" +
               ref,
           "accepted"},
          {"  hostnames: [10.0.0.1]\n",
           "spec.hostnames[0] is \"10.0.0.1\"; use a DNS name in lower case like test.com or *.test.com, "
           "without "
           "port"},
          {"  rules:\n  - backendRefs: [{name: s}]\n",
           "spec.rules[0].backendRefs[0].port is missing; a reference to a Service needs it"},
          {"  rules:\n  - backendRefs: [{group: inference.networking.k8s.io, kind: InferencePool, name: "
           "p}]\n",
           "accepted"},
          {"  rules:\n  - matches: [{path: {type: PathPrefix, value: v1}}]\n",
           "spec.rules[0].matches[0].path.value is \"v1\"; begin it with '/'"},
          {"  rules:\n  - matches: [{path: {type: Exact, value: /a//b}}]\n",
           "spec.rules[0].matches[0].path.value is \"/a//b\"; leave out //, /./, /../, %2f and #"},
          {"  rules:\n  - matches: [{path: {type: Prefix, value: /a}}]\n",
           "spec.rules[0].matches[0].path.type is \"Prefix\"; use Exact, PathPrefix or RegularExpression"},
          {"  rules:\n  - matches: [{method: get}]\n",
           "spec.rules[0].matches[0].method is \"get\"; use GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, "
           "TRACE or "
           "PATCH"},
          {"  rules:\n  - timeouts: {request: 10s, backendRequest: 20s}\n",
           "spec.rules[0].timeouts.backendRequest is longer than request; it is a part of it"},
          {"  rules:\n  - timeouts: {request: 1.5s}\n",
           "spec.rules[0].timeouts.request is \"1.5s\"; use whole hours, minutes, seconds and milliseconds "
           "like "
           "500ms, 10s or 1h30m"},
          {"  rules:\n  - filters: [{type: RequestRedirect, requestRedirect: {statusCode: 300}}]\n",
           "spec.rules[0].filters[0].requestRedirect.statusCode is 300; use 301, 302, 303, 307 or 308"},
          {"  rules:\n  - filters: [{type: RequestRedirect, requestRedirect: {}}]\n" + ref,
           "spec.rules[0].backendRefs is set beside a RequestRedirect filter; a redirect goes nowhere else"},
          {"  rules:\n  - filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: A, "
           "value: b}], "
           "remove: [a]}}]\n",
           "spec.rules[0].filters[0].requestHeaderModifier.remove is \"a\" for the second time; one action "
           "per header "
           "name"},
          {"  rules:\n  - filters: [{type: URLRewrite}]\n",
           "spec.rules[0].filters[0].urlRewrite is missing; it is required"},
          {"  rules:\n  - backendRefs: [{name: s, port: 80, weight: 1000001}]\n",
           "spec.rules[0].backendRefs[0].weight is 1000001; use 0 to 1000000"},
      });
}

TEST(Admit, Gateways) {
  check("apiVersion: networking.istio.io/v1beta1\nkind: Gateway",
        {
            {"  selector: {istio: ingressgateway}\n  servers:\n  - port: {number: 8080, name: http, "
             "protocol: HTTP}\n"
             "    hosts: [\"*\"]\n",
             "accepted"},
            {"  servers:\n  - port: {number: 8080, name: http, protocol: HTTPX}\n    hosts: [\"*\"]\n",
             "spec.servers[0].port.protocol is \"httpx\"; use HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP "
             "or MONGO"},
            {"  servers:\n  - port: {number: 443, name: s, protocol: HTTPS}\n    hosts: [a.com]\n",
             "spec.servers[0].tls is missing; protocols HTTPS and TLS need it"},
            {"  servers:\n  - port: {number: 443, name: s, protocol: HTTPS}\n    hosts: [a.com]\n    tls: "
             "{mode: SIMPLE}\n",
             "spec.servers[0].tls.credentialName is missing; name a Secret, or set serverCertificate and "
             "privateKey"},
            {"  servers:\n  - port: {number: 80, name: s, protocol: HTTP}\n",
             "spec.servers[0].hosts is missing; it is required"},
            {"  servers: []\n", "spec.servers has 0 items; use 1 to 100000"},
        });
  check("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway",
        {
            {"  gatewayClassName: tidegate\n  listeners: [{name: http, port: 80, protocol: HTTP}]\n",
             "accepted"},
            {"  listeners: [{name: http, port: 80, protocol: HTTP}]\n",
             "spec.gatewayClassName is missing; it is required"},
            {"  gatewayClassName: t\n  listeners: [{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, "
             "protocol: "
             "HTTP}]\n",
             "spec.listeners[1] has the port, protocol and hostname of another listener; make one of them "
             "differ"},
            {"  gatewayClassName: t\n  listeners: [{name: a, port: 443, protocol: HTTPS}]\n",
             "spec.listeners[0].tls is missing; protocol HTTPS needs it"},
        });
}

TEST(Admit, ASMMeshConfig) {
  const auto with = [](const std::string& name, const std::string& spec) {
    return verdict("apiVersion: istio.alibabacloud.com/v1beta1\nkind: ASMMeshConfig\nmetadata: {name: " +
                   name + "}\nspec: " + spec);
  };
  EXPECT_EQ(with("default", "{gatewayAPIInferenceExtension: {enabled: true}, others: [1]}"), "accepted");
  EXPECT_EQ(
      with("default", "{gatewayAPIInferenceExtension: {enabled: yes}}"),
      "spec.gatewayAPIInferenceExtension.enabled is \"yes\" (a string); use true or false, without quotes");
  EXPECT_EQ(with("default", "{gatewayAPIInferenceExtension: {enable: true}}"),
            "spec.gatewayAPIInferenceExtension.enable is not a field here; did you mean enabled?");
  EXPECT_EQ(with("other", "{}"), "metadata.name is \"other\"; the mesh has one ASMMeshConfig, named default");
}

TEST(Admit, PodsAndDeployments) {
  const std::string containers = "containers: [{name: c, image: i}]";
  check("apiVersion: v1\nkind: Pod",
        {
            {"  " + containers + "\n  topologySpreadConstraints: []\n  anythingElse: 1\n", "accepted"},
            {"  volumes: []\n", "spec.containers is missing; it is required"},
            {"  containers: [{name: c, image: i, ports: [{containerPort: 0}]}]\n",
             "spec.containers[0].ports[0].containerPort is 0; use 1 to 65535"},
            {"  containers: [{name: c, image: i, env: [{name: A, value: 1}]}]\n",
             "spec.containers[0].env[0].value is 1 (a number); use a string, with quotes around it"},
            {"  containers: [{name: c, image: i, resources: {limits: {cpu: 1}, requests: {cpu: 1500m}}}]\n",
             "spec.containers[0].resources.requests has 1500m of cpu, more than the limit of 1; lower the "
             "request or "
             "raise the limit"},
            {"  containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /v}]}]\n",
             "spec.containers mounts \"v\", which is no volume of the pod; add it to volumes"},
            {"  containers: [{name: c, image: i, readinessProbe: {periodSeconds: 1}}]\n",
             "spec.containers[0].readinessProbe names nothing to do; set httpGet, tcpSocket, exec or grpc"},
            {"  containers: [{name: C, image: i}]\n",
             "spec.containers[0].name is \"C\"; use at most 63 lower-case letters, digits and '-', beginning "
             "and ending "
             "with a letter or digit"},
        });
  const std::string pods = "  template: {metadata: {labels: {app: a}}, spec: {" + containers + "}}\n";
  const std::string selector = "  selector: {matchLabels: {app: a}}\n";
  check(
      "apiVersion: apps/v1\nkind: Deployment",
      {
          {selector + pods, "accepted"},
          {selector + pods + "  replicas: -1\n",
           "spec.replicas is -1; use a whole number of at least 0 and at most 2147483647"},
          {"  selector: {matchLabels: {app: b}}\n" + pods,
           "spec.template has labels that spec.selector does not match; give metadata.labels of the template "
           "those of "
           "the selector"},
          {selector + pods + "  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}}\n",
           "spec.strategy.rollingUpdate.maxUnavailable and maxSurge are both 0; let one of them be more, or "
           "nothing "
           "can ever be replaced"},
          {selector + pods + "  strategy: {rollingUpdate: {maxSurge: a lot}}\n",
           "spec.strategy.rollingUpdate.maxSurge is \"a lot\"; use a whole number or a percentage like 25%"},
      });
}

TEST(Admit, CoreKinds) {
  check("apiVersion: v1\nkind: Service",
        {{"  selector: {a: b}\n  ports: [{port: 80, targetPort: http}]\n", "accepted"},
         {"  selector: {a: b}\n", "spec.ports is missing; name at least one port"},
         {"  ports: [{port: 80}, {port: 81}]\n",
          "spec.ports[1].name is missing; a Service with several ports names each of them"}});
  EXPECT_EQ(verdict("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: '!'}"),
            "data.a is not Base64; encode the value, or put it as it is into stringData");
  const std::string half(600 * 1024, 'x');
  EXPECT_EQ(verdict("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {a: " + half + "}"), "accepted");
  EXPECT_EQ(verdict("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {a: " + half + ", b: " + half + "}"),
            "[] Too long: may not be more than 1048576 bytes");
  EXPECT_EQ(verdict("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {a: 1}"),
            "data.a is 1 (a number); use a string, with quotes around it");
  EXPECT_EQ(verdict("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\nspec: {}"),
            "spec is not a field here; known are apiVersion, kind, metadata, status, data, binaryData or "
            "immutable");
}

TEST(Admit, Metadata) {
  const auto with = [](const std::string& metadata) {
    return verdict("apiVersion: v1\nkind: ConfigMap\nmetadata: " + metadata);
  };
  EXPECT_EQ(with("{name: a.b-c, labels: {x.io/a: b}, annotations: {k: v}, creationTimestamp: null}"),
            "accepted");
  EXPECT_EQ(with("{generateName: a-}"), "accepted");
  EXPECT_EQ(with("{}"), "metadata.name is missing; it is required");
  EXPECT_EQ(with("{name: A}"),
            "metadata.name is \"A\"; use at most 253 lower-case letters, digits, '-' and '.', each part "
            "beginning and "
            "ending with a letter or digit");
  EXPECT_EQ(with("{name: a, namespace: a.b}"),
            "metadata.namespace is \"a.b\"; use at most 63 lower-case letters, digits and '-', beginning and "
            "ending with "
            "a letter or digit");
  EXPECT_EQ(with("{name: a, label: {}}"), "metadata.label is not a field here; did you mean labels?");
  EXPECT_EQ(with("{name: a, labels: {a: true}}"),
            "metadata.labels.a is true (a boolean); use a string, with quotes around it");
  EXPECT_EQ(with("[]"), "metadata is a list; use an object");
}

TEST(Admit, UnknownKindsNameTheNearest) {
  EXPECT_EQ(
      verdict("apiVersion: inference.networking.x-k8s.io/v1alpha2\nkind: InferencePol\nmetadata: {name: a}"),
      "kind is \"InferencePol\" of inference.networking.x-k8s.io/v1alpha2, which is not known here; did you "
      "mean "
      "InferencePool?");
  EXPECT_EQ(verdict("apiVersion: v2\nkind: Pod\nmetadata: {name: a}"),
            "apiVersion is \"v2\"; Pod is served in v1");
}

TEST(Admit, FillsInNamespaceAndDefaults) {
  Json model = {{"apiVersion", "inference.networking.x-k8s.io/v1alpha2"},
                {"kind", "InferenceModel"},
                {"metadata", {{"name", "m"}}},
                {"spec", {{"modelName", "m"}, {"poolRef", {{"name", "p"}}}}}};
  ASSERT_TRUE(admit(**kind_of(model), model).empty());
  EXPECT_EQ(model["metadata"]["namespace"], "default");
  EXPECT_EQ(model["spec"]["poolRef"]["kind"], "InferencePool");

  Json config = {{"apiVersion", "istio.alibabacloud.com/v1beta1"},
                 {"kind", "ASMMeshConfig"},
                 {"metadata", {{"name", "default"}, {"namespace", "x"}}}};
  ASSERT_TRUE(admit(**kind_of(config), config).empty());
  EXPECT_FALSE(config["metadata"].contains("namespace"));
}

TEST(Admit, TheModelNameIsImmutableFromV1alpha2) {
  const auto update = [](const char* version, const char* name) {
    const Json before = {{"apiVersion", "inference.networking.x-k8s.io/v1alpha2"},
                         {"spec", {{"modelName", "a"}, {"poolRef", {{"name", "p"}}}}}};
    const Json after = {{"apiVersion", std::string("inference.networking.x-k8s.io/") + version},
                        {"spec", {{"modelName", name}, {"poolRef", {{"name", "q"}}}}}};
    std::vector<Error> errors;
    find_kind("inference.networking.x-k8s.io/v1alpha2", "InferenceModel")
        ->validate_update(before, after, errors);
    return errors.empty() ? std::string("accepted") : errors.front().field;
  };
  EXPECT_EQ(update("v1alpha2", "a"), "accepted");
  EXPECT_EQ(update("v1alpha2", "b"), "spec.modelName");
  EXPECT_EQ(update("v1alpha1", "b"), "accepted");
}

TEST(Kinds, AreFoundByEveryNameKubectlUses) {
  for (const char* name : {"pods", "pod", "po", "Pod", "PODS"}) {
    ASSERT_NE(find_kind_by_name(name), nullptr) << name;
    EXPECT_EQ(find_kind_by_name(name)->kind, "Pod");
  }
  EXPECT_EQ(find_kind_by_name("inferencepools.inference.networking.k8s.io")->group,
            "inference.networking.k8s.io");
  EXPECT_EQ(find_kind_by_name("inferencepools.v1.inference.networking.k8s.io")->group,
            "inference.networking.k8s.io");
  EXPECT_EQ(find_kind_by_name("deployments.apps")->kind, "Deployment");
  EXPECT_EQ(find_kind_by_name("asmmeshconfig")->namespaced, false);
  EXPECT_EQ(find_kind_by_name("pods.apps"), nullptr);
  EXPECT_EQ(find_kind_by_name(""), nullptr);
}

TEST(Admit, HorizontalPodAutoscaler) {
  const std::string target = "  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}\n";
  const std::string pods = "  metrics:\n  - type: Pods\n    pods: {metric: {name: util}, target: ";
  const std::string external = "  metrics:\n  - type: External\n    external: {metric: {name: q}, target: ";
  const std::string resource = "  metrics:\n  - type: Resource\n    resource: {name: cpu, target: ";
  check(
      "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler",
      {
          {target + "  maxReplicas: 3\n", "accepted"},
          {target + "  maxReplicas: 3\n" + pods + "{type: AverageValue, averageValue: 50}}\n", "accepted"},
          // As arena writes it.
          {target + "  maxReplicas: 3\n" + pods + "{type: Utilization, averageValue: 50}}\n", "accepted"},
          {target + "  minReplicas: 4\n  maxReplicas: 3\n",
           "spec.maxReplicas is 3, less than minReplicas 4; use at least that many"},
          {target + "  maxReplicas: 0\n",
           "spec.maxReplicas is 0; use a whole number of at least 1 and at most 2147483647"},
          {target, "spec.maxReplicas is missing; it is required"},
          {"  maxReplicas: 3\n", "spec.scaleTargetRef is missing; it is required"},
          {target + "  maxReplicas: 3\n" + pods + "{type: AverageValue, averageValue: 0}}\n",
           "spec.metrics[0].pods.target.averageValue is 0; use more than 0"},
          {target + "  maxReplicas: 3\n" + pods + "{type: AverageValue, averageValue: -5}}\n",
           "spec.metrics[0].pods.target.averageValue is -5; use more than 0"},
          {target + "  maxReplicas: 3\n" + pods + "{type: Value, value: 5}}\n",
           "spec.metrics[0].pods.target.value does not fit a metric of pods; use averageValue\n"
           "spec.metrics[0].pods.target.averageValue is missing; it is required"},
          {target + "  maxReplicas: 3\n" + resource + "{type: Utilization, averageUtilization: 0}}\n",
           "spec.metrics[0].resource.target.averageUtilization is 0; use a whole number of at least 1 and at "
           "most 2147483647"},
          {target + "  maxReplicas: 3\n" + resource + "{type: Utilization}}\n",
           "spec.metrics[0].resource.target.averageUtilization is missing; set it, or averageValue"},
          {target + "  maxReplicas: 3\n" + external + "{type: Value}}\n",
           "spec.metrics[0].external.target.value is missing; set it, or averageValue"},
          {target + "  minReplicas: 0\n  maxReplicas: 3\n" + external + "{type: Value, value: 5}}\n",
           "accepted"},
          {target + "  minReplicas: 0\n  maxReplicas: 3\n" + pods +
               "{type: AverageValue, averageValue: 5}}\n",
           "spec.minReplicas is 0, and no metric could wake the workload again; add an Object or External "
           "metric, or the annotation tidegate.dev/scaling-rule: demand"},
          {target + "  maxReplicas: 3\n  metrics:\n  - {type: Pods}\n",
           "spec.metrics[0].pods is missing; it is required"},
          {target + "  maxReplicas: 3\n  behavior: {scaleUp: {stabilizationWindowSeconds: 4000}}\n",
           "spec.behavior.scaleUp.stabilizationWindowSeconds is 4000; use 0 to 3600"},
          {target + "  maxReplicas: 3\n  behavior: {scaleUp: {policies: [{type: Pods, value: 1, "
                    "periodSeconds: 1801}]}}\n",
           "spec.behavior.scaleUp.policies[0].periodSeconds is 1801; use 1 to 1800"},
          {target + "  maxReplicas: 3\n  behavior: {scaleUp: {policies: []}}\n",
           "spec.behavior.scaleUp.policies has 0 items; use 1 to 100"},
          {target + "  maxReplicas: 3\n  behavior: {scaleDown: {selectPolicy: Most}}\n",
           "spec.behavior.scaleDown.selectPolicy is \"Most\"; use Max, Min or Disabled"},
      });
  check("apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler",
        {
            {target + "  maxReplicas: 3\n  targetCPUUtilizationPercentage: 60\n", "accepted"},
            {target + "  maxReplicas: 3\n  targetCPUUtilizationPercentage: 0\n",
             "spec.targetCPUUtilizationPercentage is 0; use a whole number of at least 1 and at most "
             "2147483647"},
        });
}

TEST(Conditions, MoveTheirTimeOnlyWhenTheStatusFlips) {
  Json list;
  EXPECT_TRUE(set_condition(list, {"Ready", "True", "Up", "is up"}, "t1"));
  EXPECT_FALSE(set_condition(list, {"Ready", "True", "Up", "is up"}, "t2"));
  EXPECT_TRUE(set_condition(list, {"Ready", "True", "Up", "is still up"}, "t3"));
  EXPECT_EQ(list[0]["lastTransitionTime"], "t1");
  EXPECT_TRUE(set_condition(list, {"Ready", "False", "Down", "is down"}, "t4"));
  EXPECT_EQ(list[0]["lastTransitionTime"], "t4");
  EXPECT_EQ(list.size(), 1u);
}

TEST(Paths, SplitWhatTheyJoined) {
  std::string path;
  append_field(path, "metadata");
  append_field(path, "a.b/c");
  append_index(path, 12);
  append_field(path, "name");
  EXPECT_EQ(path, "metadata[\"a.b/c\"][12].name");
  const auto steps = split_path(path);
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[1].field, "a.b/c");
  EXPECT_EQ(steps[2].index, 12u);
  EXPECT_EQ(steps[3].field, "name");
  for (const char* broken : {"[", "a[", "a[x]", "[\"a", "a..b", "."}) split_path(broken);
}

TEST(Names, DurationsOfTheGatewayApi) {
  EXPECT_EQ(duration_ms("1h30m"), 5'400'000);
  EXPECT_EQ(duration_ms("0s"), 0);
  for (const char* wrong : {"", "s", "1", "1.5s", "-1s", "100000s", "1d", "1s1s1s1s1s"})
    EXPECT_FALSE(duration_ms(wrong)) << wrong;
}

}  // namespace
}  // namespace tidegate::resource
