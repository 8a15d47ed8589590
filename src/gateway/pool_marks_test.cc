// What objects beside a pool make of it: objectives, rewritten names, keys, holding.

#include <gtest/gtest.h>

#include "gateway/snapshot.h"
#include "gateway/test_objects.h"

namespace tidegate::gateway {
namespace {

ObjectPtr pool(const std::string& annotations = "{}") {
  return object(
      R"({"apiVersion":"inference.networking.k8s.io/v1","kind":"InferencePool","metadata":{"name":"p","annotations":)" +
      annotations + R"(},"spec":{"targetPorts":[{"number":8000}],"selector":{"matchLabels":{"app":"p"}}}})");
}

ObjectPtr objective(const std::string& name, int priority, const std::string& pool_name = "p") {
  return object(R"({"apiVersion":"llm-d.ai/v1alpha2","kind":"InferenceObjective","metadata":{"name":")" +
                name + R"("},"spec":{"priority":)" + std::to_string(priority) + R"(,"poolRef":{"name":")" +
                pool_name + R"("}}})");
}

ObjectPtr model_rewrite(const std::string& name, const std::string& rules,
                        const std::string& created = "2026-01-01T00:00:00Z") {
  return object(R"({"apiVersion":"inference.networking.x-k8s.io/v1alpha2","kind":"InferenceModelRewrite",)"
                R"("metadata":{"name":")" +
                name + R"(","creationTimestamp":")" + created +
                R"("},"spec":{"poolRef":{"name":"p"},"rules":)" + rules + "}}");
}

ObjectPtr secret(const std::string& annotations, const std::string& label = "true") {
  return object(
      R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"keys","labels":{"tidegate.dev/api-keys":")" +
      label + R"("},"annotations":)" + annotations + R"(},"stringData":{"alice":"sk-alice-0123456789\n"}})");
}

const Condition& accepted(const Compiled& compiled, std::string_view name) {
  for (const Finding& finding : compiled.findings) {
    if (finding.object->name() == name) return finding.conditions.at(0);
  }
  static const Condition kNone;
  return kNone;
}

std::string served(const Pool& pool, const std::string& asked) {
  const auto resolution = pool.models.resolve(asked, 0, nullptr);
  return resolution.target ? resolution.target->model : "as it is";
}

TEST(KvEvents, TheAnnotationGoesBeforeThePickersSettings) {
  const auto ports = [](const std::string& annotations, std::uint16_t otherwise) {
    Inputs inputs;
    inputs.inference_pools = {pool(annotations)};
    const Compiled compiled = compile(inputs);
    const Picking& picking = compiled.snapshot->pools.at(0).picking;
    pick::Settings settings;
    settings.kv_events_port = otherwise;
    Endpoint second;
    second.port = 8001;
    second.rank = 1;
    return std::pair(picking.kv_events_port(second, picking.over(settings)), picking.kv_replay_port(second));
  };
  using Ports = std::pair<std::uint16_t, std::uint16_t>;
  EXPECT_EQ(ports("{}", 0), Ports(0, 0));
  EXPECT_EQ(ports("{}", 5557), Ports(5558, 0));
  EXPECT_EQ(ports(R"({"tidegate.dev/kv-events-port":"0"})", 5557), Ports(0, 0));
  EXPECT_EQ(
      ports(R"({"tidegate.dev/kv-events-port":"6000","tidegate.dev/kv-events-replay-port":"8001=7000"})", 0),
      Ports(6001, 7000));
  Inputs inputs;
  inputs.inference_pools = {pool(R"({"tidegate.dev/kv-events-port":"many"})")};
  const Compiled compiled = compile(inputs);
  EXPECT_NE(compiled.snapshot->pools.at(0).picking.problem.find("kv-events-port is \"many\""),
            std::string::npos);
}

TEST(Objectives, GiveAPoolPriorities) {
  Inputs inputs;
  inputs.inference_pools = {pool()};
  inputs.objectives = {objective("high", 7), objective("lost", 1, "nowhere")};
  const Compiled compiled = compile(inputs);
  const Pool& made = compiled.snapshot->pools.at(0);
  EXPECT_EQ(made.objectives.at("high"), 7);
  EXPECT_EQ(made.objectives.size(), 1U);
  EXPECT_EQ(accepted(compiled, "high").status, Truth::kTrue);
  EXPECT_EQ(accepted(compiled, "lost").reason, "Pending");
}

TEST(Rewrites, ExactBeforeEveryAndOlderBeforeYounger) {
  Inputs inputs;
  inputs.inference_pools = {pool()};
  inputs.model_rewrites = {
      model_rewrite("younger",
                    R"([{"matches":[{"model":{"value":"a"}}],"targets":[{"modelRewrite":"young"}]},
                        {"matches":[{"model":{"value":"b"}}],"targets":[{"modelRewrite":"b1"}]}])",
                    "2026-02-01T00:00:00Z"),
      model_rewrite("older", R"([{"targets":[{"modelRewrite":"any"}]},
                                 {"matches":[{"model":{"value":"a"}}],"targets":[{"modelRewrite":"old"}]}])")};
  const Compiled compiled = compile(inputs);
  const Pool& made = compiled.snapshot->pools.at(0);
  EXPECT_EQ(served(made, "a"), "old");
  EXPECT_EQ(served(made, "b"), "b1");
  EXPECT_EQ(served(made, "c"), "any");
  EXPECT_EQ(accepted(compiled, "older").status, Truth::kTrue);
}

TEST(Rewrites, WeightsOnSomeTargetsAreRefusedWhole) {
  Inputs inputs;
  inputs.inference_pools = {pool()};
  inputs.model_rewrites = {model_rewrite("half", R"([{"targets":[{"modelRewrite":"x"}]},
                  {"matches":[{"model":{"value":"a"}}],"targets":[{"modelRewrite":"y","weight":1},{"modelRewrite":"z"}]}])")};
  const Compiled compiled = compile(inputs);
  EXPECT_EQ(accepted(compiled, "half").status, Truth::kFalse);
  EXPECT_EQ(served(compiled.snapshot->pools.at(0), "a"), "as it is");
}

TEST(ApiKeys, ArePerNamespaceAndFailClosed) {
  Inputs inputs;
  inputs.secrets = {secret(R"({"tidegate.dev/models":"sql-*","tidegate.dev/tokens-per-minute":"5"})")};
  inputs.inference_pools = {pool()};
  EXPECT_EQ(compile(inputs).snapshot->pools.at(0).keys, nullptr);
  inputs.inference_pools = {pool(R"({"tidegate.dev/api-keys":"required"})")};
  const Compiled compiled = compile(inputs);
  const guard::Client* alice = compiled.snapshot->pools.at(0).keys->find("sk-alice-0123456789");
  ASSERT_NE(alice, nullptr);
  EXPECT_EQ(alice->name, "default/keys/alice");
  EXPECT_EQ(alice->limits.tokens_per_minute, 5U);
  EXPECT_FALSE(alice->models.allows("tweet"));
  for (const char* broken :
       {R"({"tidegate.dev/tokens-per-day":"-5"})", R"({"tidegate.dev/tokens-per-day":"0"})",
        R"({"tidegate.dev/models":" , "})", R"({"tidegate.dev/requests-per-minute":"1k"})"}) {
    inputs.secrets = {secret(broken)};
    const Compiled closed = compile(inputs);
    ASSERT_NE(closed.snapshot->pools.at(0).keys, nullptr);
    EXPECT_EQ(closed.snapshot->pools.at(0).keys->size(), 0U) << broken;
    ASSERT_EQ(closed.remarks.size(), 1U) << broken;
    EXPECT_EQ(closed.remarks[0].object, inputs.secrets[0]);
    EXPECT_NE(closed.remarks[0].text.find("none of the Secret's keys is taken"), std::string::npos);
  }
}

std::string remarked(const Inputs& inputs) {
  std::string all;
  for (const Remark& remark : compile(inputs).remarks)
    all += (remark.is_problem ? "! " : "- ") + remark.text + "\n";
  return all;
}

TEST(Remarks, SayWhatNoConditionTells) {
  Inputs inputs;
  inputs.secrets = {object(
      R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"keys","labels":{"tidegate.dev/api-keys":"true"}},)"
      R"("stringData":{"alice":"sk-alice-0123456789","bob":"short"}})")};
  inputs.inference_pools = {pool(R"({"tidegate.dev/api-keys":"requird","tidegate.dev/hold":"a while"})")};
  EXPECT_EQ(remarked(inputs),
            "! annotation tidegate.dev/hold is neither true nor false nor a time such as 5m; it counts as "
            "not written\n"
            "! annotation tidegate.dev/api-keys is neither required nor none; it counts as required\n"
            "! entry bob is no key: keys have 8 to 1024 bytes\n");
  inputs.inference_pools = {pool(R"({"tidegate.dev/session-affinity":"always"})")};
  EXPECT_TRUE(remarked(inputs).starts_with("! annotation tidegate.dev/session-affinity "))
      << remarked(inputs);
  inputs.inference_pools = {pool(R"({"tidegate.dev/unlisted-models":"maybe"})")};
  EXPECT_TRUE(remarked(inputs).starts_with("! annotation tidegate.dev/unlisted-models is neither ask nor skip"))
      << remarked(inputs);
  inputs.inference_pools = {pool(
      R"({"tidegate.dev/picker-config":"{apiVersion: llm-d.ai/v1alpha1, kind: EndpointPickerConfig, plugins: [{type: queue-scorer}], featureGates: [x]}"})")};
  EXPECT_EQ(
      remarked(inputs),
      "- annotation tidegate.dev/picker-config: featureGates is not read: flags of the gateway set it\n");
}

TEST(Holding, IsForPoolsThatSomebodyScalesFromZero) {
  Inputs inputs;
  inputs.inference_pools = {pool()};
  inputs.deployments = {object(
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"app":"p"}},
          "template":{"metadata":{"labels":{"app":"p"}},"spec":{"containers":[{"name":"c","image":"vllm"}]}}}})")};
  EXPECT_FALSE(compile(inputs).snapshot->pools.at(0).holds);
  inputs.autoscalers = {object(
      R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"h",
          "annotations":{"tidegate.dev/scaling-rule":"demand"}},
          "spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"d"},"minReplicas":0,"maxReplicas":2}})")};
  EXPECT_TRUE(compile(inputs).snapshot->pools.at(0).holds);
  inputs.inference_pools = {pool(R"({"tidegate.dev/hold":"false"})")};
  EXPECT_FALSE(compile(inputs).snapshot->pools.at(0).holds);
  inputs.autoscalers.clear();
  inputs.inference_pools = {pool(R"({"tidegate.dev/hold":"90s"})")};
  EXPECT_EQ(compile(inputs).snapshot->pools.at(0).hold_timeout, std::chrono::seconds(90));
}

}  // namespace
}  // namespace tidegate::gateway
