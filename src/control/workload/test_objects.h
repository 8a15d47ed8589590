// Objects for this room's tests, as they would come out of the store.

#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::workload::testing {

using resource::Json;
using resource::ObjectPtr;

inline constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

// With the kind's defaults filled in and what a store adds.
inline ObjectPtr stored(Json document, std::string uid, WallTime created = kNow) {
  const std::string api_version = document["apiVersion"];
  const std::string kind_name = document["kind"];
  const resource::Kind* kind = resource::find_kind(api_version, kind_name);
  EXPECT_NE(kind, nullptr) << kind_name;
  for (const Error& error : resource::admit(*kind, document)) ADD_FAILURE() << describe(error);
  document["metadata"]["uid"] = std::move(uid);
  document["metadata"]["resourceVersion"] = "1";
  if (!document["metadata"].contains("generation")) document["metadata"]["generation"] = 1;
  document["metadata"]["creationTimestamp"] = rfc3339(created);
  auto object = resource::Object::make(std::move(document));
  EXPECT_TRUE(object.has_value()) << (object ? "" : describe(object.error()));
  return *object;
}

// The same object after `change`, as a writer would leave it.
template <typename Change>
ObjectPtr changed(const ObjectPtr& object, Change&& change) {
  Json document = object->json();
  change(document);
  auto result = resource::Object::make(std::move(document));
  EXPECT_TRUE(result.has_value());
  return *result;
}

inline Json parse(const char* text) { return Json::parse(text); }

}  // namespace tidegate::workload::testing
