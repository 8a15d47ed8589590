#include "cluster/apiserver/selectors.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "resource/custom_kind.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

using resource::Json;

constexpr std::size_t kTextMax = 16 * 1024;

// Fields by which collections can be narrowed, besides metadata.name and metadata.namespace.
struct Indexed {
  std::string_view group;
  std::string_view kind;
  std::vector<std::string_view> fields;
};

const std::vector<Indexed>& indexed() {
  static const std::vector<Indexed> kIndexed = {
      {"",
       "Pod",
       {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"}},
      {"",
       "Event",
       {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type"}},
      {"", "Node", {"spec.unschedulable"}},
      {"", "Namespace", {"status.phase"}},
      {"", "Secret", {"type"}},
      {"", "Service", {"spec.clusterIP", "spec.type"}},
      {"apps", "ReplicaSet", {"status.replicas"}},
  };
  return kIndexed;
}

bool is_indexed(const resource::Kind& kind, std::string_view path) {
  if (path == "metadata.name") return true;
  if (path == "metadata.namespace") return kind.namespaced;
  if (const resource::CustomKind* custom = resource::as_custom(kind)) return custom->selects(path);
  return std::any_of(indexed().begin(), indexed().end(), [&](const Indexed& entry) {
    return entry.group == kind.group && entry.kind == kind.kind &&
           std::find(entry.fields.begin(), entry.fields.end(), path) != entry.fields.end();
  });
}

Result<void> add_field(const resource::Kind& kind, std::string path, std::string sign, std::string value,
                       Selector& selector) {
  if (path.empty() && sign.empty()) return {};
  if (sign.empty()) {
    return invalid("", "invalid selector: '" + path.substr(0, 100) + "'; can't understand it");
  }
  if (!is_indexed(kind, path)) return invalid("", "field label not supported: " + path.substr(0, 100));
  selector.fields.push_back({std::move(path), std::move(value), sign != "!="});
  return {};
}

Result<void> parse_fields(const resource::Kind& kind, std::string_view text, Selector& selector) {
  std::string path, sign, value;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || text[i] == ',') {
      if (auto added = add_field(kind, std::move(path), std::move(sign), std::move(value), selector);
          !added) {
        return added;
      }
      path.clear(), sign.clear(), value.clear();
      continue;
    }
    std::string& part = sign.empty() ? path : value;
    if (text[i] == '\\' && i + 1 < text.size()) {
      part += text[++i];
    } else if (sign.empty() && (text[i] == '=' || text.substr(i).starts_with("!="))) {
      sign = text[i] == '!' ? "!=" : "=";
      if (text.substr(i).starts_with("==") || sign == "!=") ++i;
    } else {
      part += text[i];
    }
  }
  return {};
}

std::string field_text(const resource::Object& object, std::string_view path) {
  if (path == "metadata.name") return object.name();
  if (path == "metadata.namespace") return object.namespace_();
  const Json* value = resource::find(object.json(), path == "source" ? "source.component" : path);
  if (value == nullptr) return path == "spec.unschedulable" || path == "spec.hostNetwork" ? "false" : "";
  return value->is_string() ? value->get<std::string>() : resource::to_text(*value);
}

}  // namespace

bool Selector::matches(const resource::Object& object) const {
  if (!labels.matches(object.metadata().labels)) return false;
  return std::all_of(fields.begin(), fields.end(), [&](const FieldTest& test) {
    return (field_text(object, test.path) == test.value) == test.equal;
  });
}

Result<Selector> parse_selector(const resource::Kind& kind, std::string_view labels,
                                std::string_view fields) {
  if (labels.size() > kTextMax || fields.size() > kTextMax) {
    return fail(Code::kTooLarge, "a selector has at most " + std::to_string(kTextMax) + " bytes");
  }
  auto query = resource::parse_label_query(labels);
  if (!query) return tl::unexpected(query.error());
  Selector selector{*std::move(query), {}};
  if (auto parsed = parse_fields(kind, fields, selector); !parsed) return tl::unexpected(parsed.error());
  return selector;
}

}  // namespace tidegate::apiserver
