#include "resource/custom_kind.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "resource/fields.h"
#include "resource/reader.h"
#include "resource/version_order.h"

namespace tidegate::resource {
namespace {

// Marks a CustomKind among Kinds; its rules depend on its definition, so admit() asks it and not this.
void custom_mark(const Json& document, Findings& findings) {
  (void)document;
  (void)findings;
}

std::string without_dot(std::string path) {
  if (path.starts_with('.')) path.erase(0, 1);
  return path;
}

std::vector<PrinterColumn> read_columns(const Json& version) {
  std::vector<PrinterColumn> columns;
  const Json* list = find_array(version, "additionalPrinterColumns");
  for (const Json& each : list == nullptr ? Json::array() : *list) {
    auto path = JsonPath::parse("{" + text(each, "jsonPath") + "}");
    if (!path) continue;  // admission has complained
    columns.push_back({.name = text(each, "name"),
                       .type = text(each, "type"),
                       .format = text(each, "format"),
                       .about = text(each, "description"),
                       .priority = static_cast<int>(number(each, "priority")),
                       .path = *std::move(path)});
  }
  return columns;
}

std::optional<ScalePaths> read_scale(const Json& version) {
  const Json* scale = find(version, "subresources.scale");
  if (scale == nullptr || !scale->is_object()) return std::nullopt;
  return ScalePaths{.replicas = without_dot(text(*scale, "specReplicasPath")),
                    .current = without_dot(text(*scale, "statusReplicasPath")),
                    .selector = without_dot(text(*scale, "labelSelectorPath"))};
}

std::string deprecation_of(const Json& version, const std::string& title) {
  if (!flag(version, "deprecated")) return {};
  return text(version, "deprecationWarning", title + " is deprecated");
}

CustomVersion read_version(const Json& json, const std::string& title, const SchemaPtr& metadata) {
  CustomVersion version{.name = text(json, "name"),
                        .served = flag(json, "served"),
                        .stored = flag(json, "storage"),
                        .has_status = find(json, "subresources.status") != nullptr,
                        .deprecation = deprecation_of(json, title),
                        .scale = read_scale(json),
                        .columns = read_columns(json)};
  const Json* selectable = find_array(json, "selectableFields");
  for (const Json& each : selectable == nullptr ? Json::array() : *selectable) {
    version.selectable.push_back(without_dot(text(each, "jsonPath")));
  }
  const Json* schema = find(json, "schema.openAPIV3Schema");
  std::vector<Error> ignored;  // admission has complained
  version.structural = Structural::read(schema == nullptr ? Json::object() : *schema, "", ignored);
  version.schema = version.structural->schema(metadata);
  return version;
}

}  // namespace

std::shared_ptr<const CustomKind> CustomKind::make(const Json& definition, const SchemaPtr& metadata,
                                                   const Kind& anchor) {
  const Json* versions = find_array(definition, "spec.versions");
  if (versions == nullptr || versions->empty() || text(definition, "spec.names.kind").empty() ||
      text(definition, "spec.names.plural").empty() || text(definition, "spec.group").empty()) {
    return nullptr;
  }
  auto kind = std::make_shared<CustomKind>();
  kind->anchor_ = &anchor;
  kind->read(definition, metadata);
  return kind;
}

void CustomKind::read(const Json& definition, const SchemaPtr& metadata) {
  definition_ = std::make_shared<const Json>(definition);
  definition_name_ = resource::text(definition, "metadata.name");
  group = keep(resource::text(definition, "spec.group"));
  kind = keep(resource::text(definition, "spec.names.kind"));
  plural = keep(resource::text(definition, "spec.names.plural"));
  singular = keep(resource::text(definition, "spec.names.singular"));
  namespaced = resource::text(definition, "spec.scope") == "Namespaced";
  has_status = false;
  validate = custom_mark;
  for (const char* list : {"spec.names.shortNames", "spec.names.categories"}) {
    const Json* names = find_array(definition, list);
    for (const Json& each : names == nullptr ? Json::array() : *names) {
      if (!each.is_string()) continue;
      if (std::string_view(list).ends_with("categories")) {
        categories_.push_back(each.get<std::string>());
      } else {
        short_names.push_back(keep(each.get<std::string>()));
      }
    }
  }
  for (const Json& each : *find_array(definition, "spec.versions")) {
    const std::string title =
        std::string(group) + "/" + resource::text(each, "name") + " " + std::string(kind);
    versions_.push_back(read_version(each, title, metadata));
    const CustomVersion& made = versions_.back();
    if (made.served) versions.push_back(keep(made.name));
    has_status = has_status || made.has_status;
  }
  std::stable_sort(versions.begin(), versions.end(), version_before);
}

const CustomVersion* CustomKind::version(std::string_view name) const {
  const auto found = std::find_if(versions_.begin(), versions_.end(), [&](const CustomVersion& each) {
    return each.served && each.name == name;
  });
  return found == versions_.end() ? nullptr : &*found;
}

const CustomVersion& CustomKind::version_of(const Json& document) const {
  const std::string api_version = resource::text(document, "apiVersion");
  if (const CustomVersion* own = version(std::string_view(api_version).substr(api_version.rfind('/') + 1))) return *own;
  const auto stored = std::find_if(versions_.begin(), versions_.end(), [](const auto& each) { return each.stored; });
  return stored == versions_.end() ? versions_.front() : *stored;
}

bool CustomKind::selects(std::string_view path) const {
  return std::any_of(versions_.begin(), versions_.end(), [&](const CustomVersion& each) {
    return std::find(each.selectable.begin(), each.selectable.end(), path) != each.selectable.end();
  });
}

void CustomKind::set_defaults_of(Json& document) const {
  version_of(document).structural->set_defaults(document);
}

void CustomKind::validate_all(const Json& document, std::vector<Error>& errors) const {
  const Structural& structural = *version_of(document).structural;
  std::vector<Error> wrong;
  structural.validate(document, wrong);
  if (wrong.empty()) structural.check_rules(document, nullptr, wrong);
  for (Error& error : wrong) errors.push_back(std::move(error));
}

void CustomKind::validate_change(const Json& before, const Json& after, std::vector<Error>& errors) const {
  version_of(after).structural->check_rules(after, &before, errors);
}

const CustomKind* as_custom(const Kind& kind) {
  return kind.validate == custom_mark ? static_cast<const CustomKind*>(&kind) : nullptr;
}

const Kind& stored_as(const Kind& kind) {
  const CustomKind* custom = as_custom(kind);
  return custom == nullptr ? kind : custom->anchor();
}

}  // namespace tidegate::resource
