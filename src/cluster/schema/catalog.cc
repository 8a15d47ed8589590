#include "cluster/schema/catalog.h"

#include <map>
#include <memory>
#include <utility>

#include "base/ascii.h"
#include "cluster/schema/tables.h"
#include "cluster/schema/type_parser.h"
#include "resource/custom_kind.h"

namespace tidegate::schema {
namespace {

using resource::ListType;
using resource::SchemaPtr;
using Type = Schema::Type;

// "core.v1" for v1, "networking.v1" for networking.k8s.io/v1. Other groups give a name that the table lacks.
std::string package_of(std::string_view group, std::string_view version) {
  constexpr std::string_view kSuffix = ".k8s.io";
  if (group.ends_with(kSuffix)) group.remove_suffix(kSuffix.size());
  return (group.empty() ? "core" : std::string(group)) + "." + std::string(version);
}

SchemaPtr plain(Type type) { return std::make_shared<Schema>(Schema{.type = type}); }

void set_field(Schema& object, std::string_view name, SchemaPtr schema) {
  SchemaField* field = object.find(name);
  if (field == nullptr) {
    object.fields.push_back({.name = std::string(name), .schema = std::move(schema)});
  } else {
    field->schema = std::move(schema);
  }
}

// Status is written by controllers and not held to a schema; only how its conditions merge is known.
SchemaPtr open_status() {
  auto condition = plain(Type::kObject);
  condition->open = true;
  for (const char* field : {"type", "status", "reason", "message", "lastTransitionTime"}) {
    set_field(*condition, field, plain(Type::kText));
  }
  set_field(*condition, "observedGeneration", plain(Type::kInteger));
  auto conditions = plain(Type::kList);
  conditions->items = std::move(condition);
  conditions->list_type = ListType::kMap;
  conditions->list_keys = {"type"};
  auto status = plain(Type::kObject);
  status->open = true;
  set_field(*status, "conditions", std::move(conditions));
  return status;
}

class Catalog {
 public:
  Catalog() : types_(parse_types(types_table())) {
    for (const Kind& kind : resource::kinds()) {
      for (const std::string_view version : kind.versions) add_custom(kind, version);
    }
    for (const std::string_view line : split(about_table(), '\n')) add_about(line);
  }

  const Schema* find(std::string_view api_version, std::string_view kind) const {
    const std::size_t slash = api_version.find('/');
    const bool core = slash == std::string_view::npos;
    const std::string_view group = core ? std::string_view() : api_version.substr(0, slash);
    const std::string_view version = core ? api_version : api_version.substr(slash + 1);
    if (const Schema* own = built_in(group, version, kind)) return own;
    const auto custom = custom_.find(std::string(api_version) + "." + std::string(kind));
    return custom == custom_.end() ? nullptr : custom->second.get();
  }

  SchemaPtr metadata() const { return types_.at("meta.v1.ObjectMeta"); }

  const Schema* built_in(std::string_view group, std::string_view version, std::string_view kind) const {
    const auto found = types_.find(package_of(group, version) + "." + std::string(kind));
    // DeleteOptions and Status belong to every group.
    const auto meta =
        found == types_.end() ? types_.find("meta." + std::string(version) + "." + std::string(kind)) : found;
    return meta == types_.end() || meta->second->find("apiVersion") == nullptr ? nullptr : meta->second.get();
  }

 private:
  void add_custom(const Kind& kind, std::string_view version) {
    if (built_in(kind.group, version, kind.kind) != nullptr) return;
    auto schema = std::make_shared<Schema>(resource::describe(kind, version));
    schema->name = custom_name(kind, version);
    for (const char* field : {"apiVersion", "kind"}) set_field(*schema, field, plain(Type::kText));
    set_field(*schema, "metadata", types_.at("meta.v1.ObjectMeta"));
    if (kind.has_status) set_field(*schema, "status", open_status());
    const std::string prefix = kind.group.empty() ? std::string() : std::string(kind.group) + "/";
    custom_.emplace(prefix + std::string(version) + "." + std::string(kind.kind), std::move(schema));
  }

  // "NAME.FIELD... | SENTENCE | map=KEYS": every type of that name that has the field gets it.
  void add_about(std::string_view line) {
    const auto columns = split(line, '|');
    if (columns.size() < 2) return;
    const auto path = split(ascii::trim(columns[0]), '.');
    const std::string_view about = ascii::trim(columns[1]);
    const std::string_view merge = columns.size() > 2 ? ascii::trim(columns[2]) : std::string_view();
    for (const auto* all : {&types_, &custom_}) {
      for (const auto& [name, schema] : *all) {
        if (name.substr(name.rfind('.') + 1) == path.front()) set_about(*schema, path, about, merge);
      }
    }
  }

  static void set_about(Schema& root, const std::vector<std::string_view>& path, std::string_view about,
                        std::string_view merge) {
    Schema* here = &root;
    SchemaField* field = nullptr;
    for (std::size_t i = 1; i < path.size(); ++i) {
      while (here->items != nullptr) here = here->items.get();
      field = here->find(path[i]);
      if (field == nullptr) return;
      here = field->schema.get();
    }
    (field == nullptr ? root.about : field->about) = about;
    constexpr std::string_view kMap = "map=";
    if (!merge.starts_with(kMap) || here->type != Type::kList) return;
    here->list_type = ListType::kMap;
    for (const std::string_view key : split(merge.substr(kMap.size()), ','))
      here->list_keys.emplace_back(key);
  }

  Types types_;
  Types custom_;  // by "group/version.Kind"
};

const Catalog& catalog() {
  static const Catalog kCatalog;
  return kCatalog;
}

}  // namespace

const Schema& schema_of(const Kind& kind, std::string_view version) {
  static const Schema kAnything{.type = Type::kObject, .open = true};
  if (const resource::CustomKind* custom = resource::as_custom(kind)) {
    const resource::CustomVersion* own = custom->version(version);
    return own == nullptr ? kAnything : *own->schema;
  }
  const std::string prefix = kind.group.empty() ? std::string() : std::string(kind.group) + "/";
  const Schema* found = catalog().find(prefix + std::string(version), kind.kind);
  return found == nullptr ? kAnything : *found;
}

const Schema* find_schema(std::string_view api_version, std::string_view kind) {
  return catalog().find(api_version, kind);
}

std::string custom_name(const Kind& kind, std::string_view version) {
  const auto labels = split(kind.group, '.');
  std::string name;
  for (auto label = labels.rbegin(); label != labels.rend(); ++label) name += std::string(*label) + ".";
  return name + std::string(version) + "." + std::string(kind.kind);
}

resource::SchemaPtr object_metadata() { return catalog().metadata(); }

bool is_built_in(const Kind& kind, std::string_view version) {
  return resource::as_custom(kind) == nullptr &&
         catalog().built_in(kind.group, version, kind.kind) != nullptr;
}

}  // namespace tidegate::schema
