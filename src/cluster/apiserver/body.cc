// What a request brings along, and whether it fits the request's path.

#include <nlohmann/json.hpp>

#include "cluster/apiserver/objects.h"
#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

using resource::Json;

constexpr std::string_view kBodies =
    "application/json, application/yaml, application/vnd.kubernetes.protobuf";

std::string text_of(const Json& json, const char* field) {
  const auto found = json.find(field);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Fills in kind and apiVersion where they are left out; refuses others than the path's.
Answer<void> fit_kind(const Call& call, Json& document) {
  const std::string version = group_version(call.kind->group, call.path.version);
  const auto absent = [&](const char* field) { return !document.contains(field) || document[field] == ""; };
  if (absent("kind")) document["kind"] = std::string(call.kind->kind);
  if (absent("apiVersion")) document["apiVersion"] = version;
  const std::string given = text_of(document, "apiVersion");
  if (given != version) {
    return bad_request("the API version in the data (" + given.substr(0, 100) +
                       ") does not match the expected API version (" + version + ")");
  }
  const std::string kind = text_of(document, "kind");
  if (kind != call.kind->kind) {
    return bad_request("the object provided is unrecognized (must be of type " +
                       std::string(call.kind->kind) + "): its kind is " +
                       resource::to_text(document["kind"]).substr(0, 100));
  }
  return {};
}

Answer<void> fit_metadata(const Call& call, Json& document) {
  Json& metadata = document["metadata"];
  if (metadata.is_null()) metadata = Json::object();
  if (!metadata.is_object()) return bad_request("metadata is no object");
  if (call.kind->namespaced) {
    const std::string given = text_of(metadata, "namespace");
    if (given.empty() && (!metadata.contains("namespace") || !metadata["namespace"].is_structured())) {
      metadata["namespace"] = call.path.namespace_;
    } else if (given != call.path.namespace_) {
      return bad_request(
          "the namespace of the provided object does not match the namespace sent on the request");
    }
  }
  if (call.path.name.empty()) return {};
  const std::string name = text_of(metadata, "name");
  if (name.empty() && !metadata.contains("name")) {
    metadata["name"] = call.path.name;
  } else if (name != call.path.name) {
    return bad_request("the name of the object (" + name.substr(0, 100) +
                       ") does not match the name on the URL (" + call.path.name + ")");
  }
  return {};
}

}  // namespace

Answer<Json> body_of(const Call& call, std::vector<std::string>* twice) {
  const BodyType type = body_type(call.content_type);
  const bool applies = type == BodyType::kApplyPatch && call.method == "PATCH";
  const bool known = type == BodyType::kJson || type == BodyType::kYaml || type == BodyType::kProtobuf;
  if (!known && !applies) return unsupported_media_type(kBodies);
  auto document = parse_body(applies ? BodyType::kYaml : type, call.body, twice);
  if (!document) return document;
  if (!document->is_object()) return bad_request("the body is no object");
  return document;
}

Answer<Json> object_of(const Call& call, std::vector<std::string>& warnings) {
  auto document = body_of(call, &warnings);
  if (!document) return document;
  if (auto fits = fit_kind(call, *document); !fits) return tl::unexpected(fits.error());
  if (auto fits = fit_metadata(call, *document); !fits) return tl::unexpected(fits.error());
  return document;
}

}  // namespace tidegate::apiserver
