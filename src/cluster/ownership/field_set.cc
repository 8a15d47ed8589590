#include "cluster/ownership/field_set.h"

#include <nlohmann/json.hpp>

#include "resource/json.h"

namespace tidegate::ownership {
namespace {

constexpr std::size_t kStepsMax = 10'000;

Result<void> parse_into(FieldSet& set, const Json& json, std::size_t levels_left, std::size_t& steps_left) {
  if (!json.is_object()) return fail(Code::kInvalid, "fieldsV1 is made of objects");
  if (levels_left == 0) return fail(Code::kInvalid, "fieldsV1 is nested too deep");
  if (json.empty()) set.member = true;
  for (const auto& step : json.items()) {
    if (steps_left-- == 0) return fail(Code::kInvalid, "fieldsV1 has too many fields");
    const std::string& name = step.key();
    if (name == ".") {
      set.member = true;
      continue;
    }
    const bool known = name.size() >= 2 && name[1] == ':' &&
                       std::string_view("fkvi").find(name[0]) != std::string_view::npos;
    if (!known)
      return fail(Code::kInvalid,
                  "fieldsV1 has the step \"" + name.substr(0, 80) + "\"; use f:, k:, v: or i:");
    if (auto parsed = parse_into(set.below[name], step.value(), levels_left - 1, steps_left); !parsed)
      return parsed;
  }
  return {};
}

std::string readable(const std::string& step) {
  const std::string rest = step.substr(2);
  if (step[0] == 'f') return "." + rest;
  if (step[0] == 'v') return "[=" + rest + "]";
  if (step[0] == 'i') return "[" + rest + "]";
  const Json keys = Json::parse(rest, nullptr, false);
  if (!keys.is_object()) return "[" + rest + "]";
  std::string text;
  for (const auto& key : keys.items()) {
    text += (text.empty() ? "" : ",") + key.key() + "=" + resource::to_text(key.value());
  }
  return "[" + text + "]";
}

void list_paths(const FieldSet& set, const std::string& prefix, std::vector<std::string>& into) {
  if (set.member) into.push_back(prefix);
  for (const auto& [step, child] : set.below) list_paths(child, prefix + readable(step), into);
}

}  // namespace

Result<FieldSet> parse_fields(const Json& fields_v1) {
  FieldSet set;
  std::size_t steps_left = kStepsMax;
  if (auto parsed = parse_into(set, fields_v1, resource::kDepthMax, steps_left); !parsed) {
    return tl::unexpected(parsed.error());
  }
  set.member = false;  // nobody owns the object itself
  return set;
}

Json to_json(const FieldSet& set) {
  Json json = Json::object();
  if (set.member && !set.below.empty()) json["."] = Json::object();
  for (const auto& [step, child] : set.below) json[step] = to_json(child);
  return json;
}

void add(FieldSet& to, const FieldSet& other) {
  to.member = to.member || other.member;
  for (const auto& [step, child] : other.below) add(to.below[step], child);
}

void subtract(FieldSet& from, const FieldSet& other) {
  if (other.member) from.member = false;
  for (const auto& [step, child] : other.below) {
    const auto found = from.below.find(step);
    if (found == from.below.end()) continue;
    subtract(found->second, child);
    if (found->second.empty()) from.below.erase(found);
  }
}

FieldSet intersection(const FieldSet& a, const FieldSet& b) {
  FieldSet both{.member = a.member && b.member, .below = {}};
  for (const auto& [step, child] : a.below) {
    const auto found = b.below.find(step);
    if (found == b.below.end()) continue;
    FieldSet common = intersection(child, found->second);
    if (!common.empty()) both.below.emplace(step, std::move(common));
  }
  return both;
}

std::vector<std::string> paths(const FieldSet& set) {
  std::vector<std::string> all;
  list_paths(set, {}, all);
  return all;
}

}  // namespace tidegate::ownership
