// From the source of a chat template to its trees.
//
// The language is Jinja as chat templates use it: if, for, set, macro, break, continue, filter, raw and
// Hugging Face's generation blocks. Templates are data of a stranger: nesting is bounded, and what reaches
// outside (include, import, extends) does not exist.
//
// Thread: pure.
// Source: pallets/jinja src/jinja2/parser.py; huggingface/transformers utils/chat_template_utils.py.

#pragma once

#include <string_view>

#include "base/result.h"
#include "engine/chat/ast.h"

namespace tidegate::chat {

// Errors: kInvalid with field chat_template and the line.
Result<Block> parse(std::string_view source);

}  // namespace tidegate::chat
