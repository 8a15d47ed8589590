#include "cluster/table/table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cluster/table/cells.h"

namespace tidegate::table {
namespace {

using namespace std::chrono_literals;

// 2026-01-01T00:00:00Z
const WallTime kNow = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));

Json table_of(std::string_view group, const std::string& body, Options options = {}) {
  Json json = Json::parse(body);
  if (!json.contains("apiVersion")) json["apiVersion"] = group.empty() ? "v1" : std::string(group) + "/v1";
  if (!json["metadata"].contains("name")) json["metadata"]["name"] = "x";
  json["metadata"]["creationTimestamp"] = "2025-12-31T23:57:30Z";
  const std::string kind = json["kind"];
  const auto object = resource::Object::make(std::move(json));
  options.now = kNow;
  return make(group, kind, std::vector{*object}, options);
}

// The cells as one line, with the columns that are always shown, or all.
std::string line(std::string_view group, const std::string& body, bool wide = false) {
  const Json table = table_of(group, body);
  EXPECT_EQ(table["columnDefinitions"].size(), table["rows"][0]["cells"].size());
  std::string text;
  for (std::size_t i = 0; i < table["columnDefinitions"].size(); ++i) {
    if (!wide && table["columnDefinitions"][i]["priority"] != 0) continue;
    const Json& cell = table["rows"][0]["cells"][i];
    text += (text.empty() ? "" : " | ") + (cell.is_string() ? cell.get<std::string>() : cell.dump());
  }
  return text;
}

TEST(Human, WritesDurationsAsKubectlDoes) {
  EXPECT_EQ(human(0s), "0s");
  EXPECT_EQ(human(119s), "119s");
  EXPECT_EQ(human(120s), "2m");
  EXPECT_EQ(human(150s), "2m30s");
  EXPECT_EQ(human(11min), "11m");
  EXPECT_EQ(human(3h + 5min), "3h5m");
  EXPECT_EQ(human(30h), "30h");
  EXPECT_EQ(human(49h), "2d1h");
  EXPECT_EQ(human(24h * 100), "100d");
  EXPECT_EQ(human(24h * 800), "2y70d");
  EXPECT_EQ(human(24h * 365 * 9), "9y");
  EXPECT_EQ(human(-5s), "<invalid>");
}

std::string pod(const std::string& spec, const std::string& status, const std::string& metadata = "{}") {
  return line(
      "", R"({"kind":"Pod","metadata":)" + metadata + R"(,"spec":)" + spec + R"(,"status":)" + status + "}");
}
const std::string kOne = R"({"containers":[{"name":"a"}]})";

TEST(Pods, AreSummedUpInAWord) {
  EXPECT_EQ(pod(kOne, R"({"phase":"Pending"})"), "x | 0/1 | Pending | 0 | 2m30s");
  EXPECT_EQ(
      pod(kOne,
          R"({"phase":"Running","containerStatuses":[{"name":"a","ready":true,"state":{"running":{}}}]})"),
      "x | 1/1 | Running | 0 | 2m30s");
  EXPECT_EQ(pod(kOne, R"({"phase":"Running","containerStatuses":[{"name":"a","restartCount":3,
                "lastState":{"terminated":{"finishedAt":"2025-12-31T23:59:00Z"}},
                "state":{"waiting":{"reason":"CrashLoopBackOff"}}}]})"),
            "x | 0/1 | CrashLoopBackOff | 3 (60s ago) | 2m30s");
  EXPECT_EQ(pod(kOne, R"({"phase":"Succeeded","containerStatuses":[{"name":"a","state":{"terminated":
                {"reason":"Completed","exitCode":0}}}]})"),
            "x | 0/1 | Completed | 0 | 2m30s");
  EXPECT_EQ(
      pod(kOne,
          R"({"phase":"Failed","containerStatuses":[{"name":"a","state":{"terminated":{"exitCode":7}}}]})"),
      "x | 0/1 | ExitCode:7 | 0 | 2m30s");
  EXPECT_EQ(
      pod(kOne,
          R"({"phase":"Running","containerStatuses":[{"name":"a","ready":true,"state":{"running":{}}}]})",
          R"({"deletionTimestamp":"2026-01-01T00:00:00Z"})"),
      "x | 1/1 | Terminating | 0 | 2m30s");
  EXPECT_EQ(pod(kOne, R"({"phase":"Failed","reason":"Evicted"})"), "x | 0/1 | Evicted | 0 | 2m30s");
  EXPECT_EQ(
      pod(kOne,
          R"({"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]})"),
      "x | 0/1 | SchedulingGated | 0 | 2m30s");
}

TEST(Pods, ShowWhatInitContainersDo) {
  const std::string spec = R"({"initContainers":[{"name":"i"},{"name":"j"}],"containers":[{"name":"a"}]})";
  EXPECT_EQ(pod(spec, R"({"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"running":{}}}]})"),
            "x | 0/1 | Init:0/2 | 0 | 2m30s");
  EXPECT_EQ(
      pod(spec,
          R"({"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0}}},
                {"name":"j","restartCount":1,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]})"),
      "x | 0/1 | Init:CrashLoopBackOff | 1 | 2m30s");
  EXPECT_EQ(
      pod(R"({"initContainers":[{"name":"s","restartPolicy":"Always"}],"containers":[{"name":"a"}]})",
          R"({"phase":"Running","initContainerStatuses":[{"name":"s","started":true,"ready":true,"state":{"running":{}}}],
                "containerStatuses":[{"name":"a","ready":true,"state":{"running":{}}}]})"),
      "x | 2/2 | Running | 0 | 2m30s");
}

TEST(Core, Columns) {
  EXPECT_EQ(
      line("", R"({"kind":"Service","spec":{"type":"NodePort","clusterIP":"10.0.0.1","selector":{"a":"b"},
                 "ports":[{"port":80,"nodePort":30080},{"port":53,"protocol":"UDP"}]}})",
           true),
      "x | NodePort | 10.0.0.1 | <none> | 80:30080/TCP,53/UDP | 2m30s | a=b");
  EXPECT_EQ(line("", R"({"kind":"Node","metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}},
                 "spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}],
                 "nodeInfo":{"kubeletVersion":"v1.32.4"}}})"),
            "x | Ready,SchedulingDisabled | control-plane | 2m30s | v1.32.4");
  EXPECT_EQ(line("", R"({"kind":"Event","type":"Warning","reason":"Failed","message":"no\n","count":3,
                 "involvedObject":{"kind":"Pod","name":"p"},"lastTimestamp":"2025-12-31T23:59:50Z"})"),
            "10s | Warning | Failed | pod/p | no");
  EXPECT_EQ(line("", R"({"kind":"ConfigMap","data":{"a":"1","b":"2"}})"), "x | 2 | 2m30s");
  EXPECT_EQ(line("", R"({"kind":"Secret","type":"Opaque","data":{"a":"MQ=="}})"), "x | Opaque | 1 | 2m30s");
  EXPECT_EQ(line("", R"({"kind":"Namespace","status":{"phase":"Active"}})"), "x | Active | 2m30s");
}

TEST(Workloads, Columns) {
  EXPECT_EQ(line("apps", R"({"kind":"Deployment","spec":{"replicas":3,"selector":{"matchLabels":{"a":"b"}},
                 "template":{"spec":{"containers":[{"name":"c","image":"i:1"}]}}},
                 "status":{"readyReplicas":1,"updatedReplicas":2,"availableReplicas":1}})",
                 true),
            "x | 1/3 | 2 | 1 | 2m30s | c | i:1 | a=b");
  EXPECT_EQ(line("apps",
                 R"({"kind":"ReplicaSet","spec":{"replicas":3},"status":{"replicas":2,"readyReplicas":1}})"),
            "x | 3 | 2 | 1 | 2m30s");
}

std::string scaler(const std::string& metrics, const std::string& current) {
  return line("autoscaling",
              R"({"kind":"HorizontalPodAutoscaler","spec":{"scaleTargetRef":{"kind":"Deployment","name":"d"},
    "minReplicas":1,"maxReplicas":3,"metrics":)" +
                  metrics + R"(},"status":{"currentReplicas":2,"currentMetrics":)" + current + "}}");
}

TEST(Workloads, ScalersShowTargets) {
  EXPECT_EQ(
      scaler(
          R"([{"type":"Pods","pods":{"metric":{"name":"m"},"target":{"type":"AverageValue","averageValue":"50"}}}])",
          R"([{"type":"Pods","pods":{"current":{"averageValue":"62"}}}])"),
      "x | Deployment/d | 62/50 | 1 | 3 | 2 | 2m30s");
  EXPECT_EQ(scaler(R"([{"type":"Pods","pods":{"target":{"averageValue":"50"}}}])", "[]"),
            "x | Deployment/d | <unknown>/50 | 1 | 3 | 2 | 2m30s");
  EXPECT_EQ(
      scaler(
          R"([{"type":"Resource","resource":{"name":"cpu","target":{"averageUtilization":80}}}])",
          R"([{"type":"Resource","resource":{"name":"cpu","current":{"averageUtilization":62,"averageValue":"1"}}}])"),
      "x | Deployment/d | cpu: 62%/80% | 1 | 3 | 2 | 2m30s");
  EXPECT_EQ(
      scaler(
          R"([{"type":"External","external":{"target":{"averageValue":"2"}}},{"type":"Object","object":{"target":{"value":"7"}}},
                   {"type":"Pods","pods":{"target":{"averageValue":"1"}}}])",
          "[]"),
      "x | Deployment/d | <unknown>/2 (avg), <unknown>/7 + 1 more... | 1 | 3 | 2 | 2m30s");
}

TEST(Serving, Columns) {
  EXPECT_EQ(line("inference.networking.x-k8s.io", R"({"kind":"InferenceModel","spec":{"modelName":"m",
                 "poolRef":{"name":"p"},"criticality":"Critical"}})"),
            "x | m | p | Critical | 2m30s");
  EXPECT_EQ(line("inference.networking.x-k8s.io", R"({"kind":"InferencePool","spec":{"selector":{"app":"v"},
                 "targetPortNumber":8000}})",
                 true),
            "x | 2m30s | app=v | 8000");
  EXPECT_EQ(line("serving.kserve.io", R"({"kind":"InferenceService","status":{"url":"http://q","conditions":[
                 {"type":"Ready","status":"True"}],"components":{"predictor":{"traffic":[{"latestRevision":true,
                 "percent":100,"revisionName":"q-1"}]}}}})"),
            "x | http://q | True | null | 100 | null | q-1 | 2m30s");
  EXPECT_EQ(line("serving.kserve.io", R"({"kind":"LLMInferenceService","status":{"url":"http://q","addresses":[
                 {"url":"http://q"},{"url":"http://r"}],"conditions":[{"type":"Ready","status":"False","reason":"No"}]}})",
                 true),
            "x | http://q | False | No | 2m30s | http://q http://r");
  EXPECT_EQ(line("inference.networking.x-k8s.io",
                 R"({"kind":"InferenceObjective","spec":{"poolRef":{"name":"p"},"priority":-3}})"),
            "x | p | -3 | 2m30s");
  EXPECT_EQ(line("inference.networking.x-k8s.io", R"({"kind":"InferenceModelRewrite","spec":{"poolRef":{"name":"p"}}})"),
            "x | p | 2m30s");
  EXPECT_EQ(line("gateway.networking.k8s.io", R"({"kind":"HTTPRoute","spec":{"hostnames":["a","b"]}})"),
            "x | [\"a\",\"b\"] | 2m30s");
  EXPECT_EQ(line("networking.k8s.io",
                 R"({"kind":"Ingress","spec":{"ingressClassName":"t","rules":[{"host":"h"}]}})"),
            "x | t | h |  | 80 | 2m30s");
}

TEST(Table, CarriesWhatWasAskedFor) {
  const std::string map = R"({"kind":"ConfigMap","data":{"a":"1"}})";
  EXPECT_EQ(table_of("", map)["rows"][0]["object"]["kind"], "PartialObjectMetadata");
  EXPECT_EQ(table_of("", map, {.include = Include::kObject})["rows"][0]["object"]["data"]["a"], "1");
  EXPECT_FALSE(table_of("", map, {.include = Include::kNone})["rows"][0].contains("object"));
  EXPECT_TRUE(table_of("", map, {.columns = false})["columnDefinitions"].empty());
  EXPECT_EQ(table_of("x.dev", R"({"kind":"Thing"})")["rows"][0]["cells"], Json({"x", "2m30s"}));
}

}  // namespace
}  // namespace tidegate::table
