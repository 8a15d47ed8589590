// Fields that a document has and its schema does not: what fieldValidation=Strict, Warn and Ignore are about.
//
//   auto unknown = schema::drop_unknown(schema::schema_of(kind, version), document);
//   Strict: 400 with strict_error(unknown); Warn: a Warning header each; Ignore: nothing.
//
// Thread: pure; any thread.
// Source: Kubernetes, "Field validation"; sigs.k8s.io/json and structured-schema pruning for the wording.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "resource/kind.h"
#include "resource/object.h"
#include "resource/schema.h"

namespace tidegate::schema {

enum class FieldValidation { kIgnore, kWarn, kStrict };

// "Strict", "Warn", "Ignore"; empty means Strict for kubectl's own sake nowhere: the API's default is Warn.
// Errors: kInvalid in Kubernetes' words.
Result<FieldValidation> parse_field_validation(std::string_view text);

// Takes the fields out that the schema does not know, and returns them in Kubernetes' words, at most 100:
// `unknown field "spec.replcias"`. Fields of the wrong type stay; admission speaks of them.
std::vector<std::string> drop_unknown(const resource::Schema& schema, resource::Json& document);

// What a person who wrote the document by hand should know: fields of Kubernetes' own kinds that do not
// exist, each with its path and the nearest that does. Of other kinds admission says so itself.
std::vector<Error> unknown_fields(const resource::Kind& kind, const resource::Json& document);

// `duplicate field "spec.replicas"`, from the paths that resource::parse_json found.
std::vector<std::string> duplicate_messages(const std::vector<std::string>& paths);

// The first value that is of another type than its schema says, in the words in which Kubernetes' decoder refuses it:
// for its own kinds no object can hold one, so nothing is said about the rest. Nothing if all fit.
std::optional<std::string> mistyped(const resource::Schema& schema, const resource::Json& document);

// The message of the 400 under Strict: `strict decoding error: unknown field "a", unknown field "b"`.
std::string strict_error(const std::vector<std::string>& messages);

}  // namespace tidegate::schema
