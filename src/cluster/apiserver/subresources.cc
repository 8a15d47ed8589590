// scale and binding.

#include <nlohmann/json.hpp>

#include "cluster/apiserver/objects.h"
#include "cluster/store/patch.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

using cluster::ObjectPtr;
using resource::Json;

constexpr int kAttemptsMax = 20;

// {"app":"web"} and expressions as "app=web,tier in (a,b)".
std::string selector_text(const Json* selector) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
  if (selector == nullptr) return text;
  for (const auto& [key, value] : resource::text_map(*selector, "matchLabels")) add(key + "=" + value);
  const Json* expressions = resource::find_array(*selector, "matchExpressions");
  if (expressions == nullptr) return text;
  for (const Json& expression : *expressions) {
    const std::string key = resource::text(expression, "key");
    const std::string op = resource::text(expression, "operator");
    if (op == "Exists") add(key);
    if (op == "DoesNotExist") add("!" + key);
    if (op != "In" && op != "NotIn") continue;
    std::string values;
    if (const Json* list = resource::find_array(expression, "values")) {
      for (const Json& value : *list) values += (values.empty() ? "" : ",") + value.get<std::string>();
    }
    add(key + (op == "In" ? " in (" : " notin (") + values + ")");
  }
  return text;
}

Json scale_of(const resource::Object& object) {
  const Json& document = object.json();
  Json metadata = Json::object();
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (document["metadata"].contains(field)) metadata[field] = document["metadata"][field];
  }
  Json status = {{"replicas", resource::number(document, "status.replicas")}};
  const std::string selector = selector_text(resource::find(document, "spec.selector"));
  if (!selector.empty()) status["selector"] = selector;
  return {{"kind", "Scale"},
          {"apiVersion", "autoscaling/v1"},
          {"metadata", std::move(metadata)},
          {"spec", {{"replicas", resource::number(document, "spec.replicas", 1)}}},
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

Answer<ObjectPtr> write_scale(const Context& context, const Call& call, const resource::Object& before) {
  const auto scale = wanted_scale(call, scale_of(before));
  if (!scale) return tl::unexpected(scale.error());
  if (auto right = check_scale(call, *scale); !right) return tl::unexpected(right.error());
  Json document = before.json();
  document["spec"]["replicas"] = *resource::find(*scale, "spec.replicas");
  // One that was read earlier says which revision it was made for.
  const std::string revision = resource::text(*scale, "metadata.resourceVersion");
  if (!revision.empty()) document["metadata"]["resourceVersion"] = revision;
  Json written = tracked(context, call, &before.json(), std::move(document));
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
  for (int i = 0;; ++i) {
    auto object = read(context, call);
    if (!object) return tl::unexpected(object.error());
    if (!reads) object = write_scale(context, call, **object);
    if (object) return Response{200, resource::to_text(scale_of(**object)), {}};
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
