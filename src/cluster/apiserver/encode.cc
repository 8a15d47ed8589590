#include "cluster/apiserver/encode.h"

#include <nlohmann/json.hpp>
#include <span>

#include "cluster/apiserver/resource_path.h"
#include "cluster/table/table.h"
#include "resource/custom_kind.h"
#include "resource/horizontal_pod_autoscaler.h"
#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

using cluster::ObjectPtr;
using resource::Json;

std::string own_version(const Shape& shape) { return group_version(shape.kind->group, shape.version); }

std::string whole(const Shape& shape, const resource::Object& object) {
  const resource::CustomKind* custom = resource::as_custom(*shape.kind);
  const resource::CustomVersion* version = custom == nullptr ? nullptr : custom->version(shape.version);
  const bool fills = version != nullptr && version->structural->has_defaults();
  if (!fills && object.api_version() == own_version(shape)) return resource::to_text(object.json());
  return resource::to_text(as_version(*shape.kind, shape.version, object.json()));
}

std::string metadata_only(const resource::Object& object) {
  return "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":" +
         resource::to_text(object.json().at("metadata")) + "}";
}

// The object is only lent: a table is text before this returns.
ObjectPtr lent(const resource::Object& object) { return ObjectPtr(ObjectPtr(), &object); }

std::string table_text(const Shape& shape, std::span<const ObjectPtr> objects, table::Options options) {
  options.now = shape.now;
  options.include = shape.no_object        ? table::Include::kNone
                    : shape.include_object ? table::Include::kObject
                                           : table::Include::kMetadata;
  if (const resource::CustomKind* custom = resource::as_custom(*shape.kind)) {
    if (const resource::CustomVersion* version = custom->version(shape.version))
      return resource::to_text(table::make(*version, objects, options));
  }
  return resource::to_text(table::make(shape.kind->group, shape.kind->kind, objects, options));
}

std::string shown(const Shape& shape, const resource::Object& object, bool headers) {
  switch (shape.form) {
    case Form::kTable: {
      const std::vector<ObjectPtr> objects = {lent(object)};
      return table_text(
          shape, objects,
          {.columns = headers, .resource_version = std::to_string(object.metadata().resource_version)});
    }
    case Form::kMetadata:
      return metadata_only(object);
    default:
      return whole(shape, object);
  }
}

}  // namespace

Json as_version(const resource::Kind& kind, std::string_view version, Json document) {
  if (kind.group == "autoscaling" && kind.kind == "HorizontalPodAutoscaler")
    document = resource::horizontal_pod_autoscaler_as(version, std::move(document));
  document["apiVersion"] = group_version(kind.group, version);
  // What was stored before its version had a default has it when it is read.
  if (const resource::CustomKind* custom = resource::as_custom(kind)) custom->set_defaults_of(document);
  return document;
}

std::string encode_object(const Shape& shape, const resource::Object& object) {
  return shown(shape, object, true);
}

std::string encode_list(const Shape& shape, const cluster::List& list) {
  const std::string revision = std::to_string(list.revision);
  if (shape.form == Form::kTable) {
    return table_text(shape, list.items,
                      {.resource_version = revision,
                       .next = list.continue_,
                       .remaining = static_cast<std::int64_t>(list.remaining)});
  }
  Json head = {{"kind", std::string(shape.kind->kind) + "List"}, {"apiVersion", own_version(shape)}};
  if (shape.form == Form::kMetadata) {
    head = {{"kind", "PartialObjectMetadataList"}, {"apiVersion", "meta.k8s.io/v1"}};
  }
  head["metadata"]["resourceVersion"] = revision;
  if (!list.continue_.empty()) {
    head["metadata"]["continue"] = list.continue_;
    if (list.remaining > 0) head["metadata"]["remainingItemCount"] = list.remaining;
  }
  std::string text = resource::to_text(head);
  text.back() = ',';
  text += "\"items\":[";
  bool first = true;
  for (const ObjectPtr& object : list.items) {
    if (!first) text += ',';
    first = false;
    text += shape.form == Form::kMetadata ? metadata_only(*object) : whole(shape, *object);
  }
  return text + "]}";
}

std::string encode_event(const Shape& shape, std::string_view type, const resource::Object& object,
                         bool headers) {
  return "{\"type\":\"" + std::string(type) + "\",\"object\":" + shown(shape, object, headers) + "}\n";
}

std::string encode_bookmark(const Shape& shape, std::uint64_t revision, bool initial_events_end) {
  Json object = {{"kind", std::string(shape.kind->kind)}, {"apiVersion", own_version(shape)}};
  if (shape.form == Form::kTable) object = {{"kind", "Table"}, {"apiVersion", "meta.k8s.io/v1"}};
  if (shape.form == Form::kMetadata) {
    object = {{"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/v1"}};
  }
  object["metadata"] = {{"resourceVersion", std::to_string(revision)}};
  if (initial_events_end) object["metadata"]["annotations"] = {{"k8s.io/initial-events-end", "true"}};
  if (shape.form == Form::kTable) {
    object["columnDefinitions"] = Json::array();
    object["rows"] = Json::array();
  }
  return "{\"type\":\"BOOKMARK\",\"object\":" + resource::to_text(object) + "}\n";
}

std::string encode_error_event(const Status& status) {
  return "{\"type\":\"ERROR\",\"object\":" + to_text(status) + "}\n";
}

}  // namespace tidegate::apiserver
