// The model of a multipart/form-data body: audio and images are sent that way, with `model` as a field beside
// the file.
//
// Read strictly, because an engine that reads the form differently would be asked for a model that was not
// judged here: lines end with CR LF, nothing stands before the first boundary, the closing boundary is there,
// names are plain quoted texts, and `model` appears at most once.
//
// Source: RFC 7578, RFC 2046 section 5.1.
// Thread: pure.

#pragma once

#include <string_view>

#include "base/result.h"
#include "gateway/dialect/body_facts.h"

namespace tidegate::dialect {

// Whether a content type is multipart/form-data.
bool is_form(std::string_view content_type);

// Fills model, has_model and model_token (the range of the bare value), and stream; nothing else. Views into
// the body. Errors: kInvalid with field "model", or empty for the form as a whole.
Result<BodyFacts> read_form(std::string_view content_type, std::string_view body);

}  // namespace tidegate::dialect
