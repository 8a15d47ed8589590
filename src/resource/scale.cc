#include "resource/scale.h"

#include <nlohmann/json.hpp>

#include "resource/custom_kind.h"
#include "resource/fields.h"
#include "resource/selector_text.h"

namespace tidegate::resource {
namespace {

// A LabelSelector in one line, or a text as it is.
std::string selector_at(const Json& document, const std::string& path) {
  const Json* found = find(document, path.empty() ? "spec.selector" : path);
  if (found == nullptr) return {};
  if (found->is_string()) return found->get<std::string>();
  Findings findings;
  findings.refuse_unknown = false;
  const Json around{{"selector", *found}};
  Reader reader(around, findings);
  reader.open();
  return selector_text(read_selector(reader, "selector"));
}

}  // namespace

std::optional<ScalePaths> scale_paths(const Kind& kind, std::string_view version) {
  if (const CustomKind* custom = as_custom(kind)) {
    const CustomVersion* own = custom->version(version);
    return own == nullptr ? std::nullopt : own->scale;
  }
  if (kind.group != "apps" || (kind.kind != "Deployment" && kind.kind != "ReplicaSet")) return std::nullopt;
  return ScalePaths{"spec.replicas", "status.replicas", {}};
}

Scale read_scale(const Json& document, const ScalePaths& paths) {
  return {.replicas = number(document, paths.replicas, 1),
          .current = number(document, paths.current),
          .selector = selector_at(document, paths.selector)};
}

void set_replicas(Json& document, const ScalePaths& paths, std::int64_t replicas) {
  std::string_view path = paths.replicas;
  Json* here = &document;
  while (true) {
    if (!here->is_object()) *here = Json::object();
    const std::size_t dot = path.find('.');
    here = &(*here)[std::string(path.substr(0, dot))];
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
  *here = replicas;
}

}  // namespace tidegate::resource
