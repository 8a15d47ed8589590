// The embedded home's cluster: a Client over objects in memory, under Kubernetes' rules.
//
// It starts with the namespaces default and kube-system and with ASMMeshConfig default. Removing an object
// removes what it alone owns; removing a Namespace removes what is inside.
//
// Thread: any.

#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "cluster/client.h"
#include "cluster/store/storage.h"

namespace tidegate::cluster {

struct StoreOptions {
  std::size_t history_max = 10'000;  // changes kept per kind; a watch that is further behind lists again
  // Makes a namespace when something is created in it. For a gateway that is fed from files alone.
  bool make_namespaces = false;
};

class Store final : public Client {
 public:
  // The clock must outlive the store.
  Store(const Clock& clock, Random random, StoreOptions options = {});

  Result<ObjectPtr> get(const Kind& kind, const Key& key) override;
  Result<List> list(const Kind& kind, std::string_view namespace_ = {}) override;
  Result<std::unique_ptr<Watch>> watch(const Kind& kind, std::uint64_t after_revision) override;
  Result<ObjectPtr> create(const Kind& kind, Json document) override;
  Result<ObjectPtr> update(const Kind& kind, Json document) override;
  Result<ObjectPtr> update_status(const Kind& kind, Json document) override;
  Result<ObjectPtr> patch(const Kind& kind, const Key& key, PatchType type, const Json& patch) override;
  Result<void> remove(const Kind& kind, const Key& key, bool now = false) override;
  Result<void> bind(const Key& pod, std::string_view node) override;

 private:
  // Replaces what stands under `key` by what `change` makes of it, again if somebody else was faster, unless
  // `expected` (0: any) says that only one revision will do.
  template <typename Change>
  Result<ObjectPtr> replace(const Kind& kind, const Key& key, std::uint64_t expected, Change change);

  Result<void> check_namespace(const Kind& kind, const Key& key);
  std::string new_uid();
  std::string new_suffix();
  bool owners_gone(const resource::Object& object) const;
  void cascade(const resource::Object& gone);
  void empty_namespace(const std::string& name);
  void finish_namespace(const std::string& name);
  Result<ObjectPtr> finish(const Kind& kind, ObjectPtr object);

  const Clock& clock_;
  const StoreOptions options_;
  std::shared_ptr<Storage> storage_;
  std::mutex random_mutex_;
  Random random_;  // guarded by random_mutex_
};

}  // namespace tidegate::cluster
