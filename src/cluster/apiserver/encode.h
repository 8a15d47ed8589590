// Objects as answers: in the version that was asked for, whole, as a Table or as metadata alone.
//
// Thread: pure.
// Source: meta/v1 Table, PartialObjectMetadata, List.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cluster/apiserver/media.h"
#include "cluster/apiserver/options.h"
#include "cluster/client.h"

namespace tidegate::apiserver {

// How to show objects of one request.
struct Shape {
  const resource::Kind* kind = nullptr;
  std::string version;  // of the path
  Form form = Form::kObject;
  bool include_object = false;  // see Options
  bool no_object = false;
  WallTime now{};  // for ages
};

// The document in another of its kind's versions. Versions of a group share storage and differ in name only,
// but for HorizontalPodAutoscaler, whose metrics are written differently in v1.
resource::Json as_version(const resource::Kind& kind, std::string_view version, resource::Json document);

std::string encode_object(const Shape& shape, const resource::Object& object);
std::string encode_list(const Shape& shape, const cluster::List& list);

// One line of a watch: {"type":"ADDED","object":...}, with the line's end. `headers`: for the first Table.
std::string encode_event(const Shape& shape, std::string_view type, const resource::Object& object,
                         bool headers);
std::string encode_bookmark(const Shape& shape, std::uint64_t revision, bool initial_events_end);
std::string encode_error_event(const Status& status);

}  // namespace tidegate::apiserver
