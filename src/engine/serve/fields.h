// Fields of a JSON object, read one by one into native types, with vLLM's errors. Internal to this room.
//
// A field's path is its name, or "messages.0.role" inside.
//
// Thread: pure.

#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batch/sampling.h"
#include "engine/serve/api_error.h"

namespace tidegate::serve {

using Json = simdjson::dom::element;

// Each leaves `out` alone for null.
ApiResult<void> read_text(Json value, std::string_view path, std::string& out);
ApiResult<void> read_bool(Json value, std::string_view path, bool& out);
// Whole numbers, also written as 3.0, "3" or true: vLLM's models are lenient, and clients lean on it.
ApiResult<void> read_int(Json value, std::string_view path, std::optional<std::int64_t>& out);
ApiResult<void> read_number(Json value, std::string_view path, std::optional<double>& out);

// Token ids, all inside the vocabulary.
ApiResult<std::vector<batch::Token>> read_tokens(Json value, std::string_view path, std::size_t vocabulary);

// A string or a list of strings.
ApiResult<std::vector<std::string>> read_texts(Json value, std::string_view path);

// The value's text as compact JSON.
std::string json_text(Json value);

}  // namespace tidegate::serve
