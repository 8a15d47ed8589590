// Certificates and authorities out of Secrets and ConfigMaps, checked before anybody serves them.
//
// Their values are secrets: messages name objects and keys, never contents.
//
// Thread: pure.

#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/tls.h"
#include "resource/object.h"

namespace tidegate::gateway {

class Credentials {
 public:
  Credentials(const std::vector<resource::ObjectPtr>& secrets,
              const std::vector<resource::ObjectPtr>& config_maps);

  // tls.crt and tls.key (Istio's older cert and key) of a Secret. Errors: kNotFound; kInvalid if they are
  // missing or do not belong together.
  Result<net::KeyPair> key_pair(const std::string& namespace_, const std::string& name) const;

  // ca.crt (Istio's older cacert) of a Secret or a ConfigMap. Errors: kNotFound, kInvalid.
  Result<std::string> authorities(const std::string& kind, const std::string& namespace_,
                                  const std::string& name) const;

 private:
  using ByName = std::map<std::string, resource::ObjectPtr>;  // "namespace/name"
  ByName secrets_;
  ByName config_maps_;
};

}  // namespace tidegate::gateway
