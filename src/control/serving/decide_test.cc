#include "control/serving/decide.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "control/serving/children.h"
#include "control/serving/llm.h"
#include "resource/fields.h"

namespace tidegate::serving {
namespace {

using resource::Json;
using resource::ObjectPtr;
using Verb = loop::Action::Verb;

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

ObjectPtr stored(Json document, const std::string& uid) {
  const resource::Kind* kind =
      resource::find_kind(document["apiVersion"].get<std::string>(), document["kind"].get<std::string>());
  EXPECT_NE(kind, nullptr);
  for (const Error& error : resource::admit(*kind, document)) ADD_FAILURE() << describe(error);
  document["metadata"]["uid"] = uid;
  document["metadata"]["generation"] = 1;
  auto object = resource::Object::make(std::move(document));
  EXPECT_TRUE(object.has_value());
  return *object;
}

Json qwen() {
  return Json::parse(R"({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
    "metadata": {"name": "qwen-chat", "namespace": "default", "labels": {"app": "kserve", "servingName": "qwen-chat"},
      "annotations": {"serving.kserve.io/autoscalerClass": "external"}},
    "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "vllm:0.4.1",
      "command": ["sh", "-c", "python3 -m vllm.entrypoints.openai.api_server --port 8080"],
      "resources": {"limits": {"nvidia.com/gpu": 1}, "requests": {"nvidia.com/gpu": 1}}}]}}})");
}

// A store in miniature: what the decisions made.
class World {
 public:
  explicit World(Json service) : service_(std::move(service)) {}

  Settings settings;
  std::vector<std::string> events;  // that were said

  loop::Decision decide(const std::optional<Error>& refused = {}) {
    State state;
    state.refused = refused;
    state.object = stored(service_, "service-uid");
    if (is_llm(*state.object)) {
      state.written = state.object;
      state.object = *as_inference_service(*state.written);
    }
    for (const auto& [name, object] : objects_) {
      if (object->kind() == "Deployment") state.deployments.push_back(object);
      if (object->kind() == "Service") state.services.push_back(object);
      if (object->kind() == "Ingress") state.ingresses.push_back(object);
      if (object->kind() == "HorizontalPodAutoscaler") state.autoscalers.push_back(object);
    }
    return serving::decide(Kinds::find(), state, settings, kNow);
  }

  // Applies rounds until nothing is left to do; the number of changes, those of the status not counted.
  int settle() {
    int changes = 0;
    for (int round = 0; round < 10; ++round) {
      const loop::Decision decision = decide();
      for (const cluster::EventNote& event : decision.events)
        events.push_back(event.type + " " + event.message);
      if (decision.actions.empty()) return changes;
      for (const loop::Action& action : decision.actions) changes += apply(action);
    }
    ADD_FAILURE() << "never settles";
    return changes;
  }

  void change(const std::string& name, const std::function<void(Json&)>& edit) {
    Json document = objects_.at(name)->json();
    edit(document);
    objects_[name] = *resource::Object::make(std::move(document));
  }
  void make_available(const std::string& name) {
    change(name, [](Json& json) {
      json["status"]["conditions"] = Json::array({{{"type", "Available"}, {"status", "True"}}});
    });
  }

  // The API server took none of it.
  void refuse(const Error& error) {
    const loop::Decision decision = decide(error);
    for (const cluster::EventNote& event : decision.events)
      events.push_back(event.type + " " + event.message);
    for (const loop::Action& action : decision.actions) {
      EXPECT_EQ(action.verb, Verb::kUpdateStatus);
      apply(action);
    }
  }

  const Json& object(const std::string& name) const { return objects_.at(name)->json(); }
  bool has(const std::string& name) const { return objects_.contains(name); }
  Json& service() { return service_; }
  std::string condition(const std::string& type) const {
    for (const Json& each : service_["status"]["conditions"]) {
      if (each["type"] == type) return each["status"].get<std::string>() + " " + each.value("reason", "");
    }
    return "";
  }

 private:
  int apply(const loop::Action& action) {
    if (action.verb == Verb::kUpdateStatus) {
      EXPECT_EQ(action.kind->kind, service_["kind"].get<std::string>());
      service_["status"] = (*action.document)["status"];
      return 0;
    }
    const std::string name = std::string(action.kind->kind) + "/" + action.key.name;
    if (action.verb == Verb::kRemove) {
      objects_.erase(name);
    } else {
      objects_[name] = stored(*action.document, name);
    }
    return 1;
  }

  Json service_;
  std::map<std::string, ObjectPtr> objects_;
};

TEST(Serving, MakesWhatKserveMakes) {
  World world(qwen());
  EXPECT_EQ(world.settle(), 3);
  const Json& deployment = world.object("Deployment/qwen-chat-predictor");
  EXPECT_EQ(deployment["spec"]["selector"]["matchLabels"]["app"], "isvc.qwen-chat-predictor");
  const Json& labels = deployment["spec"]["template"]["metadata"]["labels"];
  EXPECT_EQ(labels["app"], "isvc.qwen-chat-predictor");
  EXPECT_EQ(labels["serving.kserve.io/inferenceservice"], "qwen-chat");
  EXPECT_EQ(labels["component"], "predictor");
  EXPECT_EQ(labels["servingName"], "qwen-chat");
  const Json& service = world.object("Service/qwen-chat-predictor");
  EXPECT_EQ(service["spec"]["ports"][0]["port"], 80);
  EXPECT_EQ(service["spec"]["ports"][0]["targetPort"], 8080);
  const Json& ingress = world.object("Ingress/qwen-chat");
  EXPECT_EQ(ingress["spec"]["rules"][0]["host"], "qwen-chat-default.example.com");
  EXPECT_EQ(world.service()["status"]["url"], "http://qwen-chat-default.example.com");
  EXPECT_FALSE(world.has("HorizontalPodAutoscaler/qwen-chat-predictor")) << "arena makes it";
}

TEST(Serving, WhatTheApiServerRefusesIsToldOnce) {
  World world(qwen());
  const Error refusal{Code::kInvalid, "spec.selector.matchLabels.app",
                      "is \"isvc.aaa\"; use at most 63 letters"};
  world.refuse(refusal);
  EXPECT_EQ(world.condition("PredictorReady"), "False InvalidPredictorSpec");
  EXPECT_EQ(world.events, std::vector<std::string>{"Warning " + describe(refusal)});
  EXPECT_TRUE(world.decide(refusal).actions.empty()) << "it would wake itself for ever";
  world.settle();
  EXPECT_NE(world.condition("PredictorReady"), "False InvalidPredictorSpec") << "at last it was taken";
}

TEST(Serving, AContainerWithoutAReadinessProbeIsReadyWhenItsPortAccepts) {
  World world(qwen());
  world.settle();
  const auto probe = [&] {
    const Json& deployment = world.object("Deployment/qwen-chat-predictor");
    return deployment["spec"]["template"]["spec"]["containers"][0]["readinessProbe"];
  };
  EXPECT_EQ(probe()["tcpSocket"]["port"], 8080);
  EXPECT_EQ(world.object("Deployment/qwen-chat-predictor")["spec"]["template"]["spec"]["containers"][0]
                                                          ["ports"][0]["containerPort"],
            8080);
  world.service()["spec"]["predictor"]["containers"][0]["readinessProbe"] = {
      {"httpGet", {{"path", "/health"}, {"port", 8080}}}};
  world.settle();
  EXPECT_FALSE(probe().contains("tcpSocket"));
  EXPECT_EQ(probe()["httpGet"]["path"], "/health");
}

TEST(Serving, BecomesReadyWithItsDeploymentAndItsIngress) {
  World world(qwen());
  world.settle();
  EXPECT_EQ(world.condition("PredictorReady"), "False MinimumReplicasUnavailable");
  EXPECT_EQ(world.condition("Ready"), "False PredictorReadyNotReady");
  world.make_available("Deployment/qwen-chat-predictor");
  world.settle();
  EXPECT_EQ(world.condition("PredictorReady"), "True ");
  EXPECT_EQ(world.condition("Ready"), "False IngressReadyNotReady");
  world.change("Ingress/qwen-chat", [](Json& json) {
    json["status"]["loadBalancer"]["ingress"] = Json::array({{{"ip", "127.0.0.1"}}});
  });
  world.settle();
  EXPECT_EQ(world.condition("Ready"), "True ");
  EXPECT_EQ(world.events, std::vector<std::string>{"Normal InferenceService [qwen-chat] is Ready"});
  world.change("Deployment/qwen-chat-predictor",
               [](Json& json) { json["status"]["conditions"][0]["status"] = "False"; });
  world.settle();
  EXPECT_EQ(world.events.back(), "Warning InferenceService [qwen-chat] is no longer Ready");
}

TEST(Serving, LeavesReplicasToTheAutoscalerAndRepairsTheRest) {
  World world(qwen());
  world.settle();
  world.change("Deployment/qwen-chat-predictor", [](Json& json) {
    json["spec"]["replicas"] = 3;
    json["metadata"]["labels"]["of-another"] = "kept";
    json["spec"]["template"]["spec"]["containers"][0]["image"] = "edited:by-hand";
  });
  EXPECT_EQ(world.settle(), 1);
  const Json& deployment = world.object("Deployment/qwen-chat-predictor");
  EXPECT_EQ(deployment["spec"]["replicas"], 3);
  EXPECT_EQ(deployment["metadata"]["labels"]["of-another"], "kept");
  EXPECT_EQ(deployment["spec"]["template"]["spec"]["containers"][0]["image"], "vllm:0.4.1");
}

TEST(Serving, AFieldThatIsNoLongerAskedForGoes) {
  World world(qwen());
  world.settle();
  world.service()["spec"]["predictor"]["containers"][0].erase("resources");
  EXPECT_EQ(world.settle(), 1);
  EXPECT_FALSE(
      world.object("Deployment/qwen-chat-predictor")["spec"]["template"]["spec"]["containers"][0].contains(
          "resources"));
}

TEST(Serving, MakesAnAutoscalerUnlessOthersDo) {
  Json service = qwen();
  service["metadata"]["annotations"].clear();
  service["spec"]["predictor"]["minReplicas"] = 2;
  service["spec"]["predictor"]["maxReplicas"] = 5;
  service["spec"]["predictor"]["scaleTarget"] = 60;
  World world(service);
  world.settle();
  const Json& autoscaler = world.object("HorizontalPodAutoscaler/qwen-chat-predictor");
  EXPECT_EQ(autoscaler["spec"]["minReplicas"], 2);
  EXPECT_EQ(autoscaler["spec"]["maxReplicas"], 5);
  EXPECT_EQ(autoscaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 60);
  EXPECT_EQ(autoscaler["spec"]["scaleTargetRef"]["name"], "qwen-chat-predictor");
}

TEST(Serving, ACanaryRunsBesideTheOldRevisionUntilItIsRolledOut) {
  World world(qwen());
  world.settle();
  world.make_available("Deployment/qwen-chat-predictor");
  world.settle();
  const std::string old_revision =
      world.service()["status"]["components"]["predictor"]["latestReadyRevision"];

  world.service()["spec"]["predictor"]["containers"][0]["image"] = "vllm:0.5";
  world.service()["spec"]["predictor"]["canaryTrafficPercent"] = 20;
  world.settle();
  EXPECT_EQ(
      world.object("Deployment/qwen-chat-predictor")["spec"]["template"]["spec"]["containers"][0]["image"],
      "vllm:0.4.1");
  EXPECT_EQ(
      world.object(
          "Deployment/qwen-chat-predictor-canary")["spec"]["template"]["spec"]["containers"][0]["image"],
      "vllm:0.5");
  const Json& route = world.object("Ingress/qwen-chat-canary");
  EXPECT_EQ(route["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"], "20");
  EXPECT_EQ(route["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"],
            "qwen-chat-predictor-canary");
  const Json traffic = world.service()["status"]["components"]["predictor"]["traffic"];
  EXPECT_EQ(traffic[0]["percent"], 20);
  EXPECT_EQ(traffic[1]["percent"], 80);
  EXPECT_EQ(traffic[1]["revisionName"], old_revision);

  world.service()["spec"]["predictor"]["canaryTrafficPercent"] = 100;
  world.settle();
  EXPECT_EQ(
      world.object("Deployment/qwen-chat-predictor")["spec"]["template"]["spec"]["containers"][0]["image"],
      "vllm:0.5");
  EXPECT_FALSE(world.has("Deployment/qwen-chat-predictor-canary"));
  EXPECT_FALSE(world.has("Ingress/qwen-chat-canary"));
}

TEST(Serving, StopsAndStartsAgain) {
  World world(qwen());
  world.settle();
  world.service()["metadata"]["annotations"]["serving.kserve.io/stop"] = "true";
  world.settle();
  EXPECT_FALSE(world.has("Deployment/qwen-chat-predictor"));
  EXPECT_FALSE(world.has("Ingress/qwen-chat"));
  EXPECT_EQ(world.condition("Stopped"), "True ");
  EXPECT_EQ(world.condition("Ready"), "False Stopped");
  world.service()["metadata"]["annotations"].erase("serving.kserve.io/stop");
  world.settle();
  EXPECT_TRUE(world.has("Deployment/qwen-chat-predictor"));
}

Json model_form() {
  return Json::parse(R"({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
    "metadata": {"name": "llama", "namespace": "default"},
    "spec": {"predictor": {"model": {"modelFormat": {"name": "vllm"}, "storageUri": "pvc://models/llama",
      "args": ["--max-model-len=2048"]}}}})");
}

TEST(Serving, AModelIsServedByItsRuntimeFromItsClaim) {
  World world(model_form());
  world.settle();
  const Json& spec = world.object("Deployment/llama-predictor")["spec"]["template"]["spec"];
  const Json& container = spec["containers"][0];
  EXPECT_EQ(container["name"], "kserve-container");
  EXPECT_EQ(container["args"].back(), "--max-model-len=2048");
  EXPECT_EQ(container["volumeMounts"][0]["mountPath"], "/mnt/models");
  EXPECT_EQ(container["volumeMounts"][0]["subPath"], "llama");
  EXPECT_EQ(spec["volumes"][0]["persistentVolumeClaim"]["claimName"], "models");
}

TEST(Serving, AUriThatIsAFolderOfThisMachineIsMounted) {
  Json service = model_form();
  service["spec"]["predictor"]["model"]["storageUri"] = "hf://Qwen/Qwen2.5-0.5B";
  World world(service);
  world.settings.storage = {{"hf://Qwen", "/srv/qwen"}};
  world.settle();
  const Json& volume = world.object("Deployment/llama-predictor")["spec"]["template"]["spec"]["volumes"][0];
  EXPECT_EQ(volume["hostPath"]["path"], "/srv/qwen/Qwen2.5-0.5B");
  world.service()["spec"]["predictor"]["model"]["storageUri"] = "hf://Qwen/../etc";
  EXPECT_EQ(world.settle(), 0);
  EXPECT_EQ(world.condition("PredictorReady"), "False InvalidPredictorSpec");
}

TEST(Serving, HostsFollowTheTemplate) {
  World world(qwen());
  world.settings.domain_template = "{{.Name}}.{{.Namespace}}.{{.IngressDomain}}";
  world.settings.ingress_domain = "models.test";
  ASSERT_TRUE(check(world.settings));
  world.settle();
  EXPECT_EQ(world.object("Ingress/qwen-chat")["spec"]["rules"][0]["host"], "qwen-chat.default.models.test");
  EXPECT_EQ(world.service()["status"]["url"], "http://qwen-chat.default.models.test");
  world.settings.domain_template = "{{.Name}}.models.test";
  EXPECT_EQ(describe(check(world.settings).error()),
            "--domain-template lacks {{.Namespace}}, so that two services would get one host");
  world.settings.domain_template = "{{.Name}}_{{.Namespace}}";
  EXPECT_FALSE(check(world.settings));
}

Json llm_form() {
  return Json::parse(R"({"apiVersion": "serving.kserve.io/v1alpha2", "kind": "LLMInferenceService",
    "metadata": {"name": "qwen", "namespace": "default"},
    "spec": {"model": {"uri": "pvc://models/qwen", "name": "Qwen/Qwen2.5",
                       "lora": {"adapters": [{"name": "sql", "uri": "pvc://adapters/sql"}]}},
             "replicas": 2, "parallelism": {"tensor": 2},
             "template": {"containers": [{"name": "main", "args": ["--max-model-len=2048"],
                                          "resources": {"limits": {"nvidia.com/gpu": 2}}}]}}})");
}

TEST(LlmServing, MakesADeploymentAServiceAndARoute) {
  World world(llm_form());
  world.settle();
  const Json& spec = world.object("Deployment/qwen-kserve")["spec"];
  EXPECT_EQ(spec["replicas"], 2);
  EXPECT_FALSE(world.has("HorizontalPodAutoscaler/qwen-kserve"));
  const Json& container = spec["template"]["spec"]["containers"][0];
  const Json args = Json::parse(R"(["--port", "8080", "--model", "/mnt/models", "--served-model-name", "qwen",
      "--served-model-name", "Qwen/Qwen2.5", "--tensor-parallel-size", "2", "--enable-lora", "--lora-modules",
      "sql=/mnt/lora/0", "--max-model-len=2048"])");
  EXPECT_EQ(container["args"], args);
  EXPECT_EQ(container["resources"]["limits"]["nvidia.com/gpu"], 2);
  EXPECT_EQ(world.object("Ingress/qwen")["spec"]["rules"][0]["host"], "qwen-default.example.com");
  EXPECT_EQ(world.condition("Ready"), "False MainWorkloadReadyNotReady");
  world.make_available("Deployment/qwen-kserve");
  world.settle();
  EXPECT_EQ(world.condition("MainWorkloadReady"), "True ");
  EXPECT_EQ(world.service()["status"]["url"], "http://qwen-default.example.com");
  EXPECT_FALSE(world.service()["spec"].contains("predictor")) << "what the user wrote stays";
}

TEST(LlmServing, ScalingIsByDemand) {
  Json service = llm_form();
  service["spec"].erase("replicas");
  service["spec"]["scaling"] = {{"minReplicas", 1}, {"maxReplicas", 4}, {"wva", {{"variantCost", "10.0"}}}};
  World world(service);
  world.settle();
  const Json& autoscaler = world.object("HorizontalPodAutoscaler/qwen-kserve");
  EXPECT_EQ(autoscaler["spec"]["maxReplicas"], 4);
  EXPECT_EQ(autoscaler["metadata"]["annotations"]["tidegate.dev/scaling-rule"], "demand");
  EXPECT_EQ(autoscaler["spec"]["scaleTargetRef"]["name"], "qwen-kserve");
}

TEST(LlmServing, WhatCannotBeRunIsRefused) {
  const auto verdict = [](const std::function<void(Json&)>& edit) {
    Json document = llm_form();
    edit(document);
    const auto errors = resource::admit(*Kinds::find().llm_service, document);
    return errors.empty() ? std::string("accepted") : describe(errors.front());
  };
  EXPECT_EQ(verdict([](Json&) {}), "accepted");
  EXPECT_EQ(verdict([](Json& json) {
              json["spec"]["worker"] = Json::object({{"a", 1}});
            }),
            "spec.worker is not run here; leave it out to serve each replica by one pod");
  EXPECT_EQ(verdict([](Json& json) {
              json["spec"]["scaling"] = {{"maxReplicas", 3}};
            }),
            "spec.scaling and replicas are both set; use one of them");
  EXPECT_EQ(verdict([](Json& json) { json["spec"]["model"]["lora"]["adapters"][0]["uri"] = "hf://a/b"; }),
            "spec.model.lora.adapters[0].uri is no pvc://claim/folder, from where adapters are served here");
  EXPECT_NE(verdict([](Json& json) { json["spec"]["model"].erase("uri"); }), "accepted");
  EXPECT_NE(verdict([](Json& json) { json["spec"]["template"]["volumes"] = "none"; }), "accepted");
  EXPECT_NE(verdict([](Json& json) { json["spec"]["template"]["containers"][0]["volumeMounts"] = 1; }),
            "accepted");
}

TEST(Serving, WhatNothingCanBeMadeOfIsSaidAndLeavesAloneWhatRuns) {
  World world(model_form());
  world.settle();
  world.service()["spec"]["predictor"]["model"]["modelFormat"]["name"] = "onnx";
  EXPECT_EQ(world.settle(), 0);
  EXPECT_TRUE(world.has("Deployment/llama-predictor"));
  EXPECT_EQ(world.condition("PredictorReady"), "False InvalidPredictorSpec");
  ASSERT_EQ(world.events.size(), 1u);
  EXPECT_NE(world.events[0].find("which no ServingRuntime supports"), std::string::npos);
  world.service()["spec"]["predictor"]["model"]["modelFormat"]["name"] = "vllm";
  world.service()["spec"]["predictor"]["model"]["storageUri"] = "s3://bucket/llama";
  EXPECT_EQ(world.settle(), 0);
  EXPECT_EQ(world.condition("PredictorReady"), "False InvalidPredictorSpec");
}

TEST(Serving, BadFieldsAreRefusedWithTheirPath) {
  const auto verdict = [](const std::function<void(Json&)>& edit) {
    Json document = qwen();
    edit(document);
    const auto errors = resource::admit(*Kinds::find().service, document);
    return errors.empty() ? std::string("accepted") : describe(errors.front());
  };
  EXPECT_EQ(verdict([](Json&) {}), "accepted");
  EXPECT_EQ(verdict([](Json& json) {
              json["spec"]["predictor"]["minReplicas"] = 3;
              json["spec"]["predictor"]["maxReplicas"] = 1;
            }),
            "spec.predictor.maxReplicas is 1, less than minReplicas (3); use at least that");
  EXPECT_EQ(verdict([](Json& json) { json["spec"]["predictor"]["scaleTarget"] = 0; }),
            "spec.predictor.scaleTarget is 0; use a whole number of at least 1 and at most 2147483647");
  EXPECT_EQ(verdict([](Json& json) { json["spec"]["predictor"].erase("containers"); }),
            "spec.predictor.containers is missing, and so is model; give one of them");
  EXPECT_EQ(verdict([](Json& json) { json["spec"]["transformer"] = Json::object(); }),
            "spec.transformer is not run here; serve it as an InferenceService of its own");
}

}  // namespace
}  // namespace tidegate::serving
