#include "net/tls.h"

#include "base/ascii.h"
#include "base/check.h"
#include "net/tls_context.h"
#include "net/tls_session.h"

namespace tidegate::net {
namespace {

constexpr char kSuites12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr std::size_t kAlpnBytesMax = 255;

Result<std::string> alpn_on_wire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > kAlpnBytesMax)
      return invalid("protocol.alpn", "has an entry of no use");
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  return wire;
}

int number_of(TlsVersion version) { return version == TlsVersion::k12 ? TLS1_2_VERSION : TLS1_3_VERSION; }

Result<openssl::Context> make_context(const SSL_METHOD* method, const TlsProtocol& protocol) {
  openssl::Context ssl(SSL_CTX_new(method));
  if (!ssl) return fail(Code::kInternal, "no TLS to be had: " + openssl::take_error());
  SSL_CTX_set_min_proto_version(ssl.get(), number_of(protocol.version_min));
  SSL_CTX_set_max_proto_version(ssl.get(), number_of(protocol.version_max));
  SSL_CTX_set_options(ssl.get(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(ssl.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ssl.get(), 1);
  if (SSL_CTX_set_cipher_list(ssl.get(), kSuites12) != 1) {
    return fail(Code::kInternal, "no cipher suites to be had: " + openssl::take_error());
  }
  return ssl;
}

struct Identity {
  std::vector<openssl::Certificate> chain;
  openssl::Key key;
};

Result<Identity> read_identity(const KeyPair& pair, const std::string& field) {
  auto chain = openssl::read_certificates(pair.certificate_pem);
  if (!chain) return invalid(field, chain.error().message);
  auto key = openssl::read_key(pair.key_pem);
  if (!key) return invalid(field + ".key", key.error().message);
  if (X509_check_private_key(chain->front().get(), key->get()) != 1) {
    ERR_clear_error();
    return invalid(field, "does not belong to its private key; give the two that were made together");
  }
  return Identity{*std::move(chain), *std::move(key)};
}

Result<openssl::Store> read_authorities(std::string_view pem, const std::string& field) {
  auto authorities = openssl::read_certificates(pem);
  if (!authorities) return invalid(field, authorities.error().message);
  openssl::Store store(X509_STORE_new());
  for (const openssl::Certificate& authority : *authorities)
    X509_STORE_add_cert(store.get(), authority.get());
  ERR_clear_error();
  return store;
}

std::array<unsigned char, 32> digest_of(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return digest;
}

}  // namespace

const TlsServer::Context::Entry* TlsServer::Context::entry_for(std::string_view name) const {
  const Entry* best = nullptr;
  std::size_t best_size = 0;
  for (const Entry& entry : entries) {
    for (const std::string& known : entry.names) {
      if (known == name) return &entry;
      const bool wild =
          known.starts_with("*.") && name.size() > known.size() - 1 && name.ends_with(known.substr(1));
      if (wild && known.size() > best_size) {
        best = &entry;
        best_size = known.size();
      }
    }
  }
  if (best || refuse_unknown_names) return best;
  return &entries.front();
}

Result<std::shared_ptr<const TlsServer::Context>> TlsServer::build(const TlsServerOptions& options) {
  if (options.entries.empty()) return invalid("entries", "is empty; give at least one certificate");
  auto context = std::make_shared<Context>();
  auto ssl = make_context(TLS_server_method(), options.protocol);
  if (!ssl) return tl::unexpected(ssl.error());
  auto alpn = alpn_on_wire(options.protocol.alpn);
  if (!alpn) return tl::unexpected(alpn.error());
  context->ssl = *std::move(ssl);
  context->alpn = *std::move(alpn);
  context->refuse_unknown_names = options.refuse_unknown_names;
  for (std::size_t i = 0; i < options.entries.size(); ++i) {
    const TlsServerOptions::Entry& given = options.entries[i];
    const std::string field = "entries[" + std::to_string(i) + "]";
    auto identity = read_identity(given.certificate, field + ".certificate");
    if (!identity) return tl::unexpected(identity.error());
    Context::Entry entry;
    for (const std::string& name : given.names) entry.names.push_back(ascii::to_lower(name));
    if (entry.names.empty()) entry.names = openssl::facts_of(identity->chain.front().get()).dns_names;
    entry.chain = std::move(identity->chain);
    entry.key = std::move(identity->key);
    if (given.clients != TlsServerOptions::Clients::kAnyone) {
      auto store = read_authorities(given.clients_authorities_pem, field + ".clients_authorities");
      if (!store) return tl::unexpected(store.error());
      entry.authorities = *std::move(store);
      entry.verify_mode = SSL_VERIFY_PEER;
      if (given.clients == TlsServerOptions::Clients::kMustShow)
        entry.verify_mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    entry.rules = digest_of(std::to_string(entry.verify_mode) + given.clients_authorities_pem);
    context->entries.push_back(std::move(entry));
  }
  TlsSession::prepare_server(*context);
  return std::shared_ptr<const Context>(std::move(context));
}

Result<std::shared_ptr<TlsServer>> TlsServer::make(const TlsServerOptions& options) {
  auto context = build(options);
  if (!context) return tl::unexpected(context.error());
  return std::shared_ptr<TlsServer>(new TlsServer(*std::move(context)));
}

Result<void> TlsServer::replace(const TlsServerOptions& options) {
  auto context = build(options);
  if (!context) return tl::unexpected(context.error());
  const std::lock_guard lock(mutex_);
  // Tickets stay good: who resumes keeps its keys, and its rules are part of the session.
  unsigned char keys[80];
  const long size = SSL_CTX_get_tlsext_ticket_keys(context_->ssl.get(), nullptr, 0);
  TG_CHECK(size > 0 && size <= static_cast<long>(sizeof keys));
  SSL_CTX_get_tlsext_ticket_keys(context_->ssl.get(), keys, size);
  SSL_CTX_set_tlsext_ticket_keys((*context)->ssl.get(), keys, size);
  context_ = *std::move(context);
  return {};
}

std::shared_ptr<const TlsServer::Context> TlsServer::current() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

Result<std::shared_ptr<TlsClient>> TlsClient::make(const TlsClientOptions& options) {
  auto context = std::make_shared<Context>();
  auto ssl = make_context(TLS_client_method(), options.protocol);
  if (!ssl) return tl::unexpected(ssl.error());
  const auto alpn = alpn_on_wire(options.protocol.alpn);
  if (!alpn) return tl::unexpected(alpn.error());
  SSL_CTX_set_alpn_protos(ssl->get(), reinterpret_cast<const unsigned char*>(alpn->data()),
                          static_cast<unsigned int>(alpn->size()));
  if (options.authorities_pem.empty()) {
    SSL_CTX_set_default_verify_paths(ssl->get());
  } else {
    auto store = read_authorities(options.authorities_pem, "authorities");
    if (!store) return tl::unexpected(store.error());
    SSL_CTX_set_cert_store(ssl->get(), store->release());
  }
  if (options.certificate) {
    const auto identity = read_identity(*options.certificate, "certificate");
    if (!identity) return tl::unexpected(identity.error());
    SSL_CTX_use_certificate(ssl->get(), identity->chain.front().get());
    SSL_CTX_use_PrivateKey(ssl->get(), identity->key.get());
    for (std::size_t i = 1; i < identity->chain.size(); ++i)
      SSL_CTX_add1_chain_cert(ssl->get(), identity->chain[i].get());
  }
  context->ssl = *std::move(ssl);
  context->trust_anyone = options.trust_anyone;
  TlsSession::prepare_client(*context);
  return std::shared_ptr<TlsClient>(new TlsClient(std::move(context)));
}

void TlsClient::Context::keep(const std::string& server, Ticket ticket) {
  const std::lock_guard lock(mutex_);
  if (tickets_.size() >= kServersMax && !tickets_.contains(server)) tickets_.erase(tickets_.begin());
  auto& kept = tickets_[server];
  if (kept.size() >= kTicketsMax) kept.erase(kept.begin());
  kept.push_back(std::move(ticket));
}

TlsClient::Context::Ticket TlsClient::Context::take(const std::string& server) {
  const std::lock_guard lock(mutex_);
  const auto found = tickets_.find(server);
  if (found == tickets_.end()) return nullptr;
  Ticket ticket = std::move(found->second.back());
  found->second.pop_back();
  if (found->second.empty()) tickets_.erase(found);
  return ticket;
}

}  // namespace tidegate::net
