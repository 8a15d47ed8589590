#include "machine/environment.h"

#include <algorithm>

#include "base/quantity.h"

namespace tidegate::machine {
namespace {

using Source = resource::EnvVar::Source;

std::string object_title(bool secret, const std::string& name) {
  return std::string(secret ? "secret" : "configmap") + " \"" + name + "\"";
}

Result<void> add_from(const resource::EnvFrom& source, const DataLookup& lookup, Variables& variables) {
  const auto data = lookup(source.secret, source.name);
  if (!data) {
    if (source.optional) return {};
    return fail(Code::kNotFound, object_title(source.secret, source.name) + " not found");
  }
  for (const auto& [key, value] : *data) variables[source.prefix + key] = value;
  return {};
}

// metadata.labels['app'] -> app; empty if the path is not of that map.
std::string map_key(std::string_view path, std::string_view map) {
  const std::string start = std::string(map) + "['";
  if (!path.starts_with(start) || !path.ends_with("']")) return {};
  return std::string(path.substr(start.size(), path.size() - start.size() - 2));
}

std::string field_value(const std::string& path, const PodPlan& pod, const PodPlace& place) {
  if (path == "metadata.name") return pod.key.name;
  if (path == "metadata.namespace") return pod.key.namespace_;
  if (path == "metadata.uid") return pod.uid;
  if (path == "spec.nodeName") return place.node;
  if (path == "spec.serviceAccountName") return pod.service_account;
  if (path == "status.podIP" || path == "status.podIPs") return place.pod_ip;
  if (path == "status.hostIP" || path == "status.hostIPs") return place.host_ip;
  const auto from = [](const std::map<std::string, std::string>& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? std::string() : found->second;
  };
  if (const std::string key = map_key(path, "metadata.labels"); !key.empty()) {
    return from(pod.labels, key);
  }
  if (const std::string key = map_key(path, "metadata.annotations"); !key.empty()) {
    return from(pod.annotations, key);
  }
  return {};
}

// In whole units, rounded up: cores, bytes, devices.
std::string resource_value(const resource::EnvVar& env, const PodPlan& pod,
                           const resource::Container& container) {
  const ContainerPlan* other = env.ref.empty() ? nullptr : pod.find(env.ref);
  const resource::Resources& amounts = other == nullptr ? container.resources : other->spec.resources;
  const std::size_t dot = env.key.find('.');
  const auto& kind = env.key.starts_with("limits") ? amounts.limits : amounts.requests;
  const auto found = kind.find(dot == std::string::npos ? env.key : env.key.substr(dot + 1));
  return found == kind.end() ? "0" : std::to_string(found->second.whole());
}

Result<std::optional<std::string>> key_value(const resource::EnvVar& env, const DataLookup& lookup) {
  const bool secret = env.source == Source::kSecret;
  const auto data = lookup(secret, env.ref);
  if (data) {
    if (const auto found = data->find(env.key); found != data->end()) return found->second;
  }
  if (env.optional) return std::nullopt;
  if (!data) return fail(Code::kNotFound, object_title(secret, env.ref) + " not found");
  return fail(Code::kNotFound, "couldn't find key " + env.key + " in " + object_title(secret, env.ref));
}

}  // namespace

std::string expand(std::string_view text, const Variables& variables) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    if (text[i + 1] == '$') {
      result += '$';
      ++i;
      continue;
    }
    const std::size_t end = text[i + 1] == '(' ? text.find(')', i) : std::string_view::npos;
    if (end == std::string_view::npos) {
      result += text[i];
      continue;
    }
    const auto found = variables.find(std::string(text.substr(i + 2, end - i - 2)));
    result += found == variables.end() ? std::string(text.substr(i, end - i + 1)) : found->second;
    i = end;
  }
  return result;
}

Result<Variables> resolve_environment(const PodPlan& pod, const resource::Container& container,
                                      const PodPlace& place, const DataLookup& lookup) {
  Variables variables;
  for (const resource::EnvFrom& source : container.env_from) {
    if (auto added = add_from(source, lookup, variables); !added) return tl::unexpected(added.error());
  }
  for (const resource::EnvVar& env : container.env) {
    switch (env.source) {
      case Source::kValue:
        variables[env.name] = expand(env.value, variables);
        break;
      case Source::kField:
        variables[env.name] = field_value(env.ref, pod, place);
        break;
      case Source::kResource:
        variables[env.name] = resource_value(env, pod, container);
        break;
      case Source::kConfigMap:
      case Source::kSecret: {
        auto value = key_value(env, lookup);
        if (!value) return tl::unexpected(value.error());
        if (*value) variables[env.name] = **value;
        break;
      }
    }
  }
  return variables;
}

}  // namespace tidegate::machine
