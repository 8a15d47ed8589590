// The autoscaler's controller over a real store that does not let it write scales.

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "cluster/store/store.h"
#include "control/autoscale/controllers.h"
#include "resource/fields.h"

namespace tidegate::autoscale {
namespace {

using cluster::Key;
using resource::Json;
using resource::ObjectPtr;

// The store, but for updates of Deployments while it says so.
class Guarded final : public cluster::Client {
 public:
  explicit Guarded(cluster::Client& inner) : inner_(inner) {}
  std::atomic<bool> refuses{true};

  Result<ObjectPtr> get(const resource::Kind& kind, const Key& key) override { return inner_.get(kind, key); }
  Result<cluster::List> list(const resource::Kind& kind, const cluster::ListOptions& options) override {
    return inner_.list(kind, options);
  }
  Result<std::unique_ptr<cluster::Watch>> watch(const resource::Kind& kind, std::uint64_t after,
                                                const cluster::WatchOptions& options) override {
    return inner_.watch(kind, after, options);
  }
  Result<ObjectPtr> create(const resource::Kind& kind, Json document,
                           const cluster::WriteOptions& options) override {
    return inner_.create(kind, std::move(document), options);
  }
  Result<ObjectPtr> update(const resource::Kind& kind, Json document,
                           const cluster::WriteOptions& options) override {
    if (refuses && kind.kind == "Deployment")
      return fail(Code::kForbidden, "deployments.apps \"d\" is forbidden: may not update");
    return inner_.update(kind, std::move(document), options);
  }
  Result<ObjectPtr> update_status(const resource::Kind& kind, Json document,
                                  const cluster::WriteOptions& options) override {
    return inner_.update_status(kind, std::move(document), options);
  }
  Result<ObjectPtr> patch(const resource::Kind& kind, const Key& key, cluster::PatchType type,
                          const Json& patch, const cluster::WriteOptions& options) override {
    return inner_.patch(kind, key, type, patch, options);
  }
  Result<ObjectPtr> patch_status(const resource::Kind& kind, const Key& key, cluster::PatchType type,
                                 const Json& patch, const cluster::WriteOptions& options) override {
    return inner_.patch_status(kind, key, type, patch, options);
  }
  Result<cluster::Removed> remove(const resource::Kind& kind, const Key& key,
                                  const cluster::RemoveOptions& options) override {
    return inner_.remove(kind, key, options);
  }
  Result<resource::Scale> scale(const cluster::Reference& target) override { return inner_.scale(target); }
  Result<void> set_scale(const cluster::Reference& target, std::int64_t replicas) override {
    return inner_.set_scale(target, replicas);
  }
  Result<void> bind(const Key& pod, std::string_view node, const cluster::WriteOptions& options) override {
    return inner_.bind(pod, node, options);
  }

 private:
  cluster::Client& inner_;
};

Json deployment() {
  return Json::parse(
      R"({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "default"},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "d"}}, "template": {"metadata": {"labels": {"app": "d"}},
      "spec": {"containers": [{"name": "c", "image": "vllm"}]}}}})");
}

Json autoscaler() {
  return Json::parse(R"({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "h", "namespace": "default", "annotations": {"tidegate.dev/scaling-period": "100ms"}},
    "spec": {"minReplicas": 2, "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
      "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]}})");
}

TEST(Rescale, AScaleThatMayNotBeWrittenIsToldAndTriedAgain) {
  const SystemClock clock;
  cluster::Store store(clock, Random(1));
  Guarded client(store);
  const resource::Kind& hpas = *resource::find_kind("autoscaling/v2", "HorizontalPodAutoscaler");
  const resource::Kind& deployments = *resource::find_kind("apps/v1", "Deployment");
  ASSERT_TRUE(store.create(deployments, deployment()));
  ASSERT_TRUE(store.create(hpas, autoscaler()));
  loop::Runtime runtime(client, clock);
  Metrics metrics;
  metrics.gather = [](const Subject&, WallTime) { return Gathered{}; };
  metrics.forget = [](const std::string&) {};
  const auto read_scale = [&](const cluster::Reference& target) { return client.scale(target); };
  for (loop::Controller& controller : controllers(std::move(metrics), read_scale, {}))
    runtime.add(std::move(controller));
  runtime.start();

  const auto reason = [&] {
    const auto hpa = store.get(hpas, {"default", "h"});
    const Json* able = hpa ? resource::condition((*hpa)->json(), "AbleToScale") : nullptr;
    return able == nullptr ? std::string()
                           : resource::text(*able, "reason") + ": " + resource::text(*able, "message");
  };
  const auto eventually = [](const std::function<bool()>& done) {
    for (int i = 0; i < 1000 && !done(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return done();
  };
  EXPECT_TRUE(eventually([&] {
    return reason() ==
           "FailedUpdateScale: the HPA controller was unable to update the target scale: "
           "deployments.apps \"d\" is forbidden: may not update";
  })) << reason();
  const resource::Kind& events = *resource::find_kind("v1", "Event");
  EXPECT_TRUE(eventually([&] {
    const auto listed = store.list(events, "default");
    for (const ObjectPtr& event : listed->items) {
      if (resource::text(event->json(), "reason") == "FailedRescale") return true;
    }
    return false;
  }));
  client.refuses = false;
  EXPECT_TRUE(eventually([&] {
    const ObjectPtr written = *store.get(deployments, {"default", "d"});
    return resource::number(written->json(), "spec.replicas") == 2;
  }));
  EXPECT_TRUE(eventually([&] { return !reason().starts_with("FailedUpdateScale"); })) << reason();
  runtime.stop();
}

}  // namespace
}  // namespace tidegate::autoscale
