// The cluster port over a Kubernetes API server.
//
//   RemoteClient client(**api);
//   const auto pools = client.list(kind);
//
// Which version of a kind the server speaks is asked once and kept; objects come in that version. A kind that
// it does not know lists as empty, and its watch ends with kGone when that changes. Lists are read in pages.
//
// Thread: any; calls block. The Api outlives the client and its watches.
// Errors: those of api.h; kNotFound for writes of a kind that the server does not know.
// Source: Kubernetes API Concepts.

#pragma once

#include <map>
#include <mutex>
#include <string>

#include "cluster/client.h"
#include "cluster/remote/api.h"

namespace tidegate::remote {

using cluster::Key;
using cluster::Kind;
using resource::Json;
using resource::ObjectPtr;

class RemoteClient final : public cluster::Client {
 public:
  explicit RemoteClient(Api& api) : api_(api) {}

  Result<ObjectPtr> get(const Kind& kind, const Key& key) override;
  using cluster::Client::list;
  Result<cluster::List> list(const Kind& kind, const cluster::ListOptions& options) override;
  Result<std::unique_ptr<cluster::Watch>> watch(const Kind& kind, std::uint64_t after_revision,
                                                const cluster::WatchOptions& options = {}) override;
  Result<ObjectPtr> create(const Kind& kind, Json document,
                           const cluster::WriteOptions& options = {}) override;
  Result<ObjectPtr> update(const Kind& kind, Json document,
                           const cluster::WriteOptions& options = {}) override;
  Result<ObjectPtr> update_status(const Kind& kind, Json document,
                                  const cluster::WriteOptions& options = {}) override;
  Result<ObjectPtr> patch(const Kind& kind, const Key& key, cluster::PatchType type, const Json& patch,
                          const cluster::WriteOptions& options = {}) override;
  Result<ObjectPtr> patch_status(const Kind& kind, const Key& key, cluster::PatchType type, const Json& patch,
                                 const cluster::WriteOptions& options = {}) override;
  Result<cluster::Removed> remove(const Kind& kind, const Key& key,
                                  const cluster::RemoveOptions& options = {}) override;
  Result<resource::Scale> scale(const cluster::Reference& target) override;
  Result<void> set_scale(const cluster::Reference& target, std::int64_t replicas) override;
  Result<void> bind(const Key& pod, std::string_view node,
                    const cluster::WriteOptions& options = {}) override;

  // The version of the kind that the server speaks, of those we know; empty if it does not know the kind.
  Result<std::string> served_version(const Kind& kind);

 private:
  struct Served {
    std::string name;  // the version, or a plural; empty: there is none
    TimePoint until;
  };

  // Of the scale subresource.
  Result<std::string> scale_path(const cluster::Reference& target);
  // At the version `written` if there is one, else at the served one.
  Result<std::string> path_of(const Kind& kind, std::string_view namespace_, std::string_view written);
  Result<std::string> path_of(const Kind& kind, const Key& key, std::string_view written = {});
  Result<cluster::List> list_page(const Kind& kind, const std::string& version,
                                  const cluster::ListOptions& options);
  Result<ObjectPtr> put(const Kind& kind, Json document, std::string_view subresource,
                        const cluster::WriteOptions& options);
  Result<ObjectPtr> patch_at(const Kind& kind, const Key& key, std::string_view subresource,
                             cluster::PatchType type, const Json& patch,
                             const cluster::WriteOptions& options);

  Api& api_;
  std::mutex mutex_;
  std::map<const Kind*, Served> served_;  // guarded by mutex_
  std::map<std::string, Served> scaled_;  // by apiVersion and kind, with the plural; guarded by mutex_
};

// For a path's part or a query's value: RFC 3986's unreserved characters stay.
std::string escaped(std::string_view text);

// "/api/v1/namespaces/default/pods", "/apis/apps/v1/deployments". `namespace_` empty: all, or a
// cluster-scoped kind.
std::string collection_path(std::string_view group, std::string_view version, std::string_view plural,
                            std::string_view namespace_);

// The object in an answer. What lists leave out, apiVersion and kind, comes from `kind`. Errors:
// kUnavailable: the server sends something else.
Result<ObjectPtr> object_of(Json document, const Kind& kind, std::string_view version);

}  // namespace tidegate::remote
