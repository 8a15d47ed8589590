#include "cli/targets.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "resource/fields.h"

namespace tidegate::cli {
namespace {

using resource::Json;
using resource::text;

std::vector<std::string> split(std::string_view words, char mark) {
  std::vector<std::string> out;
  while (true) {
    const std::size_t end = words.find(mark);
    out.emplace_back(words.substr(0, end));
    if (end == std::string_view::npos) return out;
    words.remove_prefix(end + 1);
  }
}

std::string low(std::string_view word) {
  std::string out(word);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// Whether a resource of aggregated discovery answers to a name.
bool answers_to(const Json& each, const std::string& name) {
  if (text(each, "resource") == name || text(each, "singularResource") == name ||
      low(text(each, "responseKind.kind")) == name) {
    return true;
  }
  const Json* shorts = resource::find_array(each, "shortNames");
  return shorts != nullptr && std::find(shorts->begin(), shorts->end(), Json(name)) != shorts->end();
}

// `group` empty: any.
std::optional<Resource> find_in(const Json& discovery, const std::string& name, std::string_view group) {
  const Json* groups = resource::find_array(discovery, "items");
  if (groups == nullptr) return std::nullopt;
  for (const Json& each : *groups) {
    const std::string group_name = text(each, "metadata.name");
    if (!group.empty() && group_name != group) continue;
    const Json* versions = resource::find_array(each, "versions");
    if (versions == nullptr) continue;
    for (const Json& version : *versions) {
      const Json* resources = resource::find_array(version, "resources");
      if (resources == nullptr) continue;
      const auto found = std::find_if(resources->begin(), resources->end(),
                                      [&](const Json& one) { return answers_to(one, name); });
      if (found == resources->end()) continue;
      return Resource{group_name,
                      text(version, "version"),
                      text(*found, "resource"),
                      text(*found, "singularResource"),
                      text(*found, "responseKind.kind"),
                      text(*found, "scope") != "Cluster"};
    }
  }
  return std::nullopt;
}

Result<Resource> discover(Server& server, std::string_view word) {
  const std::string name = low(word.substr(0, word.find('.')));
  const std::string group = name.size() < word.size() ? std::string(word.substr(name.size() + 1)) : "";
  constexpr const char* kAccept =
      "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
      "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
  for (const char* path : {"/api", "/apis"}) {
    const auto discovery = server.fetch(path, kAccept);
    if (!discovery) return tl::unexpected(discovery.error());
    if (auto found = find_in(*discovery, name, group)) return *std::move(found);
  }
  return fail(Code::kNotFound, "the API server knows no kind '" + std::string(word) +
                                   "'; is it spelled right, and its CustomResourceDefinition installed?");
}

Result<Resource> resource_of(Server& server, const resource::Kind& kind) {
  const auto version = server.client().served_version(kind);
  if (!version) return tl::unexpected(version.error());
  if (version->empty()) {
    return fail(Code::kNotFound, "the API server knows no " + std::string(kind.plural) +
                                     (kind.group.empty() ? "" : "." + std::string(kind.group)) +
                                     "; install the CustomResourceDefinitions first");
  }
  return Resource{std::string(kind.group),  *version,
                  std::string(kind.plural), std::string(kind.singular),
                  std::string(kind.kind),   kind.namespaced};
}

Result<Resource> find_resource(Server& server, std::string_view word) {
  if (const resource::Kind* kind = resource::find_kind_by_name(word)) {
    auto known = resource_of(server, *kind);
    // Two groups may share a name (Gateway): the server may know the other.
    if (known || known.error().code != Code::kNotFound || word.find('.') != std::string_view::npos)
      return known;
  }
  return discover(server, word);
}

}  // namespace

std::string Resource::path(std::string_view namespace_, std::string_view name) const {
  std::string path =
      remote::collection_path(group, version, plural, namespaced ? namespace_ : std::string_view());
  if (!name.empty()) path += "/" + remote::escaped(name);
  return path;
}

std::string Resource::title(std::string_view name) const {
  return singular + (group.empty() ? "" : "." + group) + "/" + std::string(name);
}

Result<std::vector<Target>> targets_of(Server& server, const std::vector<std::string>& words) {
  std::vector<Target> targets;
  if (words.empty()) return invalid("", "name what: a kind (pods), a kind and names (pod a b), or KIND/NAME");
  const bool pairs = words.front().find('/') != std::string::npos;
  for (std::size_t i = 0; pairs && i < words.size(); ++i) {
    const auto halves = split(words[i], '/');
    if (halves.size() != 2 || halves[0].empty() || halves[1].empty())
      return invalid("", "'" + words[i] + "' is no KIND/NAME, as the word before it");
    auto resource = find_resource(server, halves[0]);
    if (!resource) return tl::unexpected(resource.error());
    targets.push_back({*std::move(resource), halves[1]});
  }
  if (pairs) return targets;
  for (const std::string& word : split(words.front(), ',')) {
    auto resource = find_resource(server, word);
    if (!resource) return tl::unexpected(resource.error());
    if (words.size() == 1) targets.push_back({*resource, ""});
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i].find('/') != std::string::npos)
        return invalid("", "'" + words[i] + "' is no name; write all words as KIND/NAME, or none");
      targets.push_back({*resource, words[i]});
    }
  }
  return targets;
}

Result<Target> target_of(Server& server, const Json& document) {
  const std::string name = text(document, "metadata.name");
  if (name.empty()) return invalid("metadata.name", "is missing");
  const std::string api = text(document, "apiVersion");
  const std::string kind_name = text(document, "kind");
  if (const resource::Kind* kind = resource::find_kind(api, kind_name)) {
    auto resource = resource_of(server, *kind);
    if (!resource) return tl::unexpected(resource.error());
    return Target{*std::move(resource), name};
  }
  const std::size_t slash = api.find('/');
  auto resource =
      discover(server, kind_name + (slash == std::string::npos ? "" : "." + api.substr(0, slash)));
  if (!resource) return tl::unexpected(resource.error());
  return Target{*std::move(resource), name};
}

Result<std::vector<Target>> with_names(Server& server, std::vector<Target> targets,
                                       const std::string& selector) {
  std::vector<Target> named;
  for (Target& target : targets) {
    if (!target.name.empty()) {
      named.push_back(std::move(target));
      continue;
    }
    const auto list =
        server.fetch(target.resource.path(server.namespace_()) + query_text({{"labelSelector", selector}}));
    if (!list) return tl::unexpected(list.error());
    const Json* items = resource::find_array(*list, "items");
    for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
      named.push_back({target.resource, text((*items)[i], "metadata.name")});
    }
  }
  return named;
}

}  // namespace tidegate::cli
