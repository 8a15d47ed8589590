#include "cluster/table/table.h"

#include <nlohmann/json.hpp>

#include "cluster/table/cells.h"

namespace tidegate::table {
namespace {

const Layout& plain_layout() {
  static const Layout kPlain = {"", "", {{"Name"}, {"Age"}}, [](const Json& object, WallTime now) -> Json {
                                  return Json::array({name(object), age(object, now)});
                                }};
  return kPlain;
}

const Layout& layout_for(std::string_view group, std::string_view kind) {
  for (const auto layouts :
       {pod_layouts(), core_layouts(), workload_layouts(), route_layouts(), serving_layouts()}) {
    for (const Layout& layout : layouts) {
      if (layout.group == group && layout.kind == kind) return layout;
    }
  }
  return plain_layout();
}

Json definition(const Column& column) {
  const bool names = column.name == "Name" && column.priority == 0;
  return {{"name", std::string(column.name)},
          {"type", std::string(column.type)},
          {"format", names ? "name" : ""},
          {"description", ""},
          {"priority", column.priority}};
}

Json carried(const resource::Object& object, Include include) {
  if (include == Include::kObject) return object.json();
  return {{"kind", "PartialObjectMetadata"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", object.json().at("metadata")}};
}

template <typename Cells>
Json table_of(Json columns, std::span<const ObjectPtr> objects, const Options& options, const Cells& cells) {
  Json metadata = {{"resourceVersion", options.resource_version}};
  if (!options.next.empty()) metadata["continue"] = options.next;
  if (options.remaining > 0) metadata["remainingItemCount"] = options.remaining;
  Json rows = Json::array();
  for (const ObjectPtr& object : objects) {
    Json row = {{"cells", cells(object->json())}};
    if (options.include != Include::kNone) row["object"] = carried(*object, options.include);
    rows.push_back(std::move(row));
  }
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", std::move(metadata)},
          {"columnDefinitions", options.columns ? std::move(columns) : Json::array()},
          {"rows", std::move(rows)}};
}

// A cell of a definition's column; null where there is nothing of the column's type.
Json printed(const resource::PrinterColumn& column, const Json& object, WallTime now) {
  const auto found = column.path.find(object);
  if (found.empty() || found.front()->is_null()) return nullptr;
  const Json& value = *found.front();
  if (column.type == "string") return column.path.print(object);
  if (column.type == "date") return value.is_string() ? Json(since(value.get<std::string>(), now)) : Json(nullptr);
  if (column.type == "boolean") return value.is_boolean() ? value : Json(nullptr);
  if (column.type == "number") return value.is_number() ? value : Json(nullptr);
  if (!value.is_number()) return nullptr;
  return value.is_number_integer() ? value : Json(static_cast<std::int64_t>(value.get<double>()));
}

}  // namespace

Json make(std::string_view group, std::string_view kind, std::span<const ObjectPtr> objects,
          const Options& options) {
  const Layout& layout = layout_for(group, kind);
  Json columns = Json::array();
  for (const Column& column : layout.columns) columns.push_back(definition(column));
  return table_of(std::move(columns), objects, options,
                  [&](const Json& object) { return layout.cells(object, options.now); });
}

Json make(const resource::CustomVersion& version, std::span<const ObjectPtr> objects, const Options& options) {
  if (version.columns.empty()) return make("", "", objects, options);
  Json columns = Json::array({definition({"Name"})});
  for (const resource::PrinterColumn& column : version.columns) {
    columns.push_back({{"name", column.name},
                       {"type", column.type},
                       {"format", column.format},
                       {"description", column.about},
                       {"priority", column.priority}});
  }
  return table_of(std::move(columns), objects, options, [&](const Json& object) {
    Json cells = Json::array({name(object)});
    for (const resource::PrinterColumn& column : version.columns) {
      cells.push_back(printed(column, object, options.now));
    }
    return cells;
  });
}

}  // namespace tidegate::table
