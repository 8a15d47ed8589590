#include "net/openssl.h"

#include <arpa/inet.h>
#include <openssl/pem.h>

#include <ctime>

#include "base/ascii.h"

namespace tidegate::net::openssl {
namespace {

// A text of more than this is no chain of certificates.
constexpr std::size_t kPemBytesMax = 1024 * 1024;
constexpr std::size_t kCertificatesMax = 1000;  // the system's own bundles hold some 150

// OpenSSL would ask on the terminal.
int no_password(char*, int, int, void*) { return -1; }

WallTime wall(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

std::vector<std::string> subject_entries(X509* certificate, int nid) {
  std::vector<std::string> found;
  X509_NAME* subject = X509_get_subject_name(certificate);
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, nid, at)) >= 0;) {
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size >= 0) found.emplace_back(reinterpret_cast<char*>(text), size);
    OPENSSL_free(text);
  }
  return found;
}

void read_alternative_names(X509* certificate, CertificateFacts& facts) {
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    const ASN1_STRING* value = nullptr;
    if (name->type == GEN_DNS) value = name->d.dNSName;
    if (name->type == GEN_IPADD) value = name->d.iPAddress;
    if (!value) continue;
    const std::string_view bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                                 static_cast<std::size_t>(ASN1_STRING_length(value)));
    if (name->type == GEN_DNS) {
      facts.dns_names.push_back(ascii::to_lower(bytes));
    } else if (bytes.size() == 4 || bytes.size() == 16) {
      char text[INET6_ADDRSTRLEN];
      inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
      facts.ip_addresses.emplace_back(text);
    }
  }
  GENERAL_NAMES_free(names);
}

std::string fingerprint(X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  X509_digest(certificate, EVP_sha256(), digest, &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4];
    text += "0123456789abcdef"[digest[i] & 15];
  }
  return text;
}

}  // namespace

std::string take_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  return reason ? reason : "unknown TLS error";
}

Result<std::vector<Certificate>> read_certificates(std::string_view pem) {
  if (pem.size() > kPemBytesMax)
    return fail(Code::kInvalid, "is larger than 1 MiB; give one chain of certificates");
  const Bio bio = reader(pem);
  std::vector<Certificate> found;
  while (found.size() < kCertificatesMax) {
    Certificate next(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
    if (!next) break;
    found.push_back(std::move(next));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = take_error();
  if (found.empty() && at_end) return fail(Code::kInvalid, "holds no PEM block \"BEGIN CERTIFICATE\"");
  if (!at_end && found.size() < kCertificatesMax) {
    return fail(Code::kInvalid, "holds a certificate that cannot be read: " + why);
  }
  return found;
}

Result<Key> read_key(std::string_view pem) {
  if (pem.size() > kPemBytesMax) return fail(Code::kInvalid, "is larger than 1 MiB; give one private key");
  const Bio bio = reader(pem);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (key) return key;
  const std::string why = take_error();
  if (pem.find("ENCRYPTED") != std::string_view::npos) {
    return fail(Code::kInvalid, "is encrypted; give a private key without a password");
  }
  return fail(Code::kInvalid, "is no PEM private key: " + why);
}

CertificateFacts facts_of(X509* certificate) {
  CertificateFacts facts;
  std::vector<std::string> names = subject_entries(certificate, NID_commonName);
  if (!names.empty()) facts.common_name = std::move(names.back());
  facts.organizations = subject_entries(certificate, NID_organizationName);
  read_alternative_names(certificate, facts);
  facts.not_before = wall(X509_get0_notBefore(certificate));
  facts.not_after = wall(X509_get0_notAfter(certificate));
  facts.is_authority = X509_check_ca(certificate) > 0;
  facts.fingerprint = fingerprint(certificate);
  ERR_clear_error();
  return facts;
}

bool is_ip(const std::string& text) {
  unsigned char raw[16];
  return inet_pton(AF_INET, text.c_str(), raw) == 1 || inet_pton(AF_INET6, text.c_str(), raw) == 1;
}

}  // namespace tidegate::net::openssl
