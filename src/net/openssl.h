// OpenSSL's objects with owners, and its errors as text. Internal to net: other rooms see tls.h and
// certificate.h.

#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/certificate.h"

namespace tidegate::net::openssl {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;

inline Bio reader(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The oldest error of this thread's queue, in words; empties the queue.
std::string take_error();

// Every certificate of a PEM text; at least one. Errors: kInvalid.
Result<std::vector<Certificate>> read_certificates(std::string_view pem);

// A private key without a password. Errors: kInvalid.
Result<Key> read_key(std::string_view pem);

CertificateFacts facts_of(X509* certificate);

// An IPv4 or IPv6 address without brackets.
bool is_ip(const std::string& text);

}  // namespace tidegate::net::openssl
