// JSON Schema as a constraint: the part that can be followed while writing.
//
// Properties come in the order of the schema, as common engines have it; names that are not in `properties`
// only where additionalProperties asks for them. oneOf is read as anyOf; of `format` the common ones are followed,
// where no length or pattern says otherwise.
// Keywords that change what is valid and are not known here are refused by name and place.
//
// Thread: pure.

#pragma once

#include <string_view>

#include "engine/guide/builder.h"
#include "engine/guide/json_text.h"

namespace tidegate::guide {

// Makes `root` the rule of values that satisfy the schema. Errors: kInvalid with the path inside the schema.
Result<void> compile_schema(Builder& builder, JsonText& json, std::string_view schema, RuleId root);

}  // namespace tidegate::guide
