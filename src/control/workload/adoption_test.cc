#include "control/workload/adoption.h"

#include "control/workload/test_objects.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

using namespace testing;

ObjectPtr pod(const char* name, const char* app, const char* owner_uid = nullptr) {
  Json document = parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default"},
      "spec": {"containers": [{"name": "engine", "image": "x"}]}})");
  document["metadata"]["name"] = name;
  document["metadata"]["labels"] = {{"app", app}};
  if (owner_uid != nullptr) {
    document["metadata"]["ownerReferences"] = {{{"apiVersion", "apps/v1"},
                                                {"kind", "ReplicaSet"},
                                                {"name", "set"},
                                                {"uid", owner_uid},
                                                {"controller", true}}};
  }
  return stored(std::move(document), std::string("uid-") + name);
}

TEST(Adoption, TakesWhatMatchesAndLetsGoWhatDoesNot) {
  const ObjectPtr set = stored(parse(R"({"apiVersion": "apps/v1", "kind": "ReplicaSet",
      "metadata": {"name": "set", "namespace": "default"},
      "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": {"metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "engine", "image": "x"}]}}}})"),
                               "set-uid");
  resource::LabelSelector selector;
  selector.match_labels = {{"app", "a"}};
  const resource::Kind& kind = *resource::find_kind("v1", "Pod");
  const auto actions = decide_adoption(*set, selector, kind,
                                       {pod("own", "a", "set-uid"), pod("orphan", "a"), pod("other", "b"),
                                        pod("left", "b", "set-uid"), pod("taken", "a", "another-uid")});
  ASSERT_EQ(actions.size(), 2u);
  EXPECT_EQ(actions[0].key.name, "orphan");
  EXPECT_EQ(resource::text((*actions[0].document)["metadata"]["ownerReferences"][0], "uid"), "set-uid");
  EXPECT_EQ(actions[1].key.name, "left");
  EXPECT_FALSE((*actions[1].document)["metadata"].contains("ownerReferences"));
  EXPECT_TRUE(decide_adoption(*set, {}, kind, {pod("orphan", "a")}).empty()) << "nothing selects nothing";
}

}  // namespace
}  // namespace tidegate::workload
