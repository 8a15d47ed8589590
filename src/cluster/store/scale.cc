// The scale subresource of whatever the store holds.

#include <nlohmann/json.hpp>

#include "cluster/store/rules.h"
#include "cluster/store/store.h"
#include "resource/kind_set.h"

namespace tidegate::cluster {
namespace {

struct Scalable {
  resource::KindSetPtr kinds;  // which `kind` is of
  const Kind* kind;
  resource::ScalePaths paths;
};

Result<Scalable> find_scalable(const Storage& storage, const Reference& target) {
  Scalable found{storage.kinds().current(), nullptr, {}};
  found.kind = found.kinds->find(target.api_version, target.kind);
  if (found.kind == nullptr) {
    return fail(Code::kNotFound,
                "no matches for kind \"" + target.kind + "\" in version \"" + target.api_version + "\"");
  }
  const std::string_view version = target.api_version;
  const auto paths = resource::scale_paths(*found.kind, version.substr(version.rfind('/') + 1));
  if (!paths) {
    return fail(Code::kNotFound, resource_name(*found.kind, target.key.name) +
                                     " cannot be scaled: its kind has no scale subresource");
  }
  found.paths = *paths;
  return found;
}

}  // namespace

Result<resource::Scale> Store::scale(const Reference& target) {
  const auto found = find_scalable(*storage_, target);
  if (!found) return tl::unexpected(found.error());
  const auto object = get(*found->kind, target.key);
  if (!object) return tl::unexpected(object.error());
  return resource::read_scale((*object)->json(), found->paths);
}

Result<void> Store::set_scale(const Reference& target, std::int64_t replicas) {
  const auto found = find_scalable(*storage_, target);
  if (!found) return tl::unexpected(found.error());
  auto changed = change(*found->kind, target.key, 0, {}, [&](const resource::Object& before) {
    Json document = before.json();
    resource::set_replicas(document, found->paths, replicas);
    return prepare_update(*found->kind, before.json(), std::move(document));
  });
  if (!changed) return tl::unexpected(changed.error());
  return {};
}

}  // namespace tidegate::cluster
