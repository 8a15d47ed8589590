#include "control/autoscale/sources/targets.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "control/autoscale/sources/sources.h"
#include "resource/fields.h"

namespace tidegate::sources {
namespace {

using resource::Json;

std::uint16_t port_of(const resource::Object& pod, std::uint16_t default_port) {
  const auto& annotations = pod.metadata().annotations;
  if (const auto found = annotations.find("prometheus.io/port"); found != annotations.end()) {
    std::uint16_t port = 0;
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error == std::errc{} && end == text.data() + text.size()) return port;
  }
  std::uint16_t first = default_port;
  const Json* containers = resource::find_array(pod.json(), "spec.containers");
  if (containers == nullptr) return first;
  for (const Json& container : *containers) {
    const Json* ports = resource::find_array(container, "ports");
    if (ports == nullptr) continue;
    for (const Json& port : *ports) {
      const auto number = static_cast<std::uint16_t>(resource::number(port, "containerPort"));
      if (resource::text(port, "name") == "metrics") return number;
      if (first == 0) first = number;
    }
  }
  return first;
}

std::string percent_encoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

void add_matcher(std::string& matchers, std::string_view key, std::string_view op, std::string_view value) {
  matchers += (matchers.empty() ? "" : ",") + std::string(key) + std::string(op) + "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') matchers += '\\';
    matchers += c;
  }
  matchers += '"';
}

}  // namespace

std::optional<Target> page_of_pod(const resource::Object& pod, std::uint16_t default_port) {
  const std::string ip = resource::text(pod.json(), "status.podIP");
  const std::uint16_t port = port_of(pod, default_port);
  if (ip.empty() || port == 0) return std::nullopt;
  const bool v6 = ip.find(':') != std::string::npos;
  Target target;
  target.address = (v6 ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
  const auto& annotations = pod.metadata().annotations;
  const auto path = annotations.find("prometheus.io/path");
  if (path != annotations.end() && path->second.starts_with('/') &&
      path->second.find_first_of(" \r\n") == std::string::npos) {
    target.path = path->second;
  }
  const auto scheme = annotations.find("prometheus.io/scheme");
  target.secure = scheme != annotations.end() && scheme->second == "https";
  return target;
}

std::string query_of(const resource::HorizontalPodAutoscaler& hpa, const resource::MetricSpec& metric) {
  const auto& annotations = hpa.metadata.annotations;
  const auto written = annotations.find(std::string(kQueryAnnotation) + metric.name);
  if (written != annotations.end()) return written->second;
  std::string matchers;
  if (metric.selector) {
    for (const auto& [key, value] : metric.selector->match_labels) add_matcher(matchers, key, "=", value);
    for (const resource::Requirement& requirement : metric.selector->match_expressions) {
      std::string alternatives;
      for (const std::string& value : requirement.values)
        alternatives += (alternatives.empty() ? "" : "|") + value;
      switch (requirement.op) {
        case resource::Operator::kIn:
          add_matcher(matchers, requirement.key, "=~", alternatives);
          break;
        case resource::Operator::kNotIn:
          add_matcher(matchers, requirement.key, "!~", alternatives);
          break;
        case resource::Operator::kExists:
          add_matcher(matchers, requirement.key, "!=", "");
          break;
        case resource::Operator::kDoesNotExist:
          add_matcher(matchers, requirement.key, "=", "");
          break;
      }
    }
  }
  return "sum(" + metric.name + (matchers.empty() ? "" : "{" + matchers + "}") + ")";
}

Target query_target(std::string_view prometheus, std::string_view query) {
  if (prometheus.starts_with("http://")) prometheus.remove_prefix(7);
  while (prometheus.ends_with('/')) prometheus.remove_suffix(1);
  std::string address(prometheus);
  if (address.starts_with("localhost:")) address.replace(0, 9, "127.0.0.1");
  return {std::move(address), "/api/v1/query?query=" + percent_encoded(query), Target::Format::kQuery};
}

}  // namespace tidegate::sources
