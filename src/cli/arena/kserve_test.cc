// The flags of `arena serve kserve` and the objects they become.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/arena/kserve_documents.h"
#include "resource/fields.h"
#include "resource/inference_service.h"
#include "resource/kind.h"

namespace tidegate::arena {
namespace {

using resource::Json;
using resource::text;

const std::vector<std::string> kTutorial = {
    "--name=qwen-chat",
    "--image=registry.example/kube-ai/vllm:0.4.1",
    "--scale-metric=DCGM_CUSTOM_PROCESS_SM_UTIL",
    "--scale-target=50",
    "--min-replicas=1",
    "--max-replicas=3",
    "--gpus=1",
    "--cpu=4",
    "--memory=12Gi",
    "--data=llm-model:/mnt/models/Qwen",
    "python3 -m vllm.entrypoints.openai.api_server --port 8080 --model /mnt/models/Qwen"};

Result<Job> job_from(const std::vector<std::string>& arguments) {
  KserveFlags flags;
  FlagSet set;
  add_kserve_flags(set, flags);
  const auto words = set.parse(arguments);
  if (!words) return tl::unexpected(words.error());
  return make_job(flags, *words);
}

std::string error_of(std::vector<std::string> more) {
  more.insert(more.end(), {"--name=a", "--image=vllm"});
  const auto job = job_from(more);
  return job ? "" : describe(job.error());
}

void expect_valid(const Json& document) {
  const resource::Kind* kind = resource::find_kind(text(document, "apiVersion"), text(document, "kind"));
  ASSERT_NE(kind, nullptr);
  Json defaulted = document;
  if (kind->set_defaults) kind->set_defaults(defaulted);
  resource::Findings findings;
  kind->validate(defaulted, findings);
  for (const Error& error : findings.errors) ADD_FAILURE() << describe(error) << "\n" << document.dump(2);
}

TEST(Kserve, TheTutorialsCommandLine) {
  const auto job = job_from(kTutorial);
  ASSERT_TRUE(job) << describe(job.error());
  const auto documents = documents_of(*job, "default");
  expect_valid(documents[0]);
  EXPECT_EQ(text(documents[0], "metadata.name"), "qwen-chat");
  EXPECT_EQ(resource::text_map(documents[0], "metadata.annotations")["serving.kserve.io/autoscalerClass"],
            "external");
  const auto labels = resource::text_map(documents[0], "metadata.labels");
  EXPECT_EQ(labels.at("servingType"), "kserve");
  EXPECT_EQ(labels.at("servingName"), "qwen-chat");
  const Json& predictor = documents[0]["spec"]["predictor"];
  EXPECT_FALSE(predictor.contains("minReplicas"));
  const Json& container = predictor["containers"][0];
  EXPECT_EQ(container["command"], Json({"sh", "-c", kTutorial.back()}));
  EXPECT_EQ(container["resources"]["limits"],
            Json({{"cpu", "4"}, {"memory", "12Gi"}, {"nvidia.com/gpu", "1"}}));
  EXPECT_EQ(container["resources"]["requests"], container["resources"]["limits"]);
  EXPECT_EQ(container["volumeMounts"][0], Json({{"name", "llm-model"}, {"mountPath", "/mnt/models/Qwen"}}));
  EXPECT_EQ(predictor["volumes"][0]["persistentVolumeClaim"]["claimName"], "llm-model");

  ASSERT_EQ(documents.size(), 2u);
  const Json& autoscaler = documents[1];
  expect_valid(autoscaler);
  EXPECT_EQ(text(autoscaler, "metadata.name"), "qwen-chat-hpa");
  EXPECT_EQ(text(autoscaler, "spec.scaleTargetRef.name"), "qwen-chat-predictor");
  EXPECT_EQ(autoscaler["spec"]["minReplicas"], 1);
  EXPECT_EQ(autoscaler["spec"]["maxReplicas"], 3);
  const Json& pods = autoscaler["spec"]["metrics"][0]["pods"];
  EXPECT_EQ(text(pods, "metric.name"), "DCGM_CUSTOM_PROCESS_SM_UTIL");
  EXPECT_EQ(text(pods, "target.averageValue"), "50");
}

TEST(Kserve, MetricsOfKserveItselfStayWithIt) {
  const auto job = job_from({"--name=a", "--image=vllm", "--scale-metric=concurrency", "--scale-target=2",
                             "--max-replicas=4", "--canary-traffic-percent=10", "--timeout=30"});
  ASSERT_TRUE(job) << describe(job.error());
  const auto documents = documents_of(*job, "ns");
  expect_valid(documents[0]);
  EXPECT_EQ(documents.size(), 1u);
  EXPECT_FALSE(documents[0]["metadata"].contains("annotations"));
  const Json& predictor = documents[0]["spec"]["predictor"];
  EXPECT_EQ(predictor["minReplicas"], 1);
  EXPECT_EQ(predictor["maxReplicas"], 4);
  EXPECT_EQ(predictor["scaleMetric"], "concurrency");
  EXPECT_EQ(predictor["canaryTrafficPercent"], 10);
  EXPECT_EQ(predictor["timeout"], 30);
  EXPECT_EQ(predictor["containers"][0]["env"][0],
            Json({{"name", "NVIDIA_VISIBLE_DEVICES"}, {"value", "void"}}));
}

TEST(Kserve, AModelFormatNeedsNoImage) {
  const auto job =
      job_from({"--name=a", "--model-format=vllm:1", "--runtime=mine", "--storage-uri=pvc://models/q",
                "--gpus=2", "--share-memory=1Gi", "--temp-dir=scratch:/tmp/x", "-e", "A=b=c",
                "--selector=pool=edge", "--toleration=all", "--affinity-policy=spread",
                "--security-context=runAsUser=7", "--device=amd.com/gpu=1", "--port=9000",
                "--enable-prometheus", "--config-file=/etc/hosts:/mnt/conf/hosts"});
  ASSERT_TRUE(job) << describe(job.error());
  const auto documents = documents_of(*job, "ns", {"content"});
  for (const Json& document : documents) expect_valid(document);
  const Json& predictor = documents[0]["spec"]["predictor"];
  EXPECT_FALSE(predictor.contains("containers"));
  const Json& model = predictor["model"];
  EXPECT_EQ(model["modelFormat"], Json({{"name", "vllm"}, {"version", "1"}}));
  EXPECT_EQ(model["runtime"], "mine");
  EXPECT_EQ(model["storageUri"], "pvc://models/q");
  EXPECT_EQ(model["resources"]["limits"]["amd.com/gpu"], "1");
  EXPECT_FALSE(model["resources"]["requests"].contains("amd.com/gpu"));
  EXPECT_EQ(model["env"][0]["value"], "b=c");
  EXPECT_EQ(model["volumeMounts"].size(), 3u);
  EXPECT_EQ(predictor["nodeSelector"]["pool"], "edge");
  EXPECT_EQ(predictor["tolerations"], Json::array({{{"operator", "Exists"}}}));
  EXPECT_TRUE(predictor["affinity"].contains("podAntiAffinity"));
  EXPECT_EQ(predictor["securityContext"]["runAsUser"], 7);
  ASSERT_EQ(documents.size(), 3u);
  EXPECT_EQ(documents[1]["data"]["hosts"], "content");
  EXPECT_EQ(text(documents[2], "metadata.name"), "a-metric-svc");
}

TEST(Kserve, MistakesAreToldInArenasWords) {
  EXPECT_EQ(error_of({"--data=llm-model"}),
            "dataset llm-model has incorrect format, should like data_name:/data0");
  EXPECT_EQ(error_of({"--data=m:/x"}),
            "volume name is too short, names should be at least two alphanumeric characters");
  EXPECT_EQ(error_of({"--data=models:x"}), "invalid dataDir: 'x' must be absolute");
  EXPECT_EQ(error_of({"--data=models:/"}), "invalid specification: dataDir can't be '/'");
  EXPECT_EQ(error_of({"--data=models:/a", "--data=models:/b"}),
            "Your PVC name: models is repeated, please check it.");
  EXPECT_NE(error_of({"--data=/srv/models:/a"}).find("includes invalid characters for a local volume name"),
            std::string::npos);
  EXPECT_EQ(error_of({"--gpus=-1"}), "--gpus is invalid");
  EXPECT_EQ(error_of({"--gpucore=7"}), "GPUCore should be the multiple of 5");
  EXPECT_EQ(error_of({"--cpu=four"}), "--cpu is invalid");
  EXPECT_EQ(error_of({"--memory=12GiB"}), "--memory is invalid");
  EXPECT_EQ(error_of({"--env=A"}), "--env 'A' is not KEY=VALUE");
  EXPECT_EQ(error_of({"--min-replicas=-1"}), "--min-replicas is invalid");
  EXPECT_EQ(error_of({"--image-pull-policy=Sometimes"}),
            "--image-pull-policy is invalid; use Always, IfNotPresent or Never");
  EXPECT_NE(error_of({"--toleration=a=b"}).find("Expected 'key=value:effect,operator'"), std::string::npos);
  EXPECT_EQ(error_of({"--min-replicas=4", "--max-replicas=3"}),
            "--max-replicas (3) must not be less than --min-replicas (4)");
  EXPECT_EQ(error_of({"--scale-metric=SM", "--max-replicas=3"}),
            "--scale-target must be set and more than 0 with --scale-metric=SM");
  EXPECT_EQ(error_of({"--scale-metric=SM", "--scale-target=50"}),
            "--max-replicas must be set and more than 0 with --scale-metric=SM");
  EXPECT_EQ(error_of({"--model-format=a:b:c"}), "model format is invalid: a:b:c");
  EXPECT_EQ(error_of({"--scale-target=5x"}),
            "invalid argument \"5x\" for \"--scale-target\" flag: strconv.ParseInt: parsing \"5x\": invalid "
            "syntax");
  for (const auto& [name, why] :
       {std::pair{std::string(), "name not set, please set it"},
        {std::string(49, 'a'), "--name is longer than 48 letters; use a shorter one"}}) {
    const auto job = job_from({"--name=" + name, "--image=i"});
    ASSERT_FALSE(job) << name;
    EXPECT_EQ(job.error().message, why);
  }
  const auto nothing = job_from({"--name=a"});
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().message, "model format and image can not be empty at the same time");
}

TEST(Kserve, AnUpdateChangesWhatItNamesAndNothingElse) {
  const auto before = documents_of(*job_from(kTutorial), "default");
  KserveFlags flags = update_defaults();
  FlagSet set;
  add_update_flags(set, flags);
  const std::vector<std::string> arguments = {
      "--name=qwen-chat", "--gpus=2", "--env=A=1", "--max-replicas=5", "--canary-traffic-percent=20",
      "-a=team=llm"};
  const auto words = set.parse(arguments);
  ASSERT_TRUE(words);
  const auto update = make_update(flags, *words);
  ASSERT_TRUE(update) << describe(update.error());
  const Json after = updated(before[0], *update);
  expect_valid(after);
  Json expected = before[0];
  expected["metadata"]["annotations"]["team"] = "llm";
  expected["spec"]["predictor"]["canaryTrafficPercent"] = 20;
  Json& container = expected["spec"]["predictor"]["containers"][0];
  container["env"] = Json::array({{{"name", "A"}, {"value", "1"}}});
  container["resources"]["limits"]["nvidia.com/gpu"] = "2";
  container["resources"]["requests"]["nvidia.com/gpu"] = "2";
  EXPECT_TRUE(resource::same_content(after, expected)) << after.dump(2);
  const Json scaled = updated_autoscaler(before[1], *update);
  Json expected_scaled = before[1];
  expected_scaled["spec"]["maxReplicas"] = 5;
  EXPECT_EQ(scaled, expected_scaled);
  EXPECT_EQ(make_update(update_defaults(), {}).error().message, "name not set, please set it");
}

}  // namespace
}  // namespace tidegate::arena
