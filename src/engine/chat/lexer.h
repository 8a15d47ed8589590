// A Jinja template as a flat run of tokens.
//
// Blank handling is Hugging Face's: trim_blocks (the line end after a block tag goes) and lstrip_blocks (the
// blanks before a block tag at the start of a line go), besides the explicit signs "-" and "+". One line end
// at the very end goes too.
//
// Thread: pure.
// Source: pallets/jinja src/jinja2/lexer.py.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidegate::chat {

inline constexpr std::size_t kTemplateBytesMax = std::size_t{1} << 20;

enum class Lex {
  kText,        // between tags, blanks handled
  kPrintBegin,  // {{
  kPrintEnd,    // }}
  kBlockBegin,  // {%
  kBlockEnd,    // %}
  kName,
  kString,  // escapes resolved
  kInteger,
  kReal,
  kSign,  // an operator or bracket, in `text`
  kEnd,
};

struct Lexeme {
  Lex kind = Lex::kEnd;
  std::string text;
  std::size_t line = 1;
};

// Errors: kInvalid with the line for an unclosed tag or string, or a character that belongs to nothing.
Result<std::vector<Lexeme>> scan(std::string_view source);

}  // namespace tidegate::chat
