#include "control/serving/settings.h"

#include "resource/names.h"

namespace tidegate::serving {

std::string host_of(const Settings& settings, const std::string& name, const std::string& namespace_) {
  std::string host = settings.domain_template;
  const auto replace = [&host](std::string_view what, const std::string& by) {
    for (std::size_t at = host.find(what); at != std::string::npos; at = host.find(what, at + by.size())) {
      host.replace(at, what.size(), by);
    }
  };
  replace("{{.Name}}", name);
  replace("{{.Namespace}}", namespace_);
  replace("{{.IngressDomain}}", settings.ingress_domain);
  return host;
}

Result<void> check(const Settings& settings) {
  for (const char* part : {"{{.Name}}", "{{.Namespace}}"}) {
    if (settings.domain_template.find(part) == std::string::npos) {
      return invalid("--domain-template",
                     "lacks " + std::string(part) + ", so that two services would get one host");
    }
  }
  const std::string host = host_of(settings, "name", "namespace");
  const std::string_view wrong = resource::dns_subdomain(host);
  if (wrong.empty()) return {};
  return invalid("--domain-template",
                 "makes hosts such as '" + host.substr(0, 300) + "'; " + std::string(wrong));
}

}  // namespace tidegate::serving
