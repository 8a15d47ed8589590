// Who we are to an API server, kept fresh: a fixed token, a token file that is read again, an exec plugin
// that is run again, a client certificate.
//
// Thread: any; get() may block for a plugin, one caller at a time.

#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/remote/kubeconfig.h"
#include "net/certificate.h"

namespace tidegate::remote {

struct Credential {
  std::string token;  // empty: none
  std::optional<net::KeyPair> certificate;
};

class Credentials {
 public:
  // The clock must outlive them.
  Credentials(const Access& access, const Clock& clock);

  // Errors: kUnauthorized.
  Result<Credential> get();

  // The server refused `refused`: the next get() reads or runs anew, unless somebody's has since. False if
  // that cannot help.
  bool renew(const Credential& refused);

 private:
  Result<void> refresh();

  const Clock& clock_;
  const std::filesystem::path token_file_;
  const std::optional<ExecPlugin> exec_;
  std::mutex mutex_;
  Credential current_;
  bool fresh_ = false;
  TimePoint read_again_ = TimePoint::max();
  std::string expires_;  // RFC 3339
};

}  // namespace tidegate::remote
