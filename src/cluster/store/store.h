// The embedded home's cluster: a Client over objects in memory, under Kubernetes' rules; with a file, every
// change is in it before anybody sees the change.
//
// It starts with the namespaces default and kube-system and with ASMMeshConfig default. Removing an object
// removes what it alone owns (garbage.h); removing a Namespace removes what is inside. Both go on at the next
// start if the process dies in between.
//
// Thread: any.

#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

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
  // In memory alone. The clock must outlive the store.
  Store(const Clock& clock, Random random, StoreOptions options = {});

  // Over a file, which is made if it is not there. Goes on with deletions that an earlier life did not end.
  // Errors: those of Database::open() and Storage::open().
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& file, const Clock& clock,
                                             Random random, StoreOptions options = {});

  using Client::list;
  Result<ObjectPtr> get(const Kind& kind, const Key& key) override;
  Result<List> list(const Kind& kind, const ListOptions& options) override;
  Result<std::unique_ptr<Watch>> watch(const Kind& kind, std::uint64_t after_revision,
                                       const WatchOptions& options = {}) override;
  Result<ObjectPtr> create(const Kind& kind, Json document, const WriteOptions& options = {}) override;
  Result<ObjectPtr> update(const Kind& kind, Json document, const WriteOptions& options = {}) override;
  Result<ObjectPtr> update_status(const Kind& kind, Json document, const WriteOptions& options = {}) override;
  Result<ObjectPtr> patch(const Kind& kind, const Key& key, PatchType type, const Json& patch,
                          const WriteOptions& options = {}) override;
  Result<ObjectPtr> patch_status(const Kind& kind, const Key& key, PatchType type, const Json& patch,
                                 const WriteOptions& options = {}) override;
  Result<Removed> remove(const Kind& kind, const Key& key, const RemoveOptions& options = {}) override;
  Result<resource::Scale> scale(const Reference& target) override;
  Result<void> set_scale(const Reference& target, std::int64_t replicas) override;
  Result<void> bind(const Key& pod, std::string_view node, const WriteOptions& options = {}) override;

  // The kinds that are served by now, for an API server over this store.
  std::shared_ptr<const KindRegistry> kinds() const;

 private:
  Store(const Clock& clock, Random random, StoreOptions options, std::shared_ptr<Storage> storage);
  // What every cluster has. Errors: kUnavailable.
  Result<void> furnish();

  // Objects whose state obliges the store to more: they have gone, or are marked and wait for their
  // dependents, or have come too late. A list instead of recursion: chains of owners may be long.
  using Aftermath = std::vector<ObjectPtr>;

  // Makes of an object what is to stand there instead.
  using Edit = std::function<Result<Json>(const resource::Object& before)>;

  // Replaces what stands under `key` by what `edit` makes of it, again if somebody else was faster, unless
  // `expected` (0: any) says that only one revision will do. change() also does what has to follow.
  Result<ObjectPtr> change(const Kind& kind, const Key& key, std::uint64_t expected,
                           const WriteOptions& options, const Edit& edit);
  Result<ObjectPtr> replace(const Kind& kind, const Key& key, std::uint64_t expected, bool dry_run,
                            const Edit& edit, Aftermath& after);
  Result<ObjectPtr> finish(const Kind& kind, ObjectPtr object, Aftermath& after);
  Result<ObjectPtr> place(const Kind& kind, Json prepared, bool generated, bool dry_run);
  Result<Removed> remove_one(const Kind& kind, const Key& key, const RemoveOptions& options,
                             Aftermath& after);

  void settle(Aftermath after);
  void resume();
  // After something that had to follow could not be stored: the next write that succeeds does it.
  template <typename T>
  void note(const Result<T>& outcome) {
    if (!outcome && outcome.error().code == Code::kUnavailable) unfinished_ = true;
  }
  void catch_up();
  void collect(const Kind& kind, const Key& key, Aftermath& after);
  void wait_for_dependents(const resource::Object& owner, Aftermath& after);
  void orphan_dependents(const resource::Object& owner, Aftermath& after);
  void empty_namespace(const std::string& name, Aftermath& after);
  void finish_namespace(const std::string& name, Aftermath& after);
  void empty_definition(const resource::Object& definition, Aftermath& after);
  void finish_definition(const std::string& name, Aftermath& after);
  // A definition with its status; any other document as it is.
  Result<Json> judged(const Kind& kind, Result<Json> document) const;
  void judge_definitions();
  const Kind& kind_of(const resource::Object& object) const;
  ObjectPtr find_owner(const resource::Object& dependent, const Kind& kind,
                       const resource::OwnerReference& reference) const;

  Result<void> make_namespace(const Kind& kind, const Key& key);
  std::string new_uid();
  std::string new_suffix();

  const Clock& clock_;
  const StoreOptions options_;
  std::shared_ptr<Storage> storage_;
  std::atomic<bool> unfinished_{false};  // resume() has something to do
  std::mutex random_mutex_;
  Random random_;  // guarded by random_mutex_
};

}  // namespace tidegate::cluster
