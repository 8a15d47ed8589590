#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/show/describe.h"
#include "cli/show/table.h"
#include "cli/show/yaml_text.h"
#include "resource/json_path.h"
#include "resource/yaml.h"

namespace tidegate::show {
namespace {

using resource::Json;
using resource::JsonPath;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const WallTime kNow = WallTime{} + hours(24 * 365);

TEST(Ages, AreShortenedAsKubectlDoes) {
  const std::pair<Duration, const char*> ages[] = {
      {seconds(0), "0s"},     {seconds(119), "119s"},    {seconds(120), "2m"}, {seconds(200), "3m20s"},
      {minutes(179), "179m"}, {minutes(200), "3h20m"},   {hours(47), "47h"},   {hours(51), "2d3h"},
      {hours(24 * 9), "9d"},  {hours(24 * 800), "2y70d"}};
  for (const auto& [age, text] : ages) EXPECT_EQ(age_text(age), text);
  EXPECT_EQ(age_of("", kNow), "<unknown>");
}

TEST(Tables, ShowTheServersColumns) {
  const Json answer = Json::parse(R"({"kind":"Table",
    "columnDefinitions":[{"name":"Name","priority":0},{"name":"Ready","priority":0},{"name":"IP","priority":1}],
    "rows":[{"cells":["a","1/1","10.0.0.1"],"object":{"metadata":{"namespace":"x"}}},
            {"cells":["longer\u001b[2J",3,null]}]})");
  EXPECT_EQ(Columns().print(read_table(answer, {}, kNow), true),
            "NAME         READY\n"
            "a            1/1\n"
            "longer [2J   3\n");
  const Table wide = read_table(answer, {.wide = true, .with_namespace = true, .prefix = "pod/"}, kNow);
  EXPECT_EQ(wide.heads, (Row{"NAMESPACE", "NAME", "READY", "IP"}));
  EXPECT_EQ(wide.rows[0], (Row{"x", "pod/a", "1/1", "10.0.0.1"}));
}

TEST(Tables, DoWithoutColumns) {
  const Json answer = Json::parse(R"({"kind":"PodList","items":[{"metadata":{"name":"a"}}]})");
  EXPECT_EQ(Columns().print(read_table(answer, {}, kNow), true), "NAME   AGE\na      <unknown>\n");
}

TEST(Yaml, ComesBackAsItWas) {
  const Json document =
      Json::parse(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{}},
    "list":[],"nested":[[1,2],[{"a":"b","c":["d"]}]],"number":1.5,"yes":"yes","text":"0x10","null":null,
    "flag":true,"string":"true","colon":"a: b","comment":"a #b","empty":"","blank":" a ","block":"a\n  b\n\nc\n",
    "strip":"a\nb","keep":"a\n\n","tab":"a\n\tb","dash":"- a","umlaut":"\u00fc","quote":"\"'\\"})");
  const std::string text = to_yaml(document);
  const auto back = resource::parse_documents("test", text);
  ASSERT_TRUE(back) << back.error().message << text;
  EXPECT_EQ(*back->front().json, document) << text;
  EXPECT_EQ(to_yaml(Json::parse(R"({"a":[{"b":1,"c":[2]}],"d":"x\ny\n"})")),
            "a:\n- b: 1\n  c:\n  - 2\nd: |\n  x\n  y\n");
}

const Json& pods() {
  static const Json list = Json::parse(R"({"items":[
    {"metadata":{"name":"a","labels":{"x.y/z":"1"}},"status":{"conditions":[{"type":"Ready","status":"True"}]},"n":1},
    {"metadata":{"name":"b"},"status":{"conditions":[{"type":"Ready","status":"False"}]},"n":2}]})");
  return list;
}

TEST(JsonPaths, FindAsKubectlDoes) {
  const std::pair<const char*, const char*> cases[] = {
      {"{.items[*].metadata.name}", "a b"},
      {".items[0].metadata.name", "a"},
      {"{.items[-1:].metadata.name}", "b"},
      {"{.items[-1].n}", "2"},
      {"{.items[5].n}{.nothing.here}", ""},
      {"{.items[0:1].n}", "1"},
      {R"({.items[0].metadata.labels['x.y/z']})", "1"},
      {R"({.items[0].metadata.labels.x\.y/z})", "1"},
      {"{..name}", "a b"},
      {R"({.items[*].status.conditions[?(@.type=="Ready")].status})", "True False"},
      {"{.items[?(@.n>1)].metadata.name}", "b"},
      {"{.items[?(@.metadata.labels)].metadata.name}", "a"},
      {R"({range .items[*]}{.metadata.name}={.n}{"\n"}{end}done)", "a=1\nb=2\ndone"},
      {"{.items[0].status.conditions}", R"([{"type":"Ready","status":"True"}])"},
  };
  for (const auto& [path, expected] : cases) {
    const auto parsed = JsonPath::parse(path);
    ASSERT_TRUE(parsed) << path << ": " << parsed.error().message;
    EXPECT_EQ(parsed->print(pods()), expected) << path;
  }
}

TEST(JsonPaths, NameWhatIsWrong) {
  for (const char* path : {"{.a", "{end}", "{range .a}", "{.a[}", "{.a[?(@.b]}", "{.a['b}",
                           "{.a[99999999999999999999]}", "{\"a}", "{.a..}"}) {
    const auto parsed = JsonPath::parse(path);
    ASSERT_FALSE(parsed) << path;
    EXPECT_NE(parsed.error().message.find("at character"), std::string::npos) << path;
  }
}

TEST(Describe, TellsFieldsConditionsAndEvents) {
  EXPECT_EQ(title_words("targetPortNumber"), "Target Port Number");
  EXPECT_EQ(title_words("podIP"), "Pod IP");
  EXPECT_EQ(title_words("clusterIPs"), "Cluster IPs");
  const Json object = Json::parse(R"({"apiVersion":"v1","kind":"Pod",
    "metadata":{"name":"a","namespace":"n","labels":{"k":"v"}},
    "spec":{"hostNetwork":true,"containers":[{"name":"c","args":["x","y"],"resources":{"limits":{"nvidia.com/gpu":"1"}}}]},
    "status":{"conditions":[{"type":"Ready","status":"False","reason":"Why","message":"because"}]}})");
  const Json events = Json::parse(R"({"items":[{"type":"Warning","reason":"Failed","message":"no\u0007bell",
    "count":3,"source":{"component":"kubelet"},"lastTimestamp":"1970-12-31T23:59:00Z","firstTimestamp":"1970-12-31T23:00:00Z"}]})");
  EXPECT_EQ(describe_object(object, events, kNow),
            R"(Name:          a
Namespace:     n
Kind:          Pod (v1)
Created:       <unknown>
Labels:        k=v
Spec:
  Host Network:  true
  Containers:
    - Name:  c
      Args:  x, y
      Resources:
        Limits:
          nvidia.com/gpu:  1
Status:
  Conditions:
    Type    Status   Since       Reason   Message
    Ready   False    <unknown>   Why      because
Events:
  Type      Reason   Age                 From      Message
  Warning   Failed   60s (x3 over 60m)   kubelet   no bell
)");
}

}  // namespace
}  // namespace tidegate::show
