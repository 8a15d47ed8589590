#include "net/certificate.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

#include "base/ascii.h"
#include "net/openssl.h"

namespace tidegate::net {
namespace {

constexpr Duration kClockSkew = std::chrono::minutes(5);
constexpr int kSerialBits = 127;
constexpr std::size_t kNameBytesMax = 64;  // X.520's bound for a common name

std::string canonical_ip(const std::string& text) {
  unsigned char raw[16];
  char out[INET6_ADDRSTRLEN];
  if (inet_pton(AF_INET, text.c_str(), raw) == 1) return text;
  if (inet_pton(AF_INET6, text.c_str(), raw) == 1 && inet_ntop(AF_INET6, raw, out, sizeof out)) return out;
  return {};
}

tl::unexpected<Error> cannot_make() {
  return fail(Code::kInternal, "cannot make a certificate: " + openssl::take_error());
}

// What stands in a certificate besides its keys.
struct Contents {
  std::string_view common_name;
  std::vector<std::string> organizations;
  WallTime now;
  Duration lifetime;
  std::vector<std::pair<int, std::string>> extensions;  // NID and OpenSSL's words for it
};

bool set_subject(X509* certificate, const Contents& contents) {
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto add = [&](const char* field, std::string_view value) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(value.size()), -1, 0) == 1;
  };
  for (const std::string& organization : contents.organizations) {
    if (!add("O", organization)) return false;
  }
  return add("CN", contents.common_name);
}

bool set_serial(X509* certificate) {
  BIGNUM* number = BN_new();
  const bool ok = BN_rand(number, kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return ok;
}

bool add_extensions(X509* certificate, X509* issuer, const Contents& contents) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const auto add = [&](int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    const bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
  };
  if (!add(NID_subject_key_identifier, "hash")) return false;
  if (issuer != certificate && !add(NID_authority_key_identifier, "keyid:always")) return false;
  return std::all_of(contents.extensions.begin(), contents.extensions.end(),
                     [&](const auto& extension) { return add(extension.first, extension.second); });
}

std::string written(const openssl::Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

// Signed by `authority`, or by itself where that is null.
Result<KeyPair> make(const Contents& contents, const KeyPair* authority) {
  if (contents.common_name.empty() || contents.common_name.size() > kNameBytesMax) {
    return fail(Code::kInvalid, "a certificate's common name has 1 to 64 bytes");
  }
  openssl::Certificate issuer;
  openssl::Key issuer_key;
  if (authority) {
    auto chain = openssl::read_certificates(authority->certificate_pem);
    if (!chain) return tl::unexpected(chain.error());
    auto key = openssl::read_key(authority->key_pem);
    if (!key) return tl::unexpected(key.error());
    issuer = std::move(chain->front());
    issuer_key = *std::move(key);
    if (X509_check_private_key(issuer.get(), issuer_key.get()) != 1) {
      ERR_clear_error();
      return fail(Code::kInvalid, "the authority's key does not belong to its certificate");
    }
  }
  const openssl::Key key(EVP_EC_gen("P-256"));
  const openssl::Certificate certificate(X509_new());
  if (!key || !certificate) return cannot_make();
  X509* issued_by = issuer ? issuer.get() : certificate.get();
  const auto at = [&](WallTime time) {
    return std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(time));
  };
  const bool ok =
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 && set_serial(certificate.get()) &&
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), at(contents.now - kClockSkew)) &&
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), at(contents.now + contents.lifetime)) &&
      set_subject(certificate.get(), contents) &&
      X509_set_issuer_name(certificate.get(), X509_get_subject_name(issued_by)) == 1 &&
      X509_set_pubkey(certificate.get(), key.get()) == 1 &&
      add_extensions(certificate.get(), issued_by, contents) &&
      X509_sign(certificate.get(), issuer_key ? issuer_key.get() : key.get(), EVP_sha256()) > 0;
  if (!ok) return cannot_make();
  const openssl::Bio certificate_text(BIO_new(BIO_s_mem()));
  const openssl::Bio key_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return cannot_make();
  }
  return KeyPair{written(certificate_text), written(key_text)};
}

}  // namespace

Result<CertificateFacts> read_certificate(std::string_view pem) {
  const auto chain = openssl::read_certificates(pem);
  if (!chain) return tl::unexpected(chain.error());
  return openssl::facts_of(chain->front().get());
}

bool covers(const CertificateFacts& certificate, std::string_view host) {
  const std::string name = ascii::to_lower(host);
  if (openssl::is_ip(name)) {
    const auto& known = certificate.ip_addresses;
    return std::find(known.begin(), known.end(), canonical_ip(name)) != known.end();
  }
  const std::size_t dot = name.find('.');
  const std::string wildcard = dot == std::string::npos || dot == 0 ? "" : "*" + name.substr(dot);
  return std::any_of(
      certificate.dns_names.begin(), certificate.dns_names.end(),
      [&](const std::string& known) { return known == name || (!wildcard.empty() && known == wildcard); });
}

Result<KeyPair> make_authority(std::string_view common_name, WallTime now, Duration lifetime) {
  return make(
      {common_name,
       {},
       now,
       lifetime,
       {{NID_basic_constraints, "critical,CA:TRUE"}, {NID_key_usage, "critical,keyCertSign,cRLSign"}}},
      nullptr);
}

Result<KeyPair> issue_server(const KeyPair& authority, const std::vector<std::string>& names, WallTime now,
                             Duration lifetime) {
  std::string alternatives;
  for (const std::string& name : names) {
    const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) || std::strchr(".-_*:", c);
    });
    if (!plain) return fail(Code::kInvalid, "\"" + name + "\" is neither a host name nor an IP address");
    alternatives +=
        (alternatives.empty() ? "" : ",") + std::string(openssl::is_ip(name) ? "IP:" : "DNS:") + name;
  }
  if (names.empty()) return fail(Code::kInvalid, "a server's certificate needs at least one name");
  const std::string common_name = names.front().substr(0, kNameBytesMax);
  return make({common_name,
               {},
               now,
               lifetime,
               {{NID_basic_constraints, "critical,CA:FALSE"},
                {NID_key_usage, "critical,digitalSignature"},
                {NID_ext_key_usage, "serverAuth"},
                {NID_subject_alt_name, alternatives}}},
              &authority);
}

Result<KeyPair> issue_client(const KeyPair& authority, std::string_view common_name,
                             const std::vector<std::string>& organizations, WallTime now, Duration lifetime) {
  return make({common_name,
               organizations,
               now,
               lifetime,
               {{NID_basic_constraints, "critical,CA:FALSE"},
                {NID_key_usage, "critical,digitalSignature"},
                {NID_ext_key_usage, "clientAuth"}}},
              &authority);
}

}  // namespace tidegate::net
