// The scale subresource over a Kubernetes API server: what kind of resource it is of is found by asking, so that it may be
// of any kind.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cluster/remote/remote.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::remote {
namespace {

constexpr std::size_t kAnswerMax = 4 * 1024 * 1024;
constexpr Duration kKnownFor = std::chrono::minutes(10);
constexpr Duration kAbsentFor = std::chrono::seconds(15);

// The plural of a kind, if it has a scale subresource; else empty.
std::string scalable_plural(const Json& resources, const std::string& kind) {
  const Json* list = resource::find_array(resources, "resources");
  if (list == nullptr) return {};
  const auto named = [&](const std::string& name) {
    return std::any_of(list->begin(), list->end(),
                       [&](const Json& each) { return resource::text(each, "name") == name; });
  };
  for (const Json& each : *list) {
    std::string name = resource::text(each, "name");
    if (name.find('/') != std::string::npos || resource::text(each, "kind") != kind) continue;
    return named(name + "/scale") ? name : std::string();
  }
  return {};
}

}  // namespace

Result<std::string> RemoteClient::scale_path(const cluster::Reference& target) {
  const std::size_t slash = target.api_version.find('/');
  const std::string group = slash == std::string::npos ? std::string() : target.api_version.substr(0, slash);
  const std::string version = target.api_version.substr(slash == std::string::npos ? 0 : slash + 1);
  const std::string name = target.api_version + " " + target.kind;
  std::optional<std::string> plural;  // empty: there is none
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(scaled_, [&](const auto& each) { return each.second.until <= api_.clock().now(); });
    if (const auto found = scaled_.find(name); found != scaled_.end()) plural = found->second.name;
  }
  if (!plural) {
    ApiRequest request;
    request.target = (group.empty() ? "/api/" : "/apis/" + escaped(group) + "/") + escaped(version);
    const auto answer = api_.call(request);
    plural.emplace();
    if (!answer && answer.error().code != Code::kNotFound) return tl::unexpected(answer.error());
    if (answer) {
      const auto resources = resource::parse_json(*answer, kAnswerMax);
      if (!resources) return fail(Code::kUnavailable, "the API server's answer is no JSON object");
      plural = scalable_plural(*resources, target.kind);
    }
    const std::lock_guard lock(mutex_);
    scaled_[name] = {*plural, api_.clock().now() + (plural->empty() ? kAbsentFor : kKnownFor)};
  }
  if (plural->empty()) {
    return fail(Code::kNotFound, "no matches for kind \"" + target.kind + "\" in version \"" +
                                     target.api_version + "\" with a scale subresource");
  }
  return collection_path(group, version, *plural, target.key.namespace_) + "/" + escaped(target.key.name) +
         "/scale";
}

Result<resource::Scale> RemoteClient::scale(const cluster::Reference& target) {
  const auto path = scale_path(target);
  if (!path) return tl::unexpected(path.error());
  ApiRequest request;
  request.target = *path;
  const auto answer = api_.call(request);
  if (!answer) return tl::unexpected(answer.error());
  const auto scale = resource::parse_json(*answer, kAnswerMax);
  if (!scale || !scale->is_object())
    return fail(Code::kUnavailable, "the API server's answer is no JSON object");
  return resource::Scale{.replicas = resource::number(*scale, "spec.replicas"),
                         .current = resource::number(*scale, "status.replicas"),
                         .selector = resource::text(*scale, "status.selector")};
}

Result<void> RemoteClient::set_scale(const cluster::Reference& target, std::int64_t replicas) {
  const auto path = scale_path(target);
  if (!path) return tl::unexpected(path.error());
  ApiRequest request{.method = "PATCH", .target = *path, .content_type = "application/merge-patch+json"};
  request.body = resource::to_text(Json{{"spec", {{"replicas", replicas}}}});
  const auto answer = api_.call(request);
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

}  // namespace tidegate::remote
