// What TlsServer and TlsClient keep. Internal to net.

#pragma once

#include <array>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "net/openssl.h"
#include "net/tls.h"

namespace tidegate::net {

// Immutable once built; sessions share it.
struct TlsServer::Context {
  struct Entry {
    std::vector<std::string> names;  // lower case
    std::vector<openssl::Certificate> chain;
    openssl::Key key;
    int verify_mode = SSL_VERIFY_NONE;
    openssl::Store authorities;  // null: clients are not asked
    std::array<unsigned char, 32>
        rules{};  // digest of the rules about clients: sessions are resumed within them
  };

  // The entry for a name asked for (lower case; empty: none was): exact, then the longest wildcard, then the
  // first. Null if such names are refused.
  const Entry* entry_for(std::string_view name) const;

  openssl::Context ssl;
  std::vector<Entry> entries;
  bool refuse_unknown_names = false;
  std::string alpn;  // as on the wire: each with its length before it
};

struct TlsClient::Context {
  using Ticket = std::unique_ptr<SSL_SESSION, openssl::Freed<SSL_SESSION_free>>;

  // Tickets are used once.
  void keep(const std::string& server, Ticket ticket);
  Ticket take(const std::string& server);

  openssl::Context ssl;
  bool trust_anyone = false;

 private:
  static constexpr std::size_t kServersMax = 64;
  static constexpr std::size_t kTicketsMax = 4;  // per server
  std::mutex mutex_;
  std::map<std::string, std::vector<Ticket>> tickets_;
};

}  // namespace tidegate::net
