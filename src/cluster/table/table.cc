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

}  // namespace

Json make(std::string_view group, std::string_view kind, std::span<const ObjectPtr> objects,
          const Options& options) {
  const Layout& layout = layout_for(group, kind);
  Json metadata = {{"resourceVersion", options.resource_version}};
  if (!options.next.empty()) metadata["continue"] = options.next;
  if (options.remaining > 0) metadata["remainingItemCount"] = options.remaining;
  Json columns = Json::array();
  if (options.columns) {
    for (const Column& column : layout.columns) columns.push_back(definition(column));
  }
  Json rows = Json::array();
  for (const ObjectPtr& object : objects) {
    Json row = {{"cells", layout.cells(object->json(), options.now)}};
    if (options.include != Include::kNone) row["object"] = carried(*object, options.include);
    rows.push_back(std::move(row));
  }
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", std::move(metadata)},
          {"columnDefinitions", std::move(columns)},
          {"rows", std::move(rows)}};
}

}  // namespace tidegate::table
