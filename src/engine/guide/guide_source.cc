#include <simdjson.h>

#include "engine/guide/guide.h"
#include "engine/guide/json_text.h"
#include "engine/guide/regex.h"
#include "engine/guide/schema.h"

namespace tidegate::guide {
namespace {

Result<NodeId> choice(Builder& builder, const std::string& text) {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(text).get(list) != simdjson::SUCCESS || list.size() == 0) {
    return invalid({}, "needs a list of at least one string");
  }
  std::optional<NodeId> start;
  for (const simdjson::dom::element item : list) {
    std::string_view one;
    if (item.get(one) != simdjson::SUCCESS) return invalid({}, "needs a list of strings");
    const NodeId way = builder.text(one, kEnd);
    start = start ? builder.either(*start, way) : way;
  }
  return *start;
}

}  // namespace

Result<Program> compile(const Source& source) {
  Builder builder;
  JsonText json(builder, source.blanks);
  const RuleId root = builder.declare();
  switch (source.kind) {
    case Source::Kind::kJsonObject:
      builder.define(root, json.object(kEnd));
      break;
    case Source::Kind::kJsonSchema:
      if (auto done = compile_schema(builder, json, source.text, root); !done)
        return tl::unexpected(done.error());
      break;
    case Source::Kind::kRegex: {
      const auto expression = parse_regex(source.text, Match::kWhole);
      if (!expression) return tl::unexpected(expression.error());
      builder.define(root, emit(builder, *expression, Spelling::kPlain, kEnd));
      break;
    }
    case Source::Kind::kChoice: {
      const auto start = choice(builder, source.text);
      if (!start) return tl::unexpected(start.error());
      builder.define(root, *start);
      break;
    }
  }
  return builder.finish();
}

}  // namespace tidegate::guide
