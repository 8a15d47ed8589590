#include "resource/llm_route.h"

#include "base/ascii.h"
#include "resource/defaults.h"
#include "resource/inference_pool.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

// "name" or "namespace/name".
std::string_view gateway_ref(std::string_view text) {
  const std::size_t slash = text.find('/');
  const bool right = slash == std::string_view::npos ? dns_subdomain(text).empty()
                                                     : dns_label(text.substr(0, slash)).empty() &&
                                                           dns_subdomain(text.substr(slash + 1)).empty();
  if (right) return {};
  return "use the name of a Gateway, or namespace/name";
}

LLMRouteMatch read_match(Reader& reader) {
  LLMRouteMatch match;
  reader.each_key("headers", [&](Reader& headers, const std::string& name) {
    const std::string_view remedy = header_name(name);
    if (!remedy.empty()) {
      headers.wrong(name, "is no header name; " + std::string(remedy));
      return;
    }
    Reader value(headers, name);
    match.headers.emplace(ascii::to_lower(name), read_string_match(value));
  });
  match.source_labels = reader.text_map("sourceLabels", Need::kOptional, label_key, label_value);
  match.gateways = reader.texts("gateways", {}, {.syntax = gateway_ref});
  return match;
}

LLMBackendRef read_ref(Reader& reader) {
  LLMBackendRef ref;
  ref.provider_host = ascii::to_lower(reader.text("providerHost", {.max = 253, .syntax = any_host}));
  Reader object(reader, "backendRef");
  if (object.present()) {
    ref.group = object.text("group", {.max = 253});
    ref.kind = object.text("kind", {.max = 63, .syntax = kind_name});
    ref.name = object.text("name", {.need = Need::kRequired, .max = 253});
    ref.namespace_ = object.text("namespace", {.syntax = dns_label});
    if (ref.kind.empty()) ref.kind = "InferencePool";
    if (ref.group.empty()) ref.group = kInferenceGroupOld;
    if (ref.kind != "InferencePool") object.wrong("kind", "is \"" + ref.kind + "\"; use InferencePool");
    if (ref.group != kInferenceGroup && ref.group != kInferenceGroupOld) {
      object.wrong("group", "is \"" + ref.group + "\"; use " + std::string(kInferenceGroupOld) + " or " +
                                std::string(kInferenceGroup));
    }
  }
  const bool has_provider = reader.has("providerHost");
  const bool has_object = reader.has("backendRef");
  if (has_provider == has_object) {
    reader.wrong({}, has_provider ? "has both providerHost and backendRef; keep one of them"
                                  : "has neither providerHost nor backendRef; set one of them");
  }
  ref.weight = static_cast<std::uint32_t>(reader.integer("weight", {.min = 0, .max = kInt32Max}).value_or(1));
  return ref;
}

LLMRoute read(Reader& root) {
  LLMRoute route;
  Reader spec(root, "spec", Need::kRequired);
  route.host = ascii::to_lower(spec.text("host", {.need = Need::kRequired, .max = 253, .syntax = any_host}));
  route.gateways = spec.texts("gateways", {}, {.syntax = gateway_ref});
  spec.each("rules", {.min = 1, .need = Need::kRequired}, [&](Reader& item) {
    LLMRouteRule rule;
    rule.name = item.text("name", {.max = 253});
    item.each("matches", {}, [&](Reader& match) { rule.matches.push_back(read_match(match)); });
    item.each("backendRefs", {.min = 1, .need = Need::kRequired},
              [&](Reader& ref) { rule.refs.push_back(read_ref(ref)); });
    route.rules.push_back(std::move(rule));
  });
  return route;
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

}  // namespace

StringMatch read_string_match(Reader& reader) {
  StringMatch match{MatchType::kPresent, {}};
  int set = 0;
  const auto take = [&](std::string_view field, MatchType type) {
    if (!reader.has(field)) return;
    ++set;
    match = {type, reader.text(field, {.max = 4096})};
  };
  take("exact", MatchType::kExact);
  take("prefix", MatchType::kPrefix);
  take("regex", MatchType::kRegex);
  if (set > 1) reader.wrong({}, "has several of exact, prefix and regex; keep one of them");
  return match;
}

Result<LLMRoute> LLMRoute::from(const Object& object) { return read_view(object.json(), read); }

Kind llm_route_kind() {
  return {.group = "istio.alibabacloud.com",
          .kind = "LLMRoute",
          .plural = "llmroutes",
          .singular = "llmroute",
          .versions = {"v1", "v1beta1"},
          .short_names = {},
          .validate = validate};
}

}  // namespace tidegate::resource
