#include "cluster/apiserver/media.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/ascii.h"
#include "cluster/schema/fields.h"
#include "cluster/schema/protobuf.h"
#include "http/head.h"
#include "resource/json.h"
#include "resource/json_duplicates.h"
#include "resource/yaml.h"

namespace tidegate::apiserver {
namespace {

using resource::Json;

struct MediaType {
  std::string_view name;
  std::string_view as, group, version;
};

MediaType parse_media_type(std::string_view text) {
  MediaType type;
  std::size_t end = std::min(text.find(';'), text.size());
  type.name = ascii::trim(text.substr(0, end));
  while (end < text.size()) {
    text.remove_prefix(end + 1);
    end = std::min(text.find(';'), text.size());
    const std::string_view parameter = ascii::trim(text.substr(0, end));
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view key = parameter.substr(0, equals);
    const std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    if (key == "as") type.as = value;
    if (key == "g") type.group = value;
    if (key == "v") type.version = value;
  }
  return type;
}

std::optional<Form> form_of(const MediaType& type) {
  const bool any = type.name == "*/*" || type.name == "application/*";
  // JSON is YAML, too.
  if (!any && type.name != "application/json" && type.name != "application/yaml" &&
      type.name != "text/plain") {
    return std::nullopt;
  }
  if (type.as.empty()) return Form::kObject;
  if (type.as == "APIGroupDiscoveryList" && type.group == "apidiscovery.k8s.io") {
    if (type.version == "v2") return Form::kDiscovery;
    if (type.version == "v2beta1") return Form::kDiscoveryV2beta1;
  }
  const bool meta = type.group == "meta.k8s.io" && (type.version == "v1" || type.version == "v1beta1");
  if (meta && type.as == "Table") return Form::kTable;
  if (meta && (type.as == "PartialObjectMetadata" || type.as == "PartialObjectMetadataList")) {
    return Form::kMetadata;
  }
  return std::nullopt;
}

}  // namespace

Answer<Form> accepted_form(std::string_view accept) {
  std::optional<Form> form;
  bool asked = false;
  http::for_each_in_list(accept, [&](std::string_view item) {
    asked = true;
    if (!form) form = form_of(parse_media_type(item));
  });
  if (form) return *form;
  if (!asked) return Form::kObject;
  return tl::unexpected(
      plain_status(406, "only the following media types are accepted: application/json, application/yaml"));
}

BodyType body_type(std::string_view content_type) {
  const std::string_view name = parse_media_type(content_type).name;
  const auto is = [&](std::string_view wanted) { return ascii::equals_ignoring_case(name, wanted); };
  if (name.empty() || is("application/json")) return BodyType::kJson;
  if (is("application/yaml")) return BodyType::kYaml;
  if (is("application/vnd.kubernetes.protobuf")) return BodyType::kProtobuf;
  if (is("application/merge-patch+json")) return BodyType::kMergePatch;
  if (is("application/json-patch+json")) return BodyType::kJsonPatch;
  if (is("application/strategic-merge-patch+json")) return BodyType::kStrategicPatch;
  if (is("application/apply-patch+yaml")) return BodyType::kApplyPatch;
  return BodyType::kOther;
}

Answer<Json> parse_body(BodyType type, std::string_view body, std::vector<std::string>* twice) {
  const auto refuse = [](const Error& error) {
    const bool large = error.code == Code::kTooLarge;
    return tl::unexpected(
        plain_status(large ? 413 : 400,
                     (large ? "Request entity too large: " : "error decoding the body: ") + describe(error)));
  };
  if (type == BodyType::kProtobuf) {
    if (body.size() > resource::kObjectBytesMax) {
      return refuse(
          {Code::kTooLarge, "", "use at most " + std::to_string(resource::kObjectBytesMax) + " bytes"});
    }
    auto json = schema::decode_protobuf(body);
    if (!json) return refuse(json.error());
    return *std::move(json);
  }
  const bool yaml = type == BodyType::kYaml || type == BodyType::kApplyPatch;
  if (yaml && body.size() > resource::kObjectBytesMax) {
    return refuse(
        {Code::kTooLarge, "", "use at most " + std::to_string(resource::kObjectBytesMax) + " bytes"});
  }
  if (!yaml) {
    std::vector<std::string> paths;
    auto json = twice == nullptr ? resource::parse_json(body) : resource::parse_json_last_wins(body, paths);
    if (!json) return refuse(json.error());
    if (twice != nullptr) *twice = schema::duplicate_messages(paths);
    return *std::move(json);
  }
  auto documents = twice == nullptr ? resource::parse_documents("body", body)
                                    : resource::parse_documents_last_wins("body", body, *twice);
  if (!documents) return refuse(documents.error());
  if (documents->size() != 1) {
    return bad_request("the body holds " + std::to_string(documents->size()) + " documents; send one");
  }
  return std::move(*documents->front().json);
}

}  // namespace tidegate::apiserver
