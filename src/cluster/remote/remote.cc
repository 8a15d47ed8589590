#include "cluster/remote/remote.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cluster/remote/remote_watch.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::remote {
namespace {

using cluster::List;
using cluster::ListOptions;
using cluster::PatchType;
using cluster::WriteOptions;

constexpr std::size_t kPage = 500;
constexpr std::size_t kAnswerMax = 64 * 1024 * 1024;
constexpr Duration kKnownFor = std::chrono::minutes(10);
constexpr Duration kAbsentFor = std::chrono::seconds(15);
constexpr int kConflictsMax = 5;

class Query {
 public:
  Query& add(std::string_view name, std::string_view value) {
    text_ += (text_.empty() ? "?" : "&") + std::string(name) + "=" + escaped(value);
    return *this;
  }
  Query& add(const WriteOptions& options) {
    if (options.dry_run) add("dryRun", "All");
    if (!options.field_manager.empty()) add("fieldManager", options.field_manager);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

tl::unexpected<Error> unreadable(std::string_view what) {
  return fail(Code::kUnavailable, "the API server's answer is no " + std::string(what));
}

Result<Json> parse_answer(const std::string& text) {
  auto parsed = resource::parse_json(text, kAnswerMax);
  if (!parsed || !parsed->is_object()) return unreadable("JSON object");
  return parsed;
}

std::string group_version(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
}

Key key_in(const Json& document) {
  return {resource::text(document, "metadata.namespace"), resource::text(document, "metadata.name")};
}

// The version in a document's or patch's apiVersion, if it is one of the kind's; else empty.
std::string written_version(const Kind& kind, const Json& document) {
  const std::string written = document.is_object() ? resource::text(document, "apiVersion") : std::string();
  for (const std::string_view version : kind.versions) {
    if (written == group_version(kind.group, version)) return std::string(version);
  }
  return {};
}

const char* media_type(PatchType type) {
  switch (type) {
    case PatchType::kMerge:
      return "application/merge-patch+json";
    case PatchType::kJson:
      return "application/json-patch+json";
    case PatchType::kStrategic:
      return "application/strategic-merge-patch+json";
  }
  return "";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    const auto byte = static_cast<unsigned char>(c);
    if (plain) {
      out += c;
    } else {
      out.append(1, '%').append(1, "0123456789ABCDEF"[byte >> 4]).append(1, "0123456789ABCDEF"[byte & 15]);
    }
  }
  return out;
}

std::string collection_path(std::string_view group, std::string_view version, std::string_view plural,
                            std::string_view namespace_) {
  std::string path = (group.empty() ? "/api/" : "/apis/") + group_version(group, version);
  if (!namespace_.empty()) path += "/namespaces/" + escaped(namespace_);
  return path + "/" + std::string(plural);
}

Result<ObjectPtr> object_of(Json document, const Kind& kind, std::string_view version) {
  if (!document.is_object()) return unreadable("object");
  if (!document.contains("apiVersion")) document["apiVersion"] = group_version(kind.group, version);
  if (!document.contains("kind")) document["kind"] = std::string(kind.kind);
  auto object = resource::Object::make(std::move(document));
  if (!object)
    return fail(Code::kUnavailable,
                "the API server sends an object that is none: " + describe(object.error()));
  return object;
}

Result<std::string> RemoteClient::served_version(const Kind& kind) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = served_.find(&kind);
    if (found != served_.end() && api_.clock().now() < found->second.until) return found->second.name;
  }
  std::string served;
  for (const std::string_view version : kind.versions) {
    ApiRequest request;
    request.target = (kind.group.empty() ? "/api/" : "/apis/") + group_version(kind.group, version);
    const auto answer = api_.call(request);
    if (!answer) {
      if (answer.error().code == Code::kNotFound) continue;
      return tl::unexpected(answer.error());
    }
    const auto resources = parse_answer(*answer);
    if (!resources) return tl::unexpected(resources.error());
    const Json* known = resource::find_array(*resources, "resources");
    const bool there = known && std::any_of(known->begin(), known->end(), [&](const Json& each) {
                         return resource::text(each, "name") == kind.plural;
                       });
    if (there) {
      served = version;
      break;
    }
  }
  const std::lock_guard lock(mutex_);
  served_[&kind] = {served, api_.clock().now() + (served.empty() ? kAbsentFor : kKnownFor)};
  return served;
}

Result<std::string> RemoteClient::path_of(const Kind& kind, std::string_view namespace_,
                                          std::string_view written) {
  auto version = served_version(kind);
  if (!version) return version;
  if (version->empty()) {
    return fail(Code::kNotFound, "the API server knows no " + std::string(kind.plural) + "." +
                                     std::string(kind.group) +
                                     "; install the CustomResourceDefinitions first");
  }
  // A server takes a document only at the version it is written in.
  if (!written.empty()) *version = written;
  return collection_path(kind.group, *version, kind.plural,
                         kind.namespaced ? namespace_ : std::string_view());
}

Result<std::string> RemoteClient::path_of(const Kind& kind, const Key& key, std::string_view written) {
  auto path = path_of(kind, key.namespace_, written);
  if (path) *path += "/" + escaped(key.name);
  return path;
}

Result<ObjectPtr> RemoteClient::get(const Kind& kind, const Key& key) {
  const auto path = path_of(kind, key);
  if (!path) return tl::unexpected(path.error());
  ApiRequest request;
  request.target = *path;
  const auto answer = api_.call(request);
  if (!answer) return tl::unexpected(answer.error());
  auto document = parse_answer(*answer);
  if (!document) return tl::unexpected(document.error());
  return object_of(*std::move(document), kind, kind.versions.front());
}

Result<List> RemoteClient::list_page(const Kind& kind, const std::string& version,
                                     const ListOptions& options) {
  Query query;
  if (options.limit > 0) query.add("limit", std::to_string(options.limit));
  if (!options.continue_.empty()) query.add("continue", options.continue_);
  ApiRequest request;
  request.target =
      collection_path(kind.group, version, kind.plural, kind.namespaced ? options.namespace_ : "") +
      query.text();
  const auto answer = api_.call(request);
  if (!answer) return tl::unexpected(answer.error());
  auto document = parse_answer(*answer);
  if (!document) return tl::unexpected(document.error());
  List list;
  list.revision = std::strtoull(resource::text(*document, "metadata.resourceVersion").c_str(), nullptr, 10);
  list.continue_ = resource::text(*document, "metadata.continue");
  list.remaining = static_cast<std::size_t>(
      std::max<std::int64_t>(0, resource::number(*document, "metadata.remainingItemCount")));
  const auto items = document->find("items");
  if (items == document->end() || (!items->is_array() && !items->is_null())) return unreadable("list");
  for (Json& item : *items) {
    auto object = object_of(std::move(item), kind, version);
    if (!object) return tl::unexpected(object.error());
    list.items.push_back(*std::move(object));
  }
  return list;
}

Result<List> RemoteClient::list(const Kind& kind, const ListOptions& options) {
  const auto version = served_version(kind);
  if (!version) return tl::unexpected(version.error());
  if (version->empty()) return List{};
  if (options.limit > 0) return list_page(kind, *version, options);
  ListOptions page = options;
  page.limit = kPage;
  List whole;
  do {
    auto next = list_page(kind, *version, page);
    if (!next && next.error().code == Code::kGone && page.limit > 0) {
      // The walk took longer than history is kept: all at once, then.
      whole = {};
      page = options;
      next = list_page(kind, *version, page);
    }
    if (!next) return next;
    std::move(next->items.begin(), next->items.end(), std::back_inserter(whole.items));
    whole.revision = next->revision;
    page.continue_ = next->continue_;
  } while (!page.continue_.empty());
  return whole;
}

Result<std::unique_ptr<cluster::Watch>> RemoteClient::watch(const Kind& kind, std::uint64_t after_revision,
                                                            const cluster::WatchOptions& options) {
  const auto version = served_version(kind);
  if (!version) return tl::unexpected(version.error());
  if (version->empty()) {
    return std::make_unique<AbsentWatch>(api_.clock(), api_.clock().now() + api_.jittered(kAbsentFor));
  }
  return std::make_unique<RemoteWatch>(
      api_, kind, *version,
      collection_path(kind.group, *version, kind.plural, kind.namespaced ? options.namespace_ : ""),
      after_revision, options);
}

Result<ObjectPtr> RemoteClient::create(const Kind& kind, Json document, const WriteOptions& options) {
  const auto path = path_of(kind, key_in(document).namespace_, written_version(kind, document));
  if (!path) return tl::unexpected(path.error());
  ApiRequest request{
      .method = "POST", .target = *path + Query().add(options).text(), .content_type = "application/json"};
  request.body = resource::to_text(document);
  const auto answer = api_.call(request);
  if (!answer) return tl::unexpected(answer.error());
  auto created = parse_answer(*answer);
  if (!created) return tl::unexpected(created.error());
  return object_of(*std::move(created), kind, kind.versions.front());
}

Result<ObjectPtr> RemoteClient::update(const Kind& kind, Json document, const WriteOptions& options) {
  return put(kind, std::move(document), "", options);
}

Result<ObjectPtr> RemoteClient::update_status(const Kind& kind, Json document, const WriteOptions& options) {
  return put(kind, std::move(document), "/status", options);
}

Result<ObjectPtr> RemoteClient::put(const Kind& kind, Json document, std::string_view subresource,
                                    const WriteOptions& options) {
  const Key key = key_in(document);
  const auto path = path_of(kind, key, written_version(kind, document));
  if (!path) return tl::unexpected(path.error());
  const bool conditional = !resource::text(document, "metadata.resourceVersion").empty();
  for (int tries = 1;; ++tries) {
    if (!conditional) {
      const auto current = get(kind, key);
      if (!current) return current;
      document["metadata"]["resourceVersion"] = std::to_string((*current)->metadata().resource_version);
    }
    ApiRequest request{.method = "PUT",
                       .target = *path + std::string(subresource) + Query().add(options).text(),
                       .content_type = "application/json"};
    request.body = resource::to_text(document);
    const auto answer = api_.call(request);
    if (answer) {
      auto updated = parse_answer(*answer);
      if (!updated) return tl::unexpected(updated.error());
      return object_of(*std::move(updated), kind, kind.versions.front());
    }
    if (conditional || answer.error().code != Code::kConflict || tries == kConflictsMax) {
      return tl::unexpected(answer.error());
    }
  }
}

Result<ObjectPtr> RemoteClient::patch(const Kind& kind, const Key& key, PatchType type, const Json& patch,
                                      const WriteOptions& options) {
  return patch_at(kind, key, "", type, patch, options);
}

Result<ObjectPtr> RemoteClient::patch_status(const Kind& kind, const Key& key, PatchType type,
                                             const Json& patch, const WriteOptions& options) {
  return patch_at(kind, key, "/status", type, patch, options);
}

Result<ObjectPtr> RemoteClient::patch_at(const Kind& kind, const Key& key, std::string_view subresource,
                                         PatchType type, const Json& patch, const WriteOptions& options) {
  const auto path = path_of(kind, key, written_version(kind, patch));
  if (!path) return tl::unexpected(path.error());
  ApiRequest request{.method = "PATCH",
                     .target = *path + std::string(subresource) + Query().add(options).text(),
                     .content_type = media_type(type)};
  request.body = resource::to_text(patch);
  const auto answer = api_.call(request);
  if (!answer) return tl::unexpected(answer.error());
  auto patched = parse_answer(*answer);
  if (!patched) return tl::unexpected(patched.error());
  return object_of(*std::move(patched), kind, kind.versions.front());
}

Result<cluster::Removed> RemoteClient::remove(const Kind& kind, const Key& key,
                                              const cluster::RemoveOptions& options) {
  const auto path = path_of(kind, key);
  if (!path) return tl::unexpected(path.error());
  Json body{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (options.grace_s) body["gracePeriodSeconds"] = *options.grace_s;
  if (options.propagation) {
    constexpr const char* kNames[] = {"Background", "Foreground", "Orphan"};
    body["propagationPolicy"] = kNames[static_cast<int>(*options.propagation)];
  }
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (options.revision > 0) body["preconditions"]["resourceVersion"] = std::to_string(options.revision);
  if (options.dry_run) body["dryRun"] = Json::array({"All"});
  ApiRequest request{.method = "DELETE", .target = *path, .content_type = "application/json"};
  request.body = resource::to_text(body);
  const auto answer = api_.call(request);
  if (!answer) return tl::unexpected(answer.error());
  auto left = parse_answer(*answer);
  if (!left) return tl::unexpected(left.error());
  if (resource::text(*left, "kind") == "Status") return cluster::Removed{nullptr, true};
  auto object = object_of(*std::move(left), kind, kind.versions.front());
  if (!object) return tl::unexpected(object.error());
  // What is only marked says when; what is gone says so in a Status, or comes without a mark.
  const bool gone = (*object)->metadata().deletion_timestamp.empty();
  return cluster::Removed{*std::move(object), gone};
}

Result<void> RemoteClient::bind(const Key& pod, std::string_view node, const WriteOptions& options) {
  const Json body{{"apiVersion", "v1"},
                  {"kind", "Binding"},
                  {"metadata", {{"name", pod.name}, {"namespace", pod.namespace_}}},
                  {"target", {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", std::string(node)}}}};
  ApiRequest request{.method = "POST",
                     .target = collection_path("", "v1", "pods", pod.namespace_) + "/" + escaped(pod.name) +
                               "/binding" + Query().add(options).text(),
                     .content_type = "application/json"};
  request.body = resource::to_text(body);
  const auto answer = api_.call(request);
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

}  // namespace tidegate::remote
