#include "gateway/credentials.h"

#include <initializer_list>
#include <string_view>

#include "resource/core.h"

namespace tidegate::gateway {
namespace {

std::string value_of(const std::map<std::string, std::string>& data,
                     std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    const auto found = data.find(std::string(key));
    if (found != data.end() && !found->second.empty()) return found->second;
  }
  return {};
}

}  // namespace

Credentials::Credentials(const std::vector<resource::ObjectPtr>& secrets,
                         const std::vector<resource::ObjectPtr>& config_maps) {
  for (const auto& object : secrets) secrets_.emplace(object->namespace_() + "/" + object->name(), object);
  for (const auto& object : config_maps)
    config_maps_.emplace(object->namespace_() + "/" + object->name(), object);
}

Result<net::KeyPair> Credentials::key_pair(const std::string& namespace_, const std::string& name) const {
  const std::string title = "Secret " + namespace_ + "/" + name;
  const auto found = secrets_.find(namespace_ + "/" + name);
  if (found == secrets_.end()) return fail(Code::kNotFound, title + " does not exist; create it");
  const auto secret = resource::Secret::from(*found->second);
  if (!secret) return invalid("", title + ": " + describe(secret.error()));
  net::KeyPair pair{value_of(secret->data, {"tls.crt", "cert"}), value_of(secret->data, {"tls.key", "key"})};
  if (pair.certificate_pem.empty() || pair.key_pem.empty())
    return invalid("", title + " has no tls.crt and tls.key; make it with kubectl create secret tls");
  net::TlsServerOptions trial;
  trial.entries.push_back({.certificate = pair});
  if (const auto made = net::TlsServer::make(trial); !made)
    return invalid("", title + ": its certificate " + made.error().message);
  return pair;
}

Result<std::string> Credentials::authorities(const std::string& kind, const std::string& namespace_,
                                             const std::string& name) const {
  const std::string title = kind + " " + namespace_ + "/" + name;
  const ByName& objects = kind == "Secret" ? secrets_ : config_maps_;
  const auto found = objects.find(namespace_ + "/" + name);
  if (found == objects.end()) return fail(Code::kNotFound, title + " does not exist; create it");
  std::string pem;
  if (kind == "Secret") {
    if (const auto secret = resource::Secret::from(*found->second))
      pem = value_of(secret->data, {"ca.crt", "cacert"});
  } else if (const auto map = resource::ConfigMap::from(*found->second)) {
    pem = value_of(map->data, {"ca.crt"});
  }
  if (pem.empty()) return invalid("", title + " has no ca.crt; put the authority's certificate there");
  if (const auto made = net::TlsClient::make({.authorities_pem = pem}); !made)
    return invalid("", title + ": its ca.crt " + made.error().message);
  return pem;
}

}  // namespace tidegate::gateway
