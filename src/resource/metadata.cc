#include "resource/metadata.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "resource/defaults.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr std::size_t kAnnotationsMax = 256 * 1024;  // bytes, all together

// Names of roles may hold colons: system:node.
std::string_view path_segment(std::string_view text) {
  const bool right =
      text != "." && text != ".." && text.find_first_of("/%") == std::string_view::npos && text.size() <= 253;
  return right ? std::string_view() : "use at most 253 letters without '/' and '%'";
}

Syntax name_syntax(const Kind& kind) {
  if (kind.group.empty() && kind.kind == "Namespace") return dns_label;
  if (kind.group.empty() && kind.kind == "Service") return rfc1035_label;
  if (kind.group == "rbac.authorization.k8s.io") return path_segment;
  return dns_subdomain;
}

bool names(const Kind& kind, std::string_view api_version, std::string_view name) {
  const std::size_t slash = api_version.find('/');
  const std::string_view group = slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
  const std::string_view version = slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
  return kind.group == group && kind.kind == name &&
         std::find(kind.versions.begin(), kind.versions.end(), version) != kind.versions.end();
}

void read_owners(Reader& metadata) {
  int controllers = 0;
  metadata.each("ownerReferences", {.max = 1000}, [&](Reader& item) {
    item.text("apiVersion", {.need = Need::kRequired});
    item.text("kind", {.need = Need::kRequired});
    item.text("name", {.need = Need::kRequired});
    item.text("uid", {.need = Need::kRequired});
    item.boolean("blockOwnerDeletion");
    if (item.boolean("controller").value_or(false)) ++controllers;
  });
  if (controllers > 1)
    metadata.wrong("ownerReferences", "name several controllers; an object has at most one");
}

void read(Reader& root, const Kind& kind) {
  Reader metadata(root, "metadata", Need::kRequired);
  metadata.ignore({"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
                   "deletionGracePeriodSeconds", "managedFields", "selfLink"});
  const std::string prefix = metadata.text("generateName", {.max = 248});
  metadata.text("name",
                {.need = prefix.empty() ? Need::kRequired : Need::kOptional, .syntax = name_syntax(kind)});
  metadata.text("namespace", {.syntax = dns_label});
  metadata.text_map("labels", Need::kOptional, label_key, label_value);
  std::size_t bytes = 0;
  for (const auto& [key, value] : metadata.text_map("annotations", Need::kOptional, label_key)) {
    bytes += key.size() + value.size();
  }
  if (bytes > kAnnotationsMax) {
    metadata.wrong("annotations", "have " + std::to_string(bytes) + " bytes; use at most " +
                                      std::to_string(kAnnotationsMax) + " in all");
  }
  metadata.texts("finalizers", {.max = 1000});
  read_owners(metadata);
}

}  // namespace

void set_metadata_defaults(const Kind& kind, Json& document) {
  const auto metadata = document.find("metadata");
  if (metadata == document.end() || !metadata->is_object()) return;
  if (kind.namespaced) {
    Defaults defaults(*metadata);
    if (defaults.text("namespace").empty() &&
        (!metadata->contains("namespace") || (*metadata)["namespace"].is_null() ||
         (*metadata)["namespace"].is_string())) {
      (*metadata)["namespace"] = "default";
    }
  } else {
    metadata->erase("namespace");
  }
}

void validate_metadata(const Kind& kind, const Json& document, std::vector<Error>& errors) {
  Findings findings;
  {
    Reader root(document, findings);
    root.open();
    const std::string api_version = root.text("apiVersion", {.need = Need::kRequired});
    const std::string name = root.text("kind", {.need = Need::kRequired});
    if (root.present() && findings.errors.empty() && !names(kind, api_version, name)) {
      root.wrong("kind", "is " + name.substr(0, 100) + " of " + api_version.substr(0, 100) +
                             "; this place takes " + std::string(kind.kind) + " of " +
                             std::string(kind.group) + (kind.group.empty() ? "" : "/") +
                             std::string(kind.versions.front()));
    }
    read(root, kind);
  }
  for (Error& error : findings.errors) errors.push_back(std::move(error));
}

}  // namespace tidegate::resource
