// scale and binding.

#include <nlohmann/json.hpp>

#include "cluster/apiserver/discovery.h"
#include "cluster/apiserver/objects.h"
#include "cluster/store/patch.h"
#include "resource/fields.h"
#include "resource/json.h"
#include "resource/scale.h"

namespace tidegate::apiserver {
namespace {

using cluster::ObjectPtr;
using resource::Json;

constexpr int kAttemptsMax = 20;

Json scale_of(const resource::Object& object, const resource::ScalePaths& paths) {
  const Json& document = object.json();
  Json metadata = Json::object();
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (document["metadata"].contains(field)) metadata[field] = document["metadata"][field];
  }
  const resource::Scale scale = resource::read_scale(document, paths);
  Json status = {{"replicas", scale.current}};
  if (!scale.selector.empty()) status["selector"] = scale.selector;
  return {{"kind", "Scale"},
          {"apiVersion", "autoscaling/v1"},
          {"metadata", std::move(metadata)},
          {"spec", {{"replicas", scale.replicas}}},
          {"status", std::move(status)}};
}

Answer<void> check_scale(const Call& call, const Json& scale) {
  const Json* replicas = resource::find(scale, "spec.replicas");
  const bool right =
      replicas != nullptr && replicas->is_number_integer() && *replicas >= 0 && *replicas <= 2147483647;
  if (right) return {};
  const std::vector<Error> errors = {
      {Code::kInvalid, "spec.replicas", "must be a whole number, greater than or equal to 0"}};
  Status status = invalid_object(*call.kind, call.path.name, errors, scale);
  status.kind = "Scale";
  status.group = "autoscaling";
  status.message =
      "Scale.autoscaling \"" + call.path.name + "\" is invalid: spec.replicas: " + status.causes[0].message;
  return tl::unexpected(status);
}

// The scale that the request wants, made of the present one.
Answer<Json> wanted_scale(const Call& call, const Json& present) {
  const BodyType type = body_type(call.content_type);
  if (call.method == "PUT") {
    auto scale = body_of(call);
    if (!scale) return scale;
    if (resource::text(*scale, "metadata.name") != call.path.name) {
      return bad_request("the name of the object does not match the name on the URL (" + call.path.name +
                         ")");
    }
    return scale;
  }
  const bool json_patch = type == BodyType::kJsonPatch;
  if (!json_patch && type != BodyType::kMergePatch && type != BodyType::kStrategicPatch) {
    return unsupported_media_type("application/json-patch+json, application/merge-patch+json");
  }
  const auto patch = parse_body(BodyType::kJson, call.body);
  if (!patch) return tl::unexpected(patch.error());
  auto scale = cluster::apply_patch(json_patch ? cluster::PatchType::kJson : cluster::PatchType::kMerge,
                                    present, *patch);
  if (!scale) return tl::unexpected(status_of(call, scale.error()));
  return *std::move(scale);
}

Answer<ObjectPtr> write_scale(const Context& context, const Call& call, const resource::ScalePaths& paths,
                              const resource::Object& before) {
  const auto scale = wanted_scale(call, scale_of(before, paths));
  if (!scale) return tl::unexpected(scale.error());
  if (auto right = check_scale(call, *scale); !right) return tl::unexpected(right.error());
  const Json live = as_version(*call.kind, call.path.version, before.json());
  Json document = live;
  resource::set_replicas(document, paths, resource::number(*scale, "spec.replicas"));
  // One that was read earlier says which revision it was made for.
  const std::string revision = resource::text(*scale, "metadata.resourceVersion");
  if (!revision.empty()) document["metadata"]["resourceVersion"] = revision;
  Json written = tracked(context, call, &live, std::move(document));
  if (auto right = admit(call, written); !right) return tl::unexpected(right.error());
  auto object = context.client.update(*call.kind, std::move(written), write_options(call));
  if (!object) return tl::unexpected(status_of(call, object.error()));
  return *object;
}

}  // namespace

Response success(int code) {
  Status status;
  status.code = code;
  return {code, to_text(status), {}};
}

Answer<Response> answer_scale(const Context& context, const Call& call) {
  const bool reads = call.method == "GET" || call.method == "HEAD";
  if (!reads && call.method != "PUT" && call.method != "PATCH") return method_not_allowed();
  const auto paths = resource::scale_paths(*call.kind, call.path.version);
  if (!paths) return tl::unexpected(unknown_path());
  for (int i = 0;; ++i) {
    auto object = read(context, call);
    if (!object) return tl::unexpected(object.error());
    if (!reads) object = write_scale(context, call, *paths, **object);
    if (object) return Response{200, resource::to_text(scale_of(**object, *paths)), {}};
    if (object.error().code != 409 || call.method == "PUT" || i == kAttemptsMax) {
      return tl::unexpected(object.error());
    }
  }
}

Answer<Response> answer_binding(const Context& context, const Call& call) {
  if (call.method != "POST") return method_not_allowed();
  const auto binding = body_of(call);
  if (!binding) return tl::unexpected(binding.error());
  const std::string node = resource::text(*binding, "target.name");
  if (node.empty()) {
    return tl::unexpected(invalid_object(*call.kind, call.path.name,
                                         {{Code::kInvalid, "target.name", "is missing; it is required"}},
                                         *binding));
  }
  if (call.options.dry_run) return success(201);
  if (auto bound = context.client.bind(call.key(), node); !bound) {
    return tl::unexpected(status_of(call, bound.error()));
  }
  return success(201);
}

}  // namespace tidegate::apiserver
