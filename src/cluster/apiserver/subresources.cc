// scale and binding.

#include <nlohmann/json.hpp>

#include "cluster/apiserver/discovery.h"
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

// A LabelSelector in one line, or a text as it is.
std::string selector_at(const Json& document, const resource::ScalePaths& paths) {
  if (paths.selector.empty()) return selector_text(resource::find(document, "spec.selector"));
  const Json* found = resource::find(document, paths.selector);
  if (found == nullptr) return {};
  return found->is_string() ? found->get<std::string>() : selector_text(found);
}

Json scale_of(const resource::Object& object, const resource::ScalePaths& paths) {
  const Json& document = object.json();
  Json metadata = Json::object();
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (document["metadata"].contains(field)) metadata[field] = document["metadata"][field];
  }
  Json status = {{"replicas", resource::number(document, paths.current)}};
  const std::string selector = selector_at(document, paths);
  if (!selector.empty()) status["selector"] = selector;
  return {{"kind", "Scale"},
          {"apiVersion", "autoscaling/v1"},
          {"metadata", std::move(metadata)},
          {"spec", {{"replicas", resource::number(document, paths.replicas, 1)}}},
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

// Sets the member at a path, through objects that are made where there are none.
void put(Json& document, std::string_view path, const Json& value) {
  Json* here = &document;
  while (true) {
    if (!here->is_object()) *here = Json::object();
    const std::size_t dot = path.find('.');
    here = &(*here)[std::string(path.substr(0, dot))];
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
  *here = value;
}

Answer<ObjectPtr> write_scale(const Context& context, const Call& call, const resource::ScalePaths& paths,
                              const resource::Object& before) {
  const auto scale = wanted_scale(call, scale_of(before, paths));
  if (!scale) return tl::unexpected(scale.error());
  if (auto right = check_scale(call, *scale); !right) return tl::unexpected(right.error());
  const Json live = as_version(*call.kind, call.path.version, before.json());
  Json document = live;
  put(document, paths.replicas, *resource::find(*scale, "spec.replicas"));
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
  const auto paths = scale_paths(*call.kind, call.path.version);
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
