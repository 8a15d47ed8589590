// Lists as tables: what kubectl get prints when the server says how.
//
//   Accept: application/json;as=Table;v=v1;g=meta.k8s.io
//
// Objects are read as plain JSON, so a kind can have columns before it has a typed view; a kind without
// columns of its own shows NAME and AGE.
//
// Thread: pure; any thread.
// Source: Kubernetes, meta/v1 Table, "Receiving resources as Tables"; columns as kubectl users know them,
// those of custom resources from their CRDs' additionalPrinterColumns.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "resource/custom_kind.h"
#include "resource/object.h"

namespace tidegate::table {

using resource::Json;
using resource::ObjectPtr;

// What each row carries beside its cells: ?includeObject=.
enum class Include { kNone, kMetadata, kObject };

struct Options {
  WallTime now{};  // ages are counted to here
  Include include = Include::kMetadata;
  bool columns = true;           // false: rows only, as in watch events after the first
  std::string resource_version{};  // of the list
  std::string next{};              // continue token; may be empty
  std::int64_t remaining = 0;    // remainingItemCount; 0: not said
};

// All objects are of this group and kind.
Json make(std::string_view group, std::string_view kind, std::span<const ObjectPtr> objects,
          const Options& options);

// All objects are of the kind that has this version: its additionalPrinterColumns.
Json make(const resource::CustomVersion& version, std::span<const ObjectPtr> objects, const Options& options);

}  // namespace tidegate::table
