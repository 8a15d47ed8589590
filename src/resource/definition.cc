#include "resource/definition.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/ascii.h"
#include "resource/condition.h"
#include "resource/defaults.h"
#include "resource/fields.h"
#include "resource/reader.h"
#include "resource/structural.h"

namespace tidegate::resource {
namespace {

constexpr std::string_view kGroup = "apiextensions.k8s.io";

struct Anything {};

std::string_view group_name(std::string_view text) {
  if (const std::string_view wrong = dns_subdomain(text); !wrong.empty()) return wrong;
  return text.find('.') == std::string_view::npos ? "should be a domain with at least one dot" : std::string_view();
}

std::string_view json_path(std::string_view text) {
  return JsonPath::parse("{" + std::string(text) + "}") ? std::string_view()
                                                        : "must be a JSONPath, as .spec.replicas";
}

std::string_view spec_path(std::string_view text) {
  return text.starts_with(".spec.") ? std::string_view() : "should be a json path under .spec";
}
std::string_view status_path(std::string_view text) {
  return text.starts_with(".status.") ? std::string_view() : "should be a json path under .status";
}
std::string_view any_path(std::string_view text) {
  return text.starts_with(".spec.") || text.starts_with(".status.")
             ? std::string_view()
             : "should be a json path under either .spec or .status";
}

void read_subresources(Reader& version) {
  Reader subresources(version, "subresources");
  subresources.open();
  Reader scale(subresources, "scale");
  scale.open();
  scale.text("specReplicasPath", {.need = Need::kRequired, .min = 1, .syntax = spec_path});
  scale.text("statusReplicasPath", {.need = Need::kRequired, .min = 1, .syntax = status_path});
  scale.text("labelSelectorPath", {.syntax = any_path});
}

void read_columns(Reader& version) {
  version.each("additionalPrinterColumns", {.max = 100}, [](Reader& column) {
    column.open();
    column.text("name", {.need = Need::kRequired, .min = 1});
    column.choice_index("type", {"integer", "number", "string", "boolean", "date"}, Need::kRequired);
    column.text("jsonPath", {.need = Need::kRequired, .min = 1, .max = 1000, .syntax = json_path});
    column.integer("priority", {.min = 0, .max = kInt32Max});
  });
}

std::string read_names(Reader& spec) {
  Reader names(spec, "names", Need::kRequired);
  names.open();
  std::string plural = names.text("plural", {.need = Need::kRequired, .min = 1, .syntax = rfc1035_label});
  names.text("kind", {.need = Need::kRequired, .min = 1, .syntax = kind_name});
  names.text("singular", {.syntax = rfc1035_label});
  names.texts("shortNames", {.max = 100}, {.syntax = rfc1035_label});
  names.texts("categories", {.max = 100}, {.syntax = rfc1035_label});
  return plural;
}

void read_versions(Reader& spec) {
  int stored = 0;
  std::set<std::string> seen;
  bool twice = false;
  spec.each("versions", {.min = 1, .max = 100, .need = Need::kRequired}, [&](Reader& version) {
    version.open();
    const std::string name = version.text("name", {.need = Need::kRequired, .min = 1, .syntax = rfc1035_label});
    twice = !seen.insert(name).second || twice;
    version.boolean("served");
    version.boolean("deprecated");
    if (version.boolean("storage").value_or(false)) ++stored;
    read_subresources(version);
    read_columns(version);
  });
  if (!spec.present() || !spec.has("versions")) return;
  if (twice) spec.wrong("versions", "must contain unique version names");
  if (stored != 1) {
    spec.wrong("versions", "have " + std::to_string(stored) + " with storage: true; exactly one is stored");
  }
}

Anything read_definition(Reader& root) {
  root.open();
  Reader spec(root, "spec", Need::kRequired);
  spec.open();
  const std::string group = spec.text("group", {.need = Need::kRequired, .min = 1, .syntax = group_name});
  spec.choice_index("scope", {"Namespaced", "Cluster"}, Need::kRequired);
  const std::string plural = read_names(spec);
  read_versions(spec);
  if (spec.boolean("preserveUnknownFields").value_or(false)) {
    spec.wrong("preserveUnknownFields", "must be false; set x-kubernetes-preserve-unknown-fields: true in a schema");
  }
  {
    Reader conversion(spec, "conversion");
    conversion.open();
    conversion.choice_index("strategy", {"None", "Webhook"});
  }
  Reader metadata(root, "metadata");
  metadata.open();
  const std::string name = metadata.text("name");
  if (!name.empty() && !plural.empty() && !group.empty() && name != plural + "." + group) {
    metadata.wrong("name", "is \"" + name.substr(0, 253) +
                               "\"; it must be spec.names.plural+\".\"+spec.group, " + plural + "." + group);
  }
  return {};
}

void check_schemas(const Json& definition, std::vector<Error>& errors) {
  const Json* versions = find_array(definition, "spec.versions");
  for (std::size_t i = 0; versions != nullptr && i < versions->size(); ++i) {
    const std::string path = "spec.versions[" + std::to_string(i) + "].schema.openAPIV3Schema";
    const Json* schema = find((*versions)[i], "schema.openAPIV3Schema");
    if (schema == nullptr) {
      errors.push_back({Code::kInvalid, path, "Required value: schemas are required"});
    } else {
      (void)Structural::read(*schema, path, errors);
    }
  }
}

void validate(const Json& document, Findings& findings) {
  check_document(document, findings, read_definition);
  if (findings.describer == nullptr && !defines_built_in(document)) check_schemas(document, findings.errors);
}

void validate_update(const Json& before, const Json& after, std::vector<Error>& errors) {
  if (defines_built_in(after)) return;
  for (const char* field : {"spec.group", "spec.scope", "spec.names.kind", "spec.names.plural"}) {
    if (text(before, field) != text(after, field)) {
      errors.push_back({Code::kInvalid, field, "field is immutable"});
    }
  }
  const Json* stored = find_array(before, "status.storedVersions");
  const Json* versions = find_array(after, "spec.versions");
  for (std::size_t i = 0; stored != nullptr && versions != nullptr && i < stored->size(); ++i) {
    const bool there = std::any_of(versions->begin(), versions->end(), [&](const Json& version) {
      return version.is_object() && version.contains("name") && version["name"] == (*stored)[i];
    });
    if (there) continue;
    errors.push_back({Code::kInvalid, "status.storedVersions[" + std::to_string(i) + "]",
                      "missing from spec.versions; " + (*stored)[i].dump() +
                          " was previously a storage version, and must remain in spec.versions until a storage "
                          "migration ensures no data remains persisted in it and removes it from status.storedVersions"});
  }
}

void set_defaults(Json& document) {
  Defaults root(document);
  Defaults names = root.at("spec").at("names");
  const std::string kind = names.text("kind");
  if (!kind.empty()) {
    names.set("listKind", kind + "List");
    names.set("singular", ascii::to_lower(kind));
  }
  root.at("spec").make("conversion").set("strategy", "None");
}

void add_unchecked(const Json& value, const std::string& path, std::vector<std::string>& unchecked) {
  for (auto part = value.begin(); value.is_structured() && part != value.end(); ++part) {
    const std::string below = value.is_object() ? path + "." + part.key()
                                                : path + "[" + std::to_string(part - value.begin()) + "]";
    if (path.ends_with(".x-kubernetes-validations")) {
      if (const std::string why = why_unchecked(*part); !why.empty()) unchecked.push_back(below + ": " + why);
    } else {
      add_unchecked(*part, below, unchecked);
    }
  }
}

// Empty if all rules are checked.
std::string rules_notice(const Json& definition) {
  const Json* versions = find_array(definition, "spec.versions");
  std::vector<std::string> unchecked;
  if (versions != nullptr && !defines_built_in(definition)) add_unchecked(*versions, "spec.versions", unchecked);
  if (unchecked.empty()) return {};
  return std::to_string(unchecked.size()) + (unchecked.size() == 1 ? " rule" : " rules") +
         " in x-kubernetes-validations kept and not checked here, the first at " + unchecked.front();
}

constexpr const char* kConversionNotice =
    "the conversion webhook is kept and not called here: versions differ in their name alone";

}  // namespace

Kind custom_resource_definition_kind() {
  return {.group = kGroup,
          .kind = "CustomResourceDefinition",
          .plural = "customresourcedefinitions",
          .singular = "customresourcedefinition",
          .versions = {"v1"},
          .short_names = {"crd", "crds"},
          .namespaced = false,
          .set_defaults = set_defaults,
          .validate = validate,
          .validate_update = validate_update};
}

bool is_definition(const Kind& kind) { return kind.group == kGroup && kind.kind == "CustomResourceDefinition"; }

bool defines_built_in(const Json& definition) {
  const std::string group = text(definition, "spec.group");
  const std::string kind = text(definition, "spec.names.kind");
  const auto all = kinds();
  return std::any_of(all.begin(), all.end(),
                     [&](const Kind& each) { return each.group == group && each.kind == kind; });
}

std::string name_conflict(const Json& definition, const KindSet& others) {
  if (defines_built_in(definition)) return {};
  const std::string group = text(definition, "spec.group");
  std::set<std::string> resources = {text(definition, "spec.names.plural"), text(definition, "spec.names.singular")};
  if (const Json* short_names = find_array(definition, "spec.names.shortNames")) {
    for (const Json& name : *short_names) {
      if (name.is_string()) resources.insert(name.get<std::string>());
    }
  }
  const std::string kind = text(definition, "spec.names.kind");
  for (const Kind* other : others.all()) {
    const CustomKind* custom = as_custom(*other);
    if (other->group != group) continue;
    if (custom != nullptr && custom->definition_name() == text(definition, "metadata.name")) continue;
    std::string taken = other->kind == kind ? kind : std::string();
    const auto look = [&](std::string_view name) {
      if (taken.empty() && !name.empty() && resources.contains(std::string(name))) taken = name;
    };
    look(other->plural);
    look(other->singular);
    for (const std::string_view name : other->short_names) look(name);
    if (!taken.empty()) return "\"" + taken + "\" is already in use";
  }
  return {};
}

void set_definition_status(Json& definition, const std::string& conflict, std::string_view now) {
  const bool built_in = defines_built_in(definition);
  Json status = definition.contains("status") && definition["status"].is_object() ? definition["status"] : Json::object();
  Json& conditions = status["conditions"];
  const auto say = [&](const char* type, bool holds, const char* reason, const std::string& message) {
    set_condition(conditions,
                  {.type = type, .status = holds ? "True" : "False", .reason = reason, .message = message}, now);
  };
  if (conflict.empty()) {
    say("NamesAccepted", true, "NoConflicts", "no conflicts found");
    say("Established", true, "InitialNamesAccepted",
        built_in ? "the kind is built in" : "the initial names have been accepted");
  } else {
    say("NamesAccepted", false, "NamesConflict", conflict);
    say("Established", false, "NotAccepted", "not all names are accepted");
  }
  if (const std::string notice = rules_notice(definition); !notice.empty())
    say("ValidationRulesChecked", false, "NotSupported", notice);
  const Json* names = find(definition, "spec.names");
  if (conflict.empty() && names != nullptr) status["acceptedNames"] = *names;
  if (!conflict.empty() && !status.contains("acceptedNames")) status["acceptedNames"] = {{"kind", ""}, {"plural", ""}};
  Json stored = status.contains("storedVersions") && status["storedVersions"].is_array() ? status["storedVersions"]
                                                                                         : Json::array();
  const Json* versions = find_array(definition, "spec.versions");
  for (const Json& version : versions == nullptr ? Json::array() : *versions) {
    const std::string name = text(version, "name");
    if (flag(version, "storage") && std::find(stored.begin(), stored.end(), name) == stored.end()) stored.push_back(name);
  }
  status["storedVersions"] = std::move(stored);
  definition["status"] = std::move(status);
}

void set_terminating(Json& definition, std::string_view now) {
  set_condition(definition["status"]["conditions"],
                {.type = "Terminating",
                 .status = "True",
                 .reason = "InstanceDeletionInProgress",
                 .message = "CustomResource deletion is in progress"},
                now);
}

std::vector<std::string> definition_notices(const Json& definition) {
  std::vector<std::string> notices;
  if (std::string notice = rules_notice(definition); !notice.empty()) notices.push_back(std::move(notice));
  if (!defines_built_in(definition) && text(definition, "spec.conversion.strategy") == "Webhook") {
    notices.emplace_back(kConversionNotice);
  }
  return notices;
}

}  // namespace tidegate::resource
