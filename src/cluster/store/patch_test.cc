#include "cluster/store/patch.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cluster/schema/catalog.h"
#include "cluster/store/rules.h"

namespace tidegate::cluster {
namespace {

Json json(std::string_view text) { return Json::parse(text); }

std::string patched(PatchType type, std::string_view document, std::string_view patch,
                    std::string_view kind = "Pod") {
  auto result = apply_patch(type, json(document), json(patch), schema::find_schema("v1", kind));
  return result ? result->dump() : describe(result.error());
}

// The cases of RFC 7386, Appendix A.
TEST(MergePatch, FollowsTheRfc) {
  const std::vector<std::array<const char*, 3>> cases = {
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", R"({})"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {R"({"a":"foo"})", R"("bar")", R"("bar")"},
      {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  };
  for (const auto& [document, patch, expected] : cases) {
    Json target = json(document);
    merge_patch(target, json(patch));
    EXPECT_EQ(target.dump(), expected) << document << " + " << patch;
  }
  EXPECT_EQ(patched(PatchType::kMerge, "{}", "[]"), "a merge patch is an object");
}

TEST(JsonPatch, AppliesOperationsInOrder) {
  EXPECT_EQ(patched(PatchType::kJson, R"({"a":[1,2]})",
                    R"([{"op":"add","path":"/a/1","value":9},{"op":"remove","path":"/a/0"},
                        {"op":"replace","path":"/a/1","value":3},{"op":"copy","from":"/a","path":"/b"},
                        {"op":"move","from":"/b/0","path":"/c"},{"op":"test","path":"/c","value":9}])"),
            R"({"a":[9,3],"b":[3],"c":9})");
}

TEST(JsonPatch, SaysWhichOperationDoesNotFit) {
  const auto starts = [](const std::string& text, const char* with) { return text.starts_with(with); };
  const char* place = "operation 0 of the patch does not fit: ";
  for (const char* patch :
       {R"([{"op":"remove","path":"/x"}])", R"([{"op":"test","path":"/a","value":2}])",
        R"([{"op":"leap","path":"/a"}])", R"([{"path":"/a"}])", R"([7])",
        R"([{"op":"add","path":"a","value":1}])", R"([{"op":"copy","from":"/z","path":"/a"}])",
        R"([{"op":"copy","path":"/a"}])", R"([{"op":7,"path":"/a"}])"}) {
    const std::string said = patched(PatchType::kJson, R"({"a":1})", patch);
    EXPECT_TRUE(starts(said, place)) << patch << ": " << said;
  }
  EXPECT_EQ(patched(PatchType::kJson, "{}", "{}"), "a JSON patch is a list of operations");
}

TEST(JsonPatch, CopiesCannotGrowWithoutBound) {
  Json operations = Json::array();
  for (int i = 0; i < 100; ++i) {
    operations.push_back({{"op", "copy"}, {"from", "/a"}, {"path", "/a/-"}});
  }
  auto result = apply_patch(PatchType::kJson, json(R"({"a":["0123456789"]})"), operations);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kTooLarge);
}

constexpr const char* kPod = R"({"spec":{"containers":[
  {"name":"a","image":"1","env":[{"name":"X","value":"1"},{"name":"Y","value":"2"}],"args":["p","q"]},
  {"name":"b","image":"2","ports":[{"containerPort":80,"name":"http"}]}]}})";

TEST(StrategicPatch, MergesContainersByNameAndEnvByName) {
  EXPECT_EQ(
      patched(PatchType::kStrategic, kPod,
              R"({"spec":{"containers":[{"name":"a","env":[{"name":"Y","value":"3"},{"name":"Z","value":"4"}],
                        "args":["r"]},{"name":"c","image":"3"}]}})"),
      json(R"({"spec":{"containers":[
              {"name":"a","image":"1","env":[{"name":"X","value":"1"},{"name":"Y","value":"3"},{"name":"Z","value":"4"}],
               "args":["r"]},
              {"name":"b","image":"2","ports":[{"containerPort":80,"name":"http"}]},{"name":"c","image":"3"}]}})")
          .dump());
}

TEST(StrategicPatch, FollowsDirectives) {
  EXPECT_EQ(patched(PatchType::kStrategic, R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
                    R"({"spec":{"containers":[{"name":"a","$patch":"delete"}]}})"),
            R"({"spec":{"containers":[{"name":"b"}]}})");
  EXPECT_EQ(patched(PatchType::kStrategic, R"({"spec":{"containers":[{"name":"a"}]}})",
                    R"({"spec":{"containers":[{"$patch":"replace"},{"name":"c"}]}})"),
            R"({"spec":{"containers":[{"name":"c"}]}})");
  EXPECT_EQ(patched(PatchType::kStrategic, R"({"spec":{"strategy":{"a":1,"b":2}}})",
                    R"({"spec":{"strategy":{"$patch":"replace","c":3}}})"),
            R"({"spec":{"strategy":{"c":3}}})");
  EXPECT_EQ(patched(PatchType::kStrategic, R"({"spec":{"strategy":{"type":"X","rolling":{}}}})",
                    R"({"spec":{"strategy":{"$retainKeys":["type"],"type":"Y"}}})"),
            R"({"spec":{"strategy":{"type":"Y"}}})");
  EXPECT_EQ(patched(PatchType::kStrategic, R"({"metadata":{"finalizers":["a","b"]}})",
                    R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["c"]}})"),
            R"({"metadata":{"finalizers":["b","c"]}})");
  EXPECT_EQ(
      patched(PatchType::kStrategic, R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
              R"({"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[]}})"),
      R"({"spec":{"containers":[{"name":"b"},{"name":"a"}]}})");
  EXPECT_EQ(patched(PatchType::kStrategic, "{}", R"({"$patch":"jump"})"),
            "$patch is \"jump\"; use replace, merge or delete");
  EXPECT_EQ(patched(PatchType::kStrategic, kPod, R"({"spec":{"containers":[{"image":"x"}]}})"),
            "containers has an item without \"name\" in the patch");
}

TEST(StrategicPatch, ServicePortsAreKeyedByTheirPort) {
  EXPECT_EQ(patched(PatchType::kStrategic, R"({"spec":{"ports":[{"port":80,"name":"a"}]}})",
                    R"({"spec":{"ports":[{"port":80,"targetPort":8080},{"port":81}]}})", "Service"),
            R"({"spec":{"ports":[{"port":80,"name":"a","targetPort":8080},{"port":81}]}})");
}

// Which lists merge, and by what, is in the type table: tolerations are replaced, a Node's conditions merge.
TEST(StrategicPatch, MergesWhatTheTypesSay) {
  EXPECT_EQ(patched(PatchType::kStrategic, R"({"spec":{"tolerations":[{"key":"a"}]}})",
                    R"({"spec":{"tolerations":[{"key":"b"}]}})"),
            R"({"spec":{"tolerations":[{"key":"b"}]}})");
  EXPECT_EQ(patched(PatchType::kStrategic, R"({"status":{"conditions":[{"type":"A","status":"True"}]}})",
                    R"({"status":{"conditions":[{"type":"B"},{"type":"A","status":"False"}]}})", "Node"),
            R"({"status":{"conditions":[{"type":"A","status":"False"},{"type":"B"}]}})");
  auto unknown = apply_patch(PatchType::kStrategic, json(R"({"spec":{"containers":[{"name":"a"}]}})"),
                             json(R"({"spec":{"containers":[{"name":"b"}]}})"));
  EXPECT_EQ(unknown->dump(), R"({"spec":{"containers":[{"name":"b"}]}})");
}

TEST(Same, IgnoresTheOrderOfFieldsOnly) {
  EXPECT_TRUE(same(json(R"({"a":1,"b":[{"c":2,"d":3}]})"), json(R"({"b":[{"d":3,"c":2}],"a":1})")));
  EXPECT_FALSE(same(json(R"({"a":[1,2]})"), json(R"({"a":[2,1]})")));
  EXPECT_FALSE(same(json(R"({"a":1})"), json(R"({"a":1,"b":null})")));
  EXPECT_FALSE(same(json(R"({"a":1})"), json(R"({"b":1})")));
}

}  // namespace
}  // namespace tidegate::cluster
