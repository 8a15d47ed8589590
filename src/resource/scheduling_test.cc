// Admission and reading of what placement and node pools go by.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "resource/kind.h"
#include "resource/node_pool.h"
#include "resource/pod.h"
#include "resource/resource_policy.h"
#include "resource/yaml.h"

namespace tidegate::resource {
namespace {

Json read(std::string_view text) {
  auto documents = parse_documents("test.yaml", text);
  EXPECT_TRUE(documents.has_value()) << (documents ? "" : documents.error().message);
  return *documents->front().json;
}

std::string verdict(Json document) {
  const auto kind = kind_of(document);
  if (!kind) return describe(kind.error());
  std::string result;
  for (const Error& error : admit(**kind, document)) result += (result.empty() ? "" : "\n") + describe(error);
  return result.empty() ? "accepted" : result;
}

std::string pool(const std::string& more) {
  return verdict(
      read("apiVersion: tidegate.dev/v1alpha1\nkind: NodePool\nmetadata: {name: p}\nspec:\n"
           "  capacity: {cpu: 8, memory: 32Gi}\n" +
           more));
}

TEST(NodePoolKind, SaysWhatIsWrong) {
  EXPECT_EQ(pool("  max: 3\n"), "accepted");
  EXPECT_EQ(pool("  min: 4\n  max: 3\n"), "spec.min is 4 and max is 3; use a min of at most max");
  EXPECT_EQ(pool("  min: 1\n"), "spec.max is missing; it is required");
  EXPECT_EQ(pool("  provider: static\n  min: 1\n  max: 3\n"),
            "spec.min is 1 and max is 3; static machines exist or do not, use the same number for both");
  EXPECT_EQ(pool("  max: 1\n  pricePerHour: -1\n"), "spec.pricePerHour is -1; use 0 to 1000000");
  EXPECT_EQ(pool("  min: 2\n  max: 3\n  pricePerHour: 10\n  maxCostPerHour: 15\n"),
            "spec.maxCostPerHour is less than min machines cost; raise it, or lower min");
  EXPECT_EQ(pool("  max: 1\n  provider: exec\n"), "spec.exec is missing; it is required");
  EXPECT_EQ(pool("  max: 1\n  provider: cloud\n"),
            "spec.provider is \"cloud\"; use static, local, exec or externalgrpc");
  EXPECT_EQ(pool("  max: 1\n  provider: externalgrpc\n"), "spec.externalgrpc is missing; it is required");
  const auto external = [](const std::string& more) {
    return verdict(
        read("apiVersion: tidegate.dev/v1alpha1\nkind: NodePool\nmetadata: {name: p}\n"
             "spec: {provider: externalgrpc, max: 1, externalgrpc: {" +
             more + "}}\n"));
  };
  EXPECT_EQ(external("address: 'cloud:8086'"), "accepted") << "the service tells what a machine has";
  EXPECT_EQ(external("nodeGroup: g"), "spec.externalgrpc.address is missing; it is required");
  EXPECT_EQ(external("address: cloud"), "spec.externalgrpc.address is 'cloud' without a port; use host:port");
  EXPECT_EQ(external("address: 'cloud:1', key: /k"),
            "spec.externalgrpc.cert and key come together; give both, or neither");
  EXPECT_EQ(external("address: 'cloud:1', timeout: 1h"),
            "spec.externalgrpc.timeout is out of range; use 1ms to 5m");
  EXPECT_EQ(pool("  max: 1\n  local: {bootDelay: 3}\n"),
            "spec.local.bootDelay is 3 (a number); use a string, with quotes around it");
  EXPECT_EQ(pool("  max: 1\n  scaleDown: {utilizationThreshold: 2}\n"),
            "spec.scaleDown.utilizationThreshold is 2; use 0 to 1");
  EXPECT_EQ(pool("  max: 1\n  taints: [{key: gpu, effect: NoRun}]\n"),
            "spec.taints[0].effect is \"NoRun\"; use NoSchedule, PreferNoSchedule or NoExecute");
  EXPECT_EQ(verdict(read("apiVersion: tidegate.dev/v1alpha1\nkind: NodePool\nmetadata: {name: p}\n"
                         "spec: {max: 1, capacity: {cpu: 8}}\n")),
            "spec.capacity lacks memory; say how much a machine of the pool has");
}

std::string policy(const std::string& more) {
  return verdict(read(
      "apiVersion: scheduling.alibabacloud.com/v1alpha1\nkind: ResourcePolicy\nmetadata: {name: p}\nspec:\n" +
      more));
}

TEST(ResourcePolicyKind, SaysWhatIsWrong) {
  const std::string units = "  units: [{resource: ecs, nodeSelector: {pool: a}}, {resource: elastic}]\n";
  EXPECT_EQ(policy(units), "accepted");
  EXPECT_EQ(policy("  selector: {app: a}\n"), "spec.units is missing; it is required");
  EXPECT_EQ(policy("  units: []\n"), "spec.units has 0 items; use 1 to 64");
  EXPECT_EQ(policy("  units: [{resource: gpu}]\n"),
            "spec.units[0].resource is \"gpu\"; use ecs, eci, elastic or acs");
  EXPECT_EQ(policy("  units: [{max: -1}]\n"),
            "spec.units[0].max is -1; use a whole number of at least 0 and at "
            "most 2147483647");
  EXPECT_EQ(policy("  units: [{maxPods: 1}]\n"),
            "spec.units[0].maxPods is not a field here; known are resource, nodeSelector, max, maxResources, "
            "podLabels, "
            "podAnnotations, spotInstance or scaleInWeight");
  EXPECT_EQ(policy(units + "  strategy: maybe\n"), "spec.strategy is \"maybe\"; use prefer or required");
  EXPECT_EQ(
      policy(units + "  whenTryNextUnits: {policy: TimeoutOrExceedMax, timeout: 5x}\n"),
      "spec.whenTryNextUnits.timeout is \"5x\"; use whole hours, minutes, seconds and milliseconds like "
      "500ms, 10s or 1h30m");
}

TEST(ResourcePolicyKind, ReadsBothSpellingsAndTheWaitLabel) {
  const auto object = Object::make(read(
      "apiVersion: scheduling.alibabacloud.com/v1alpha1\nkind: ResourcePolicy\nmetadata: {name: p}\nspec:\n"
      "  units:\n  - podLabels: {tier: cloud, k8s.aliyun.com/resource-policy-wait-for-ecs-scaling: "
      "\"true\"}\n"
      "    max: 2\n  whenTryNextUnits: {policy: LackResourceAndNoterminating}\n"));
  const auto view = ResourcePolicy::from(**object);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->next_unit, NextUnit::kLackResourceAndNoTerminating);
  EXPECT_TRUE(view->units[0].waits_for_scaling);
  EXPECT_EQ(view->units[0].pod_labels, (Labels{{"tier", "cloud"}}));
  EXPECT_EQ(view->units[0].max, 2);
  EXPECT_TRUE(view->ignore_terminating_pod);
}

TEST(PriorityClassKind, KeepsTheHighestForTheSystem) {
  const auto named = [](const std::string& name, const std::string& value) {
    return verdict(read("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: " + name +
                        "}\nvalue: " + value + "\n"));
  };
  EXPECT_EQ(named("high", "1000"), "accepted");
  EXPECT_EQ(named("high", "2000000000"), "value is 2000000000; use -2147483648 to 1000000000");
  EXPECT_EQ(named("system-node-critical", "2000001000"), "accepted");
}

TEST(PodAffinity, IsReadWhole) {
  const auto object = Object::make(read(R"(
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  overhead: {cpu: 250m}
  preemptionPolicy: Never
  containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
        - matchExpressions: [{key: gen, operator: Gt, values: ["3"]}]
      preferredDuringSchedulingIgnoredDuringExecution:
      - {weight: 7, preference: {matchExpressions: [{key: zone, operator: In, values: [a]}]}}
    podAntiAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
      - {topologyKey: zone, labelSelector: {matchLabels: {app: x}}}
  topologySpreadConstraints:
  - {maxSkew: 2, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: x}}}
)"));
  const auto pod = Pod::from(**object);
  ASSERT_TRUE(pod.has_value()) << describe(pod.error());
  EXPECT_TRUE(pod->spec.affinity.allows({{"gen", "4"}}, "n"));
  EXPECT_FALSE(pod->spec.affinity.allows({{"gen", "3"}}, "n"));
  EXPECT_FALSE(pod->spec.affinity.allows({}, "n"));
  EXPECT_EQ(pod->spec.affinity.node_preferred.at(0).weight, 7);
  EXPECT_EQ(pod->spec.affinity.anti_required.at(0).topology_key, "zone");
  EXPECT_FALSE(pod->spec.spread.at(0).required);
  EXPECT_TRUE(pod->spec.never_preempts);
  EXPECT_EQ(pod->spec.requests().at("cpu").milli, 1250);
}

}  // namespace
}  // namespace tidegate::resource
