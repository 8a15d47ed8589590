// The schema of every kind served, complete: Kubernetes' own types from a table, all others as their reading
// functions describe themselves, with metadata, sentences for people and the rules for merging lists.
//
// The catalogue is made once, when it is first asked for (some milliseconds).
//
// Thread: immutable; any thread.
// Source: Kubernetes' API reference; structural schemas of custom resources.

#pragma once

#include <string>
#include <string_view>

#include "resource/kind.h"
#include "resource/schema.h"

namespace tidegate::schema {

using resource::Kind;
using resource::Schema;
using resource::SchemaField;

// Documents of `kind` in `version`, which must be one of the kind's.
// It lives as long as the kind.
const Schema& schema_of(const Kind& kind, std::string_view version);

// The kind of an object as it names itself: "apps/v1", "Deployment". Also knows types that are no kinds here
// but travel over the API (Scale, DeleteOptions, SelfSubjectAccessReview). Null if unknown.
const Schema* find_schema(std::string_view api_version, std::string_view kind);

// "dev.tidegate.v1alpha1.NodePool": what schemas of custom resources are called.
std::string custom_name(const Kind& kind, std::string_view version);

// Of metadata, which all objects have.
resource::SchemaPtr object_metadata();

// Whether a kind comes from Kubernetes' own types: these take strategic merge patches, the others do not.
bool is_built_in(const Kind& kind, std::string_view version);

}  // namespace tidegate::schema
