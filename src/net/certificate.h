// X.509 certificates: what one says, and a maker of small authorities for first start.
//
//   const Result<KeyPair> authority = make_authority("tidegate", now, std::chrono::hours(24 * 3650));
//   const Result<KeyPair> server = issue_server(*authority, {"localhost", "127.0.0.1"}, now, year);
//   const Result<KeyPair> admin = issue_client(*authority, "admin", {"system:masters"}, now, year);
//
// Keys are P-256, signatures ECDSA with SHA-256. Keys are written as PKCS #8 without a password: store them
// with mode 0600. A certificate begins to hold five minutes before `now`, for clocks that disagree.
//
// Thread: any.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace tidegate::net {

struct KeyPair {
  std::string certificate_pem;  // the leaf first, then what leads to the authority
  std::string key_pem;
};

struct CertificateFacts {
  std::string common_name;                 // for Kubernetes: the user
  std::vector<std::string> organizations;  // for Kubernetes: the user's groups
  std::vector<std::string> dns_names;      // lower case, may begin with "*."
  std::vector<std::string> ip_addresses;
  WallTime not_before;
  WallTime not_after;
  bool is_authority = false;
  std::string fingerprint;  // SHA-256 in lower-case hex
};

// The first certificate of a PEM text. Errors: kInvalid.
Result<CertificateFacts> read_certificate(std::string_view pem);

// True if the certificate speaks for `host`: a name (with one "*" as the whole leftmost label) or an IP
// address.
bool covers(const CertificateFacts& certificate, std::string_view host);

Result<KeyPair> make_authority(std::string_view common_name, WallTime now, Duration lifetime);

// `names`: DNS names and IP addresses. Requires: at least one.
Result<KeyPair> issue_server(const KeyPair& authority, const std::vector<std::string>& names, WallTime now,
                             Duration lifetime);

Result<KeyPair> issue_client(const KeyPair& authority, std::string_view common_name,
                             const std::vector<std::string>& organizations, WallTime now, Duration lifetime);

}  // namespace tidegate::net
