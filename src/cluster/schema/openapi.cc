#include "cluster/schema/openapi.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>

#include "cluster/schema/catalog.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::schema {
namespace {

using resource::Json;
using resource::ListType;
using Type = Schema::Type;

// The scalar types that have a name of their own, as clients know them.
constexpr const char* kQuantityName = "io.k8s.apimachinery.pkg.api.resource.Quantity";
constexpr const char* kIntOrTextName = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
constexpr const char* kTimeName = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
constexpr const char* kMicroTimeName = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";

// Writes components/schemas of one document: every named type once, however often it is used.
class Components {
 public:
  // What stands where a value of this type is: itself, or a reference to its component.
  Json use(const Schema& schema) {
    if (schema.type == Type::kQuantity) return scalar(kQuantityName, quantity());
    if (schema.type == Type::kIntOrText) return scalar(kIntOrTextName, int_or_text());
    if (schema.type == Type::kTime) {
      return scalar(schema.micro ? kMicroTimeName : kTimeName, {{"type", "string"}, {"format", "date-time"}});
    }
    if (schema.name.empty()) return write(schema);
    if (!all_.contains(schema.name)) {
      all_[schema.name] = Json::object();  // so that a type that holds itself ends
      all_[schema.name] = write(schema);
    }
    return reference(schema.name);
  }

  Json& component(const std::string& name) { return all_[name]; }
  Json take() { return std::move(all_); }

 private:
  static Json reference(const std::string& name) { return {{"$ref", "#/components/schemas/" + name}}; }

  Json scalar(const char* name, Json definition) {
    if (!all_.contains(name)) all_[name] = std::move(definition);
    return reference(name);
  }

  static Json quantity() {
    return {{"description", "An amount: 2, 500m, 12Gi."},
            {"oneOf", Json::array({{{"type", "string"}}, {{"type", "number"}}})}};
  }
  static Json int_or_text() {
    return {{"description", "A whole number, or a text such as a port's name or 25%."},
            {"format", "int-or-string"},
            {"oneOf", Json::array({{{"type", "integer"}}, {{"type", "string"}}})}};
  }

  Json write(const Schema& schema) {
    Json json = Json::object();
    if (!schema.about.empty()) json["description"] = schema.about;
    switch (schema.type) {
      case Type::kObject:
        write_object(schema, json);
        break;
      case Type::kMap:
        json["type"] = "object";
        json["additionalProperties"] = use(*schema.items);
        break;
      case Type::kList:
        write_list(schema, json);
        break;
      case Type::kText:
        json["type"] = "string";
        if (schema.max) json["maxLength"] = *schema.max;
        if (!schema.words.empty()) json["enum"] = schema.words;
        break;
      case Type::kBytes:
        json["type"] = "string";
        json["format"] = "byte";
        break;
      case Type::kInteger:
        json["type"] = "integer";
        if (schema.min) json["minimum"] = *schema.min;
        if (schema.max) json["maximum"] = *schema.max;
        break;
      case Type::kNumber:
        json["type"] = "number";
        break;
      case Type::kBoolean:
        json["type"] = "boolean";
        break;
      default:  // the others are referred to by name, or may be anything
        json["x-kubernetes-preserve-unknown-fields"] = true;
        break;
    }
    if (schema.atomic) json["x-kubernetes-map-type"] = "atomic";
    return json;
  }

  void write_list(const Schema& schema, Json& json) {
    json["type"] = "array";
    json["items"] = use(*schema.items);
    const bool is_map = schema.list_type == ListType::kMap;
    json["x-kubernetes-list-type"] = is_map ? "map" : schema.list_type == ListType::kSet ? "set" : "atomic";
    if (is_map) json["x-kubernetes-list-map-keys"] = schema.list_keys;
  }

  void write_object(const Schema& schema, Json& json) {
    json["type"] = "object";
    Json properties = Json::object();
    Json required = Json::array();
    for (const SchemaField& field : schema.fields) {
      properties[field.name] = write_field(field);
      if (field.required) required.push_back(field.name);
    }
    if (!properties.empty()) json["properties"] = std::move(properties);
    if (!required.empty()) json["required"] = std::move(required);
    if (schema.open) json["x-kubernetes-preserve-unknown-fields"] = true;
  }

  Json write_field(const SchemaField& field) {
    Json json = use(*field.schema);
    const bool says_more =
        !field.about.empty() || !field.otherwise.empty() || field.merges || field.retain_keys;
    if (!says_more) return json;
    // A reference may have nothing beside it.
    if (json.contains("$ref")) json = {{"allOf", Json::array({std::move(json)})}};
    if (!field.about.empty()) json["description"] = field.about;
    if (!field.otherwise.empty()) json["default"] = field.otherwise;
    if (!field.merge_key.empty()) json["x-kubernetes-patch-merge-key"] = field.merge_key;
    if (field.merges || field.retain_keys) {
      json["x-kubernetes-patch-strategy"] = !field.merges       ? "retainKeys"
                                            : field.retain_keys ? "merge,retainKeys"
                                                                : "merge";
    }
    return json;
  }

  Json all_ = Json::object();
};

Json query_parameter(const char* name, const char* type) {
  return {{"name", name}, {"in", "query"}, {"schema", {{"type", type}, {"uniqueItems", true}}}};
}

Json operation(const char* action, const Json& named) {
  return {{"x-kubernetes-action", action},
          {"x-kubernetes-group-version-kind", named},
          {"responses", {{"200", {{"description", "OK"}}}}}};
}

Json with_body(Json operation, std::initializer_list<const char*> types) {
  for (const char* name : {"dryRun", "fieldManager", "fieldValidation"}) {
    operation["parameters"].push_back(query_parameter(name, "string"));
  }
  for (const char* type : types) operation["requestBody"]["content"][type] = Json::object();
  return operation;
}

Json patch_operation(const Json& named, bool built_in) {
  Json patch = built_in
                   ? with_body(operation("patch", named),
                               {"application/apply-patch+yaml", "application/json-patch+json",
                                "application/merge-patch+json", "application/strategic-merge-patch+json"})
                   : with_body(operation("patch", named),
                               {"application/apply-patch+yaml", "application/json-patch+json",
                                "application/merge-patch+json"});
  patch["parameters"].push_back(query_parameter("force", "boolean"));
  return patch;
}

void add_paths(Json& paths, const std::string& root, const Kind& kind, const Json& named, bool built_in) {
  const std::string plural(kind.plural);
  const std::string list = root + (kind.namespaced ? "/namespaces/{namespace}/" : "/") + plural;
  paths[list] = {{"get", operation("list", named)},
                 {"post", with_body(operation("post", named), {"application/json"})},
                 {"delete", operation("deletecollection", named)}};
  paths[list + "/{name}"] = {{"get", operation("get", named)},
                             {"put", with_body(operation("put", named), {"application/json"})},
                             {"patch", patch_operation(named, built_in)},
                             {"delete", operation("delete", named)}};
  if (kind.namespaced) paths[root + "/" + plural] = {{"get", operation("list", named)}};
}

std::string root_of(std::string_view group, std::string_view version) {
  return group.empty() ? "api/" + std::string(version)
                       : "apis/" + std::string(group) + "/" + std::string(version);
}

// The version of a definition, as the definition has it.
const Json& schema_in(const resource::CustomKind& kind, std::string_view version) {
  static const Json kNone = Json::object();
  const Json* versions = resource::find_array(kind.definition(), "spec.versions");
  if (versions == nullptr) return kNone;
  for (const Json& each : *versions) {
    if (resource::text(each, "name") != version) continue;
    const Json* found = resource::find(each, "schema.openAPIV3Schema");
    return found == nullptr ? kNone : *found;
  }
  return kNone;
}

// A definition's own words, with the fields that every object has.
void add_custom(Components& components, const resource::CustomKind& kind, std::string_view version,
                const Json& named) {
  Json schema = schema_in(kind, version);
  Json& properties = schema["properties"];
  if (!properties.is_object()) properties = Json::object();
  properties["apiVersion"] = {{"type", "string"}};
  properties["kind"] = {{"type", "string"}};
  properties["metadata"] = components.use(*object_metadata());
  schema["x-kubernetes-group-version-kind"] = Json::array({named});
  components.component(custom_name(kind, version)) = std::move(schema);
}

Json document(std::string_view group, std::string_view version, const std::vector<const Kind*>& kinds) {
  Json paths = Json::object();
  Components components;
  for (const Kind* each : kinds) {
    const Kind& kind = *each;
    const bool served = std::find(kind.versions.begin(), kind.versions.end(), version) != kind.versions.end();
    if (kind.group != group || !served) continue;
    const Json named = {
        {"group", std::string(group)}, {"kind", std::string(kind.kind)}, {"version", std::string(version)}};
    if (const resource::CustomKind* custom = resource::as_custom(kind)) {
      add_custom(components, *custom, version, named);
    } else {
      const Schema& schema = schema_of(kind, version);
      components.use(schema);
      components.component(schema.name)["x-kubernetes-group-version-kind"] = Json::array({named});
    }
    add_paths(paths, "/" + root_of(group, version), kind, named, is_built_in(kind, version));
  }
  return {{"openapi", "3.0.0"},
          {"info", {{"title", "Tidegate"}, {"version", std::string(version)}}},
          {"paths", std::move(paths)},
          {"components", {{"schemas", components.take()}}}};
}

// FNV-1a: it only has to change when the document does.
std::string hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return std::to_string(value);
}

// What the documents that hold custom kinds depend on, by their paths: every change of a definition is in it.
std::map<std::string, std::string> custom_paths(const resource::KindSet& kinds) {
  std::map<std::string, std::string> paths;
  for (const auto& kind : kinds.custom()) {
    const Json& definition = kind->definition();
    const std::string state = resource::text(definition, "metadata.uid") + "/" +
                              std::to_string(resource::number(definition, "metadata.generation")) + ";";
    for (const std::string_view version : kind->versions) paths[root_of(kind->group, version)] += state;
  }
  return paths;
}

// Of built-in kinds alone.
const std::map<std::string, std::string, std::less<>>& documents() {
  static const auto kDocuments = [] {
    std::map<std::string, std::string, std::less<>> all;
    const resource::KindSet built_in;
    for (const Kind* kind : built_in.all()) {
      for (const std::string_view version : kind->versions) {
        const std::string path = root_of(kind->group, version);
        if (!all.contains(path))
          all.emplace(path, resource::to_text(document(kind->group, version, built_in.all())));
      }
    }
    return all;
  }();
  return kDocuments;
}

}  // namespace

std::string openapi_index(const resource::KindSet& kinds) {
  Json paths = Json::object();
  const auto add = [&](const std::string& path, const std::string& hashed) {
    paths[path] = {{"serverRelativeURL", "/openapi/v3/" + path + "?hash=" + hash(hashed)}};
  };
  for (const auto& [path, text] : documents()) add(path, text);
  for (const auto& [path, hashed] : custom_paths(kinds)) add(path, hashed);
  return resource::to_text({{"paths", std::move(paths)}});
}

Result<std::string> openapi_document(std::string_view path, const resource::KindSet& kinds) {
  for (const auto& kind : kinds.custom()) {
    for (const std::string_view version : kind->versions) {
      if (path == root_of(kind->group, version)) return resource::to_text(document(kind->group, version, kinds.all()));
    }
  }
  const auto found = documents().find(path);
  if (found == documents().end())
    return fail(Code::kNotFound, "the server could not find the requested resource");
  return found->second;
}

}  // namespace tidegate::schema
