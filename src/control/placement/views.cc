#include "control/placement/views.h"

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "resource/fields.h"
#include "resource/priority_class.h"

namespace tidegate::placement {
namespace {

using resource::ObjectPtr;

struct Classes {
  std::map<std::string, resource::PriorityClass, std::less<>> by_name;
  const resource::PriorityClass* default_class = nullptr;
};

Classes read_classes(const Kinds& kinds, const loop::Caches& caches) {
  Classes classes;
  classes.by_name["system-cluster-critical"].value = 2'000'000'000;
  classes.by_name["system-node-critical"].value = 2'000'001'000;
  for (const ObjectPtr& object : caches.list(*kinds.priority_class)) {
    if (const auto view = resource::PriorityClass::from(*object)) classes.by_name[object->name()] = *view;
  }
  for (const auto& [name, each] : classes.by_name) {
    if (!each.global_default) continue;
    if (classes.default_class == nullptr || each.value < classes.default_class->value)
      classes.default_class = &each;
  }
  return classes;
}

// What a cluster's admission does when a pod is made; at home it is looked up when the pod is placed.
PodPtr with_priority(const PodPtr& pod, const Classes& classes) {
  if (pod->own_priority) return pod;
  const resource::PriorityClass* found = classes.default_class;
  bool unknown = false;
  if (!pod->priority_class.empty()) {
    const auto named = classes.by_name.find(pod->priority_class);
    unknown = named == classes.by_name.end();
    found = unknown ? nullptr : &named->second;
  }
  if (found == nullptr && !unknown) return pod;
  auto copy = std::make_shared<PodView>(*pod);
  if (unknown) {
    copy->flaw = "no PriorityClass with name " + pod->priority_class + " was found";
  } else {
    copy->priority = found->value;
    copy->never_preempts = copy->never_preempts || found->never_preempts;
  }
  return copy;
}

resource::LabelSelector read_budget_selector(resource::Reader& root) {
  resource::Reader spec(root, "spec");
  spec.open();
  return resource::read_selector(spec, "selector");
}

std::vector<Budget> read_budgets(const Kinds& kinds, const loop::Caches& caches) {
  std::vector<Budget> budgets;
  if (kinds.budget == nullptr) return budgets;
  for (const ObjectPtr& object : caches.list(*kinds.budget)) {
    auto selector = resource::read_view(object->json(), read_budget_selector);
    if (!selector) continue;
    budgets.push_back({object->namespace_(), std::move(*selector),
                       resource::number(object->json(), "status.disruptionsAllowed")});
  }
  return budgets;
}

}  // namespace

Kinds Kinds::find() {
  const Kinds kinds{resource::find_kind("v1", "Pod"),
                    resource::find_kind("v1", "Node"),
                    resource::find_kind("scheduling.alibabacloud.com/v1alpha1", "ResourcePolicy"),
                    resource::find_kind("scheduling.k8s.io/v1", "PriorityClass"),
                    resource::find_kind("v1", "Namespace"),
                    resource::find_kind("policy/v1", "PodDisruptionBudget")};
  TG_CHECK(kinds.pod != nullptr && kinds.node != nullptr && kinds.policy != nullptr);
  TG_CHECK(kinds.priority_class != nullptr && kinds.name_space != nullptr);
  return kinds;
}

template <typename View, typename Decode>
std::vector<View> Views::refresh(Memory<View>& memory, const std::vector<ObjectPtr>& objects, Decode decode) {
  std::vector<View> result;
  result.reserve(objects.size());
  for (auto& [uid, kept] : memory) kept.seen = false;
  for (const ObjectPtr& object : objects) {
    Kept<View>& kept = memory[object->metadata().uid];
    kept.seen = true;
    if (kept.view == nullptr || kept.revision != object->metadata().resource_version) {
      kept.revision = object->metadata().resource_version;
      kept.view = decode(object);
    }
    if (kept.view != nullptr) result.push_back(kept.view);
  }
  std::erase_if(memory, [](const auto& entry) { return !entry.second.seen; });
  return result;
}

Cluster Views::read(const Kinds& kinds, const loop::Caches& caches) {
  Cluster cluster;
  const auto decode_node = [](const ObjectPtr& object) { return view_node(object).value_or(nullptr); };
  for (NodePtr& node : refresh(nodes_, caches.list(*kinds.node), decode_node)) {
    cluster.board.put(std::move(node));
  }
  for (const ObjectPtr& object : caches.list(*kinds.name_space)) {
    cluster.board.namespaces[object->name()] = object->metadata().labels;
  }
  const Classes classes = read_classes(kinds, caches);
  const auto decode_pod = [](const ObjectPtr& object) { return view_pod(object).value_or(nullptr); };
  for (const PodPtr& pod : refresh(pods_, caches.list(*kinds.pod), decode_pod)) {
    cluster.pods.push_back(with_priority(pod, classes));
    cluster.board.put(cluster.pods.back());
  }
  const auto decode_policy = [](const ObjectPtr& object) -> std::shared_ptr<const PolicyView> {
    auto view = view_policy(object);
    return view ? std::make_shared<const PolicyView>(std::move(*view)) : nullptr;
  };
  for (const auto& policy : refresh(policies_, caches.list(*kinds.policy), decode_policy)) {
    cluster.policies.push_back(*policy);
  }
  cluster.budgets = read_budgets(kinds, caches);
  return cluster;
}

}  // namespace tidegate::placement
