// Objects, arrays and strings of a schema.

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "engine/guide/regex.h"
#include "engine/guide/schema_compiler.h"

namespace tidegate::guide {
namespace {

constexpr std::size_t kNameBytesMax = 512;

// What strings of a format look like; the days of a month are not counted.
#define TG_DATE "\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])"
#define TG_TIME "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"
#define TG_OCTET "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
constexpr std::pair<std::string_view, std::string_view> kFormats[] = {
    {"date", TG_DATE},
    {"time", TG_TIME},
    {"date-time", TG_DATE "T" TG_TIME},
    {"uuid", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"},
    {"ipv4", "(" TG_OCTET "\\.){3}" TG_OCTET},
    {"email", "[A-Za-z0-9_%+-]{1,20}(\\.[A-Za-z0-9_%+-]{1,20}){0,2}@([a-z0-9]{1,30}\\.){1,3}[a-z]{2,12}"},
};
#undef TG_DATE
#undef TG_TIME
#undef TG_OCTET

// Empty: none that is known.
std::string_view regex_of_format(SchemaCompiler::Object schema) {
  std::string_view name;
  if (schema.at_key("format").get(name) != simdjson::SUCCESS) return {};
  for (const auto& [format, regex] : kFormats) {
    if (format == name) return regex;
  }
  return {};
}

}  // namespace

RuleId SchemaCompiler::member_rule(std::string_view name, RuleId value) {
  return builder_.rule(builder_.text(json_string(name), json_.colon(builder_.call(value, kEnd))));
}

// What members beside the named ones hold; nothing if there may be none. A schema that says nothing about
// its members at all allows any.
Result<std::optional<RuleId>> SchemaCompiler::other_members(const Place& at, Object schema) {
  const auto any = [&] { return std::optional(builder_.rule(json_.value(kEnd))); };
  Json given;
  if (schema.at_key("additionalProperties").get(given) != simdjson::SUCCESS) {
    Json named;
    const bool says = schema.at_key("properties").get(named) == simdjson::SUCCESS;
    return says ? std::optional<RuleId>() : any();
  }
  bool allowed = false;
  if (given.get(allowed) == simdjson::SUCCESS) return allowed ? any() : std::optional<RuleId>();
  const auto rule = rule_of(at.inside(given, "additionalProperties"));
  if (!rule) return tl::unexpected(rule.error());
  return std::optional(*rule);
}

// The named members in their order; required ones that have no schema come last.
Result<std::vector<SchemaCompiler::Member>> SchemaCompiler::members(const Place& at, Object schema,
                                                                    const std::optional<RuleId>& others) {
  std::set<std::string, std::less<>> required;
  Json given;
  if (schema.at_key("required").get(given) == simdjson::SUCCESS) {
    simdjson::dom::array list;
    if (given.get(list) != simdjson::SUCCESS) return refuse(at, "required", "needs a list of names");
    for (const Json item : list) {
      std::string_view name;
      if (item.get(name) != simdjson::SUCCESS) return refuse(at, "required", "needs a list of names");
      required.emplace(name);
    }
  }
  std::vector<Member> found;
  if (schema.at_key("properties").get(given) == simdjson::SUCCESS) {
    Object properties;
    if (given.get(properties) != simdjson::SUCCESS) return refuse(at, "properties", "needs an object");
    for (const auto& [name, inner] : properties) {
      if (name.size() > kNameBytesMax) return refuse(at, "properties", "has a name that is too long");
      const auto value = rule_of(at.inside(inner, "properties." + std::string(name)));
      if (!value) return tl::unexpected(value.error());
      const auto wanted = required.find(name);
      found.push_back({std::string(name), member_rule(name, *value), wanted != required.end()});
      if (wanted != required.end()) required.erase(wanted);
    }
  }
  for (const std::string& name : required) {
    if (!others) return refuse(at, "required", "names a property that may not be there");
    if (name.size() > kNameBytesMax) return refuse(at, "required", "has a name that is too long");
    found.push_back({name, member_rule(name, *others), true});
  }
  return found;
}

// Two chains through the members: one while none has been written, one with a comma before each.
Result<NodeId> SchemaCompiler::object(const Place& at, Object schema, NodeId next) {
  const auto others = other_members(at, schema);
  if (!others) return tl::unexpected(others.error());
  const auto named = members(at, schema, *others);
  if (!named) return tl::unexpected(named.error());

  NodeId first = builder_.byte('}', next);
  NodeId later = json_.blanks(builder_.byte('}', next));
  if (*others) {
    std::vector<std::string> names;
    for (const Member& member : *named) names.push_back(member.name);
    const NodeId value = json_.colon(builder_.call(**others, kEnd));
    const RuleId other = builder_.rule(names.empty() ? json_.string(value) : json_.name_beside(names, value));
    const NodeId more = builder_.hole();
    builder_.fill(more, json_.comma(builder_.call(other, more)), later);
    first = builder_.either(builder_.call(other, more), first);
    later = more;
  }
  for (std::size_t i = named->size(); i-- > 0;) {
    const Member& member = (*named)[i];
    const NodeId as_first = builder_.call(member.rule, later);
    const NodeId as_later = json_.comma(builder_.call(member.rule, later));
    first = member.required ? as_first : builder_.either(as_first, first);
    later = member.required ? as_later : builder_.either(as_later, later);
  }
  return builder_.byte('{', json_.blanks(first));
}

Result<NodeId> SchemaCompiler::array(const Place& at, Object schema, NodeId next) {
  const auto least = count(at, schema, "minItems"), most = count(at, schema, "maxItems");
  if (!least) return tl::unexpected(least.error());
  if (!most) return tl::unexpected(most.error());
  std::vector<RuleId> first;  // of prefixItems
  Json given;
  if (schema.at_key("prefixItems").get(given) == simdjson::SUCCESS) {
    simdjson::dom::array list;
    if (given.get(list) != simdjson::SUCCESS) return refuse(at, "prefixItems", "needs a list of schemas");
    for (const Json item : list) {
      const auto rule = rule_of(at.inside(item, "prefixItems." + std::to_string(first.size())));
      if (!rule) return tl::unexpected(rule.error());
      first.push_back(*rule);
    }
  }
  std::optional<RuleId> rest;
  bool allowed = first.empty();
  const bool says = schema.at_key("items").get(given) == simdjson::SUCCESS;
  if (says && given.get(allowed) != simdjson::SUCCESS) {
    const auto rule = rule_of(at.inside(given, "items"));
    if (!rule) return tl::unexpected(rule.error());
    rest = *rule;
  } else if (allowed) {
    rest = builder_.rule(json_.value(kEnd));
  }
  const std::uint32_t low = least->value_or(0);
  std::uint32_t high = most->value_or(kNever);
  if (!rest) high = std::min(high, static_cast<std::uint32_t>(first.size()));
  if (low > high) return refuse(at, "minItems", "is more items than there may be");

  // `after` is where one is when k items have been written.
  const NodeId close = builder_.byte(']', next), close_later = json_.blanks(close);
  const auto fixed = static_cast<std::uint32_t>(first.size());
  NodeId after = close_later;
  std::uint32_t k = high;
  if (high == kNever) {
    k = std::max({low, fixed, 1U});
    after = builder_.hole();
    builder_.fill(after, json_.comma(builder_.call(*rest, after)), close_later);
  }
  for (; k > 1 && !builder_.full(); --k) {
    const RuleId item = k <= fixed ? first[k - 1] : *rest;
    const NodeId one_more = json_.comma(builder_.call(item, after));
    after = k - 1 >= low ? builder_.either(one_more, close_later) : one_more;
  }
  if (k == 0) return builder_.byte('[', json_.blanks(close));
  const NodeId some = builder_.call(fixed > 0 ? first[0] : *rest, after);
  return builder_.byte('[', json_.blanks(low == 0 ? builder_.either(some, close) : some));
}

Result<NodeId> SchemaCompiler::string(const Place& at, Object schema, NodeId next) {
  const auto least = count(at, schema, "minLength"), most = count(at, schema, "maxLength");
  if (!least) return tl::unexpected(least.error());
  if (!most) return tl::unexpected(most.error());
  Json given;
  if (schema.at_key("pattern").get(given) != simdjson::SUCCESS) {
    if (least->value_or(0) > most->value_or(kNever)) return refuse(at, "minLength", "is more than maxLength");
    const std::string_view format = regex_of_format(schema);
    if (!format.empty() && !*least && !*most) {
      return builder_.byte('"', emit(builder_, *parse_regex(format, Match::kWhole), Spelling::kJson,
                                     builder_.byte('"', next)));
    }
    return json_.string(least->value_or(0), most->value_or(kNever), next);
  }
  if (*least || *most) {
    return refuse(at, "pattern",
                  "beside minLength or maxLength is not supported; say the length in the pattern");
  }
  std::string_view pattern;
  if (given.get(pattern) != simdjson::SUCCESS) return refuse(at, "pattern", "needs a string");
  const auto parsed = parse_regex(pattern, Match::kSearch);
  if (!parsed) return refuse(at, "pattern", parsed.error().message);
  return builder_.byte('"', emit(builder_, *parsed, Spelling::kJson, builder_.byte('"', next)));
}

}  // namespace tidegate::guide
