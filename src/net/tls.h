// TLS inside a Stream (OpenSSL; 1.2 and 1.3): who a server shows itself as, whom a client believes.
//
//   Result<std::shared_ptr<TlsServer>> server = TlsServer::make(options);
//   const Result<void> shaken = co_await stream.accept_tls(**server, loop.now() + std::chrono::seconds(10));
//
//   Result<std::shared_ptr<TlsClient>> client = TlsClient::make({.authorities_pem = ca});
//   const Result<void> shaken = co_await stream.connect_tls(**client, "api.example.com", deadline);
//
// From there on the stream's operations are the same. Records are filled from all pieces of a write; a read
// that ends without close_notify fails, so that a cut answer never seems whole.
//
// Fixed on purpose: no renegotiation, no compression, no early data, only suites with forward secrecy and
// AEAD. Sessions are resumed by tickets; one from a name with other rules about clients is not accepted.
//
// Thread: any; one object serves every loop. Replacing a server's certificates takes effect with the next
// handshake. Errors of the handshake: kUnauthorized (the other side's certificate, or ours in its eyes),
// kDeadline, kCancelled, kInvalid (not TLS, no common version or protocol), kUnavailable (cut).

#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/certificate.h"

namespace tidegate::net {

enum class TlsVersion { k12, k13 };

struct TlsProtocol {
  TlsVersion version_min = TlsVersion::k12;
  TlsVersion version_max = TlsVersion::k13;
  std::vector<std::string> alpn = {"http/1.1"};  // best first; empty: not negotiated
};

struct TlsServerOptions {
  enum class Clients {
    kAnyone,   // are not asked for a certificate
    kMayShow,  // a certificate that is shown must be good
    kMustShow,
  };
  struct Entry {
    // "example.com", "*.example.com" (one label or more); empty: the names in the certificate.
    std::vector<std::string> names = {};
    KeyPair certificate;
    Clients clients = Clients::kAnyone;
    std::string clients_authorities_pem = {};  // who may sign a client's certificate
  };
  std::vector<Entry> entries;         // at least one; the first serves names that none has
  bool refuse_unknown_names = false;  // refuse those instead, and clients that name nobody
  TlsProtocol protocol = {};
};

struct TlsClientOptions {
  std::string authorities_pem = {};         // empty: the system's
  std::optional<KeyPair> certificate = {};  // shown when the server asks
  bool trust_anyone = false;                // no verification at all: for a user who says so
  TlsProtocol protocol = {};
};

// What a handshake agreed on.
struct TlsFacts {
  TlsVersion version = TlsVersion::k13;
  std::string alpn;         // empty: none
  std::string server_name;  // as the client asked, lower case; empty: not asked
  bool resumed = false;
  std::optional<CertificateFacts> peer;  // its verified certificate, if it showed one
};

class TlsServer {
 public:
  // Errors: kInvalid with a field such as "entries[1].certificate".
  static Result<std::shared_ptr<TlsServer>> make(const TlsServerOptions& options);

  // On an error what was there stays.
  Result<void> replace(const TlsServerOptions& options);

 private:
  friend class TlsSession;
  struct Context;
  explicit TlsServer(std::shared_ptr<const Context> context) : context_(std::move(context)) {}
  static Result<std::shared_ptr<const Context>> build(const TlsServerOptions& options);
  std::shared_ptr<const Context> current() const;

  mutable std::mutex mutex_;
  std::shared_ptr<const Context> context_;
};

class TlsClient {
 public:
  // Errors: kInvalid with a field.
  static Result<std::shared_ptr<TlsClient>> make(const TlsClientOptions& options);

 private:
  friend class TlsSession;
  struct Context;
  explicit TlsClient(std::shared_ptr<Context> context) : context_(std::move(context)) {}
  std::shared_ptr<Context> context_;
};

}  // namespace tidegate::net
