// Objects for tests, out of manifests as a user would write them, through the same gate as in production.

#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::gateway {

// `text` is JSON. Fills in a namespace, a generation of 3 and a creation time where they are missing.
inline resource::ObjectPtr object(std::string_view text) {
  auto document = resource::Json::parse(text);
  auto& metadata = document["metadata"];
  if (!metadata.contains("creationTimestamp")) metadata["creationTimestamp"] = "2026-01-01T00:00:00Z";
  if (!metadata.contains("generation")) metadata["generation"] = 3;
  const resource::Kind* kind =
      resource::find_kind(document["apiVersion"].get<std::string>(), document["kind"].get<std::string>());
  EXPECT_NE(kind, nullptr) << text;
  const auto errors = resource::admit(*kind, document);
  for (const Error& error : errors) ADD_FAILURE() << describe(error) << "\n" << text;
  auto made = resource::Object::make(std::move(document));
  EXPECT_TRUE(made.has_value()) << text;
  return *made;
}

}  // namespace tidegate::gateway
