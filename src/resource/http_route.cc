#include "resource/http_route.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/ascii.h"
#include "resource/defaults.h"
#include "resource/gateway.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr std::int64_t kWeightMax = 1'000'000;

// What an Exact or PathPrefix value may not contain: it would never match a normalised path.
std::string_view match_path(std::string_view text) {
  if (!text.starts_with('/')) return "begin it with '/'";
  for (const std::string_view bad : {"//", "/./", "/../", "%2f", "%2F", "#"}) {
    if (text.find(bad) != std::string_view::npos) return "leave out //, /./, /../, %2f and #";
  }
  if (text.ends_with("/..") || text.ends_with("/.")) return "do not end it with /. or /..";
  return {};
}

std::optional<std::uint16_t> read_port(Reader& reader, Need need = Need::kOptional) {
  const auto port = reader.integer("port", {.min = 1, .max = kPortMax, .need = need});
  if (!port) return {};
  return static_cast<std::uint16_t>(*port);
}

ParentRef read_parent(Reader& item) {
  ParentRef parent;
  parent.group = item.has("group") ? item.text("group", {.max = 253}) : std::string(kGatewayApiGroup);
  parent.kind = item.text("kind", {.syntax = kind_name});
  if (parent.kind.empty()) parent.kind = "Gateway";
  parent.namespace_ = item.text("namespace", {.syntax = dns_label});
  parent.name = item.text("name", {.need = Need::kRequired, .max = 253});
  parent.section_name = item.text("sectionName", {.max = 253});
  parent.port = read_port(item);
  return parent;
}

PathMatch read_path(Reader& match) {
  PathMatch path;
  Reader reader(match, "path");
  path.type = reader.choice<MatchType>("type",
                                       {{"Exact", MatchType::kExact},
                                        {"PathPrefix", MatchType::kPrefix},
                                        {"RegularExpression", MatchType::kRegex}},
                                       MatchType::kPrefix);
  if (reader.has("value")) {
    path.value =
        reader.text("value", {.max = 1024, .syntax = path.type == MatchType::kRegex ? nullptr : match_path});
  }
  return path;
}

std::vector<NamedMatch> read_named(Reader& match, std::string_view field, bool headers) {
  std::vector<NamedMatch> result;
  match.each(field, {.max = 16}, [&](Reader& item) {
    NamedMatch named;
    named.name = item.text("name", {.need = Need::kRequired, .max = 256, .syntax = header_name});
    if (headers) named.name = ascii::to_lower(named.name);
    named.match.type = item.choice<MatchType>(
        "type", {{"Exact", MatchType::kExact}, {"RegularExpression", MatchType::kRegex}}, MatchType::kExact);
    named.match.value = item.text("value", {.need = Need::kRequired, .max = headers ? 4096u : 1024u});
    const bool again = std::any_of(result.begin(), result.end(),
                                   [&](const NamedMatch& other) { return other.name == named.name; });
    if (!again) result.push_back(std::move(named));
  });
  return result;
}

HTTPRouteMatch read_match(Reader& item) {
  HTTPRouteMatch match;
  match.path = read_path(item);
  match.headers = read_named(item, "headers", true);
  match.query = read_named(item, "queryParams", false);
  static const std::vector<std::string_view> kMethods = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                         "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  const int method = item.choice_index("method", kMethods);
  if (method >= 0) match.method = kMethods[static_cast<std::size_t>(method)];
  return match;
}

HeaderModifier read_headers(Reader& filter, std::string_view field) {
  HeaderModifier modifier;
  std::set<std::string> named;
  Reader reader(filter, field, Need::kRequired);
  const auto once = [&](const std::string& name, Reader& where, std::string_view at) {
    if (!name.empty() && !named.insert(ascii::to_lower(name)).second) {
      where.wrong(at, "is \"" + name + "\" for the second time; one action per header name");
    }
  };
  const auto pairs = [&](std::string_view list, auto& into) {
    reader.each(list, {.max = 16}, [&](Reader& item) {
      std::string name = item.text("name", {.need = Need::kRequired, .syntax = header_name});
      once(name, item, "name");
      into.emplace_back(std::move(name), item.text("value", {.need = Need::kRequired, .max = 4096}));
    });
  };
  pairs("set", modifier.set);
  pairs("add", modifier.add);
  modifier.remove = reader.texts("remove", {.max = 16}, {.syntax = header_name});
  for (const std::string& name : modifier.remove) once(name, reader, "remove");
  return modifier;
}

PathModifier read_path_modifier(Reader& parent) {
  PathModifier modifier;
  Reader reader(parent, "path");
  if (!reader.present()) return modifier;
  using Type = PathModifier::Type;
  modifier.type = reader.choice<Type>(
      "type", {{"ReplaceFullPath", Type::kReplaceFull}, {"ReplacePrefixMatch", Type::kReplacePrefix}},
      Type::kNone, Need::kRequired);
  const std::string full = reader.text("replaceFullPath", {.max = 1024});
  const std::string prefix = reader.text("replacePrefixMatch", {.max = 1024});
  const bool is_full = modifier.type == Type::kReplaceFull;
  if (modifier.type != Type::kNone && !reader.has(is_full ? "replaceFullPath" : "replacePrefixMatch")) {
    reader.wrong(is_full ? "replaceFullPath" : "replacePrefixMatch", "is missing; the type needs it");
  }
  modifier.value = is_full ? full : prefix;
  return modifier;
}

ObjectRef read_ref(Reader& reader) {
  ObjectRef ref;
  ref.group = reader.text("group", {.max = 253});
  ref.kind = reader.text("kind", {.syntax = kind_name});
  if (ref.kind.empty()) ref.kind = "Service";
  ref.name = reader.text("name", {.need = Need::kRequired, .max = 253});
  ref.namespace_ = reader.text("namespace", {.syntax = dns_label});
  ref.port = read_port(reader);
  if (ref.group.empty() && ref.kind == "Service" && !reader.has("port")) {
    reader.wrong("port", "is missing; a reference to a Service needs it");
  }
  return ref;
}

Redirect read_redirect(Reader& filter) {
  Redirect redirect;
  Reader reader(filter, "requestRedirect", Need::kRequired);
  const int scheme = reader.choice_index("scheme", {"http", "https"});
  if (scheme >= 0) redirect.scheme = scheme == 0 ? "http" : "https";
  redirect.hostname = reader.text("hostname", {.syntax = hostname});
  redirect.path = read_path_modifier(reader);
  redirect.port = read_port(reader);
  static constexpr std::array<int, 5> kAllowed = {301, 302, 303, 307, 308};
  const auto status = reader.integer("statusCode").value_or(302);
  if (std::find(kAllowed.begin(), kAllowed.end(), status) == kAllowed.end()) {
    reader.wrong("statusCode", "is " + std::to_string(status) + "; use 301, 302, 303, 307 or 308");
  } else {
    redirect.status = static_cast<int>(status);
  }
  return redirect;
}

Mirror read_mirror(Reader& filter) {
  Mirror mirror;
  Reader reader(filter, "requestMirror", Need::kRequired);
  {
    Reader to(reader, "backendRef", Need::kRequired);
    if (to.present()) mirror.to = read_ref(to);
  }
  if (const auto percent = reader.integer("percent", {.min = 0, .max = 100})) {
    mirror.numerator = static_cast<std::uint32_t>(*percent);
  }
  Reader fraction(reader, "fraction");
  if (fraction.present()) {
    if (reader.has("percent")) reader.wrong("fraction", "is set beside percent; keep one of them");
    mirror.denominator = static_cast<std::uint32_t>(
        fraction.integer("denominator", {.min = 1, .max = kInt32Max}).value_or(100));
    mirror.numerator = static_cast<std::uint32_t>(
        fraction.integer("numerator", {.min = 0, .max = mirror.denominator, .need = Need::kRequired})
            .value_or(0));
  }
  return mirror;
}

HTTPRouteFilter read_filter(Reader& item, std::string raw) {
  HTTPRouteFilter filter;
  filter.raw = std::move(raw);
  filter.type = item.choice<FilterType>("type",
                                        {{"RequestHeaderModifier", FilterType::kRequestHeaderModifier},
                                         {"ResponseHeaderModifier", FilterType::kResponseHeaderModifier},
                                         {"RequestRedirect", FilterType::kRequestRedirect},
                                         {"URLRewrite", FilterType::kUrlRewrite},
                                         {"RequestMirror", FilterType::kRequestMirror},
                                         {"CORS", FilterType::kCors},
                                         {"ExtensionRef", FilterType::kExtensionRef}},
                                        FilterType::kExtensionRef, Need::kRequired);
  switch (filter.type) {
    case FilterType::kRequestHeaderModifier:
      filter.headers = read_headers(item, "requestHeaderModifier");
      break;
    case FilterType::kResponseHeaderModifier:
      filter.headers = read_headers(item, "responseHeaderModifier");
      break;
    case FilterType::kRequestRedirect:
      filter.redirect = read_redirect(item);
      break;
    case FilterType::kUrlRewrite: {
      Reader rewrite(item, "urlRewrite", Need::kRequired);
      filter.rewrite.hostname = rewrite.text("hostname", {.syntax = hostname});
      filter.rewrite.path = read_path_modifier(rewrite);
      break;
    }
    case FilterType::kRequestMirror:
      filter.mirror = read_mirror(item);
      break;
    case FilterType::kCors: {
      Reader cors(item, "cors", Need::kRequired);
      cors.open();
      break;
    }
    case FilterType::kExtensionRef: {
      Reader ref(item, "extensionRef", item.has("type") ? Need::kRequired : Need::kOptional);
      filter.extension.group = ref.text("group", {.max = 253});
      filter.extension.kind = ref.text("kind", {.need = Need::kRequired, .syntax = kind_name});
      filter.extension.name = ref.text("name", {.need = Need::kRequired, .max = 253});
      break;
    }
  }
  return filter;
}

PathModifier::Type path_change(const HTTPRouteFilter& filter) {
  if (filter.type == FilterType::kRequestRedirect) return filter.redirect.path.type;
  if (filter.type == FilterType::kUrlRewrite) return filter.rewrite.path.type;
  return PathModifier::Type::kNone;
}

std::vector<HTTPRouteFilter> read_filters(Reader& parent) {
  std::vector<HTTPRouteFilter> filters;
  std::set<FilterType> seen;
  parent.each("filters", {.max = 16}, [&](Reader& item) {
    HTTPRouteFilter filter = read_filter(item, item.raw());
    const bool may_repeat =
        filter.type == FilterType::kRequestMirror || filter.type == FilterType::kExtensionRef;
    if (!seen.insert(filter.type).second && !may_repeat) {
      item.wrong("type", "stands in the list for the second time; use it once");
    }
    filters.push_back(std::move(filter));
  });
  if (seen.contains(FilterType::kRequestRedirect) && seen.contains(FilterType::kUrlRewrite)) {
    parent.wrong("filters", "has both RequestRedirect and URLRewrite; keep one of them");
  }
  return filters;
}

void read_timeouts(Reader& item, HTTPRouteRule& rule) {
  Reader timeouts(item, "timeouts");
  const auto read = [&](std::string_view field) -> std::optional<std::chrono::milliseconds> {
    const std::string text = timeouts.text(field, {.syntax = gateway_duration});
    if (text.empty()) return {};
    return std::chrono::milliseconds(duration_ms(text).value_or(0));
  };
  rule.request_timeout = read("request");
  rule.ref_timeout = read("backendRequest");
  if (rule.request_timeout && rule.ref_timeout && rule.request_timeout->count() > 0 &&
      *rule.ref_timeout > *rule.request_timeout) {
    timeouts.wrong("backendRequest", "is longer than request; it is a part of it");
  }
}

HTTPRouteRule read_rule(Reader& item) {
  HTTPRouteRule rule;
  rule.name = item.text("name", {.max = 253});
  item.ignore({"retry", "sessionPersistence"});
  item.each("matches", {.max = 64}, [&](Reader& match) { rule.matches.push_back(read_match(match)); });
  if (rule.matches.empty()) rule.matches.emplace_back();
  rule.filters = read_filters(item);
  item.each("backendRefs", {.max = 16}, [&](Reader& ref) {
    HTTPBackendRef to;
    to.to = read_ref(ref);
    to.weight = static_cast<std::uint32_t>(ref.integer("weight", {.min = 0, .max = kWeightMax}).value_or(1));
    to.filters = read_filters(ref);
    rule.refs.push_back(std::move(to));
  });
  read_timeouts(item, rule);
  for (const HTTPRouteFilter& filter : rule.filters) {
    if (filter.type == FilterType::kRequestRedirect && !rule.refs.empty()) {
      item.wrong("backendRefs", "is set beside a RequestRedirect filter; a redirect goes nowhere else");
    }
    const bool one_prefix = rule.matches.size() == 1 && rule.matches.front().path.type == MatchType::kPrefix;
    if (path_change(filter) == PathModifier::Type::kReplacePrefix && !one_prefix) {
      item.wrong("filters", "has ReplacePrefixMatch; it needs exactly one match, of type PathPrefix");
    }
  }
  return rule;
}

HTTPRoute read(Reader& root) {
  HTTPRoute route;
  Reader spec(root, "spec", Need::kRequired);
  spec.ignore({"useDefaultGateways"});
  spec.each("parentRefs", {.max = 32}, [&](Reader& item) { route.parents.push_back(read_parent(item)); });
  route.hostnames = spec.texts("hostnames", {.max = 16}, {.syntax = hostname});
  std::size_t matches = 0;
  spec.each("rules", {.max = 16}, [&](Reader& item) {
    route.rules.push_back(read_rule(item));
    matches += route.rules.back().matches.size();
  });
  if (matches > 128)
    spec.wrong("rules", "have " + std::to_string(matches) + " matches; use at most 128 in all");
  return route;
}

void set_ref_defaults(Defaults ref) {
  ref.set("group", "");
  ref.set("kind", "Service");
}

void set_defaults(Json& document) {
  Defaults spec = Defaults(document).at("spec");
  spec.each("parentRefs", [](Defaults parent) {
    parent.set("group", kGatewayApiGroup);
    parent.set("kind", "Gateway");
  });
  spec.each("rules", [](Defaults rule) {
    rule.each("matches", [](Defaults match) {
      Defaults path = match.make("path");
      path.set("type", "PathPrefix");
      path.set("value", "/");
      match.each("headers", [](Defaults header) { header.set("type", "Exact"); });
      match.each("queryParams", [](Defaults query) { query.set("type", "Exact"); });
    });
    rule.each("backendRefs", [](Defaults ref) {
      set_ref_defaults(ref);
      ref.set("weight", std::int64_t{1});
    });
    rule.each("filters", [](Defaults filter) {
      filter.at("requestRedirect").set("statusCode", std::int64_t{302});
      set_ref_defaults(filter.at("requestMirror").at("backendRef"));
    });
  });
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

}  // namespace

Result<HTTPRoute> HTTPRoute::from(const Object& object) { return read_view(object.json(), read); }

Kind http_route_kind() {
  return {.group = kGatewayApiGroup,
          .kind = "HTTPRoute",
          .plural = "httproutes",
          .singular = "httproute",
          .versions = {"v1", "v1beta1"},
          .short_names = {},
          .set_defaults = set_defaults,
          .validate = validate};
}

}  // namespace tidegate::resource
