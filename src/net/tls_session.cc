#include "net/tls_session.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "base/ascii.h"
#include "net/tls_context.h"

namespace tidegate::net {
namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;
constexpr std::size_t kBurstBytes = 4 * kRecordBytes;  // encrypted before the kernel is asked to take them
// Only a peer that makes us answer without reading our answers gets so far.
constexpr std::size_t kOutBytesMax = 256 * 1024;
constexpr std::size_t kOutBytesKept = 20 * 1024;  // of an idle connection
constexpr std::size_t kServerNameMax = 253;

// RFC 6066 §3: a list's length, then one name: its type (0), its length, its bytes.
std::optional<std::string> asked_name(SSL* ssl) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) != 1) return "";
  if (size < 5 || data[2] != 0) return std::nullopt;
  const std::size_t length = static_cast<std::size_t>(data[3]) << 8 | data[4];
  if (length == 0 || length > kServerNameMax || length + 5 != size) return std::nullopt;
  std::string name = ascii::to_lower({reinterpret_cast<const char*>(data) + 5, length});
  if (name.ends_with('.')) name.pop_back();
  return name;
}

std::string verdict_text(long verdict) {
  const std::string words = X509_verify_cert_error_string(verdict);
  switch (verdict) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return words + "; give the authority that signed it";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return words + "; renew it, or set the clock right";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return words + "; use a name that stands in it";
    default:
      return words;
  }
}

// An alert by which the other side refuses us as who we are.
bool is_refusal(int reason) {
  switch (reason) {
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return true;
    default:
      return false;
  }
}

}  // namespace

TlsSession::TlsSession(SSL_CTX* context, Wire wire) : ssl_(SSL_new(context)), wire_(wire) {
  BIO* bio = BIO_new(bio_method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
}

TlsSession::~TlsSession() = default;

std::unique_ptr<TlsSession> TlsSession::accept(const TlsServer& server, Wire wire) {
  std::shared_ptr<const TlsServer::Context> context = server.current();
  std::unique_ptr<TlsSession> session(new TlsSession(context->ssl.get(), wire));
  session->server_ = std::move(context);
  SSL_set_accept_state(session->ssl_.get());
  return session;
}

std::unique_ptr<TlsSession> TlsSession::connect(const TlsClient& client, std::string_view server_name,
                                                Wire wire) {
  const std::shared_ptr<TlsClient::Context>& context = client.context_;
  std::unique_ptr<TlsSession> session(new TlsSession(context->ssl.get(), wire));
  SSL* ssl = session->ssl_.get();
  session->client_ = context;
  const std::string name(server_name);
  session->facts_.server_name = name;
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl);
  if (openssl::is_ip(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str());
  } else {
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set1_host(rules, name.data(), name.size());
    SSL_set_tlsext_host_name(ssl, name.c_str());
  }
  SSL_set_verify(ssl, context->trust_anyone ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  session->ticket_key_ = name + "|" + wire.peer.text();
  if (const auto ticket = context->take(session->ticket_key_)) SSL_set_session(ssl, ticket.get());
  SSL_set_connect_state(ssl);
  return session;
}

void TlsSession::prepare_server(TlsServer::Context& context) {
  SSL_CTX* ssl = context.ssl.get();
  SSL_CTX_set_client_hello_cb(ssl, on_client_hello, nullptr);
  SSL_CTX_set_alpn_select_cb(ssl, on_alpn, nullptr);
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);  // tickets alone
}

void TlsSession::prepare_client(TlsClient::Context& context) {
  SSL_CTX* ssl = context.ssl.get();
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ssl, on_ticket);
}

// The first thing a server sees: everything that depends on the name is set before a ticket is looked at.
int TlsSession::on_client_hello(SSL* ssl, int* alert, void*) {
  auto& session = *static_cast<TlsSession*>(SSL_get_app_data(ssl));
  std::optional<std::string> name = asked_name(ssl);
  if (!name) {
    *alert = SSL_AD_DECODE_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
  }
  session.facts_.server_name = *std::move(name);
  const TlsServer::Context::Entry* entry = session.server_->entry_for(session.facts_.server_name);
  if (!entry) {
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
  }
  bool ok = SSL_use_certificate(ssl, entry->chain.front().get()) == 1 &&
            SSL_use_PrivateKey(ssl, entry->key.get()) == 1 &&
            SSL_set_session_id_context(ssl, entry->rules.data(), entry->rules.size()) == 1;
  for (std::size_t i = 1; ok && i < entry->chain.size(); ++i) {
    ok = SSL_add1_chain_cert(ssl, entry->chain[i].get()) == 1;
  }
  SSL_set_verify(ssl, entry->verify_mode, nullptr);
  if (entry->authorities) SSL_set1_verify_cert_store(ssl, entry->authorities.get());
  if (ok) return SSL_CLIENT_HELLO_SUCCESS;
  *alert = SSL_AD_INTERNAL_ERROR;
  return SSL_CLIENT_HELLO_ERROR;
}

int TlsSession::on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                        const unsigned char* offered, unsigned int offered_size, void*) {
  const std::string& ours = static_cast<TlsSession*>(SSL_get_app_data(ssl))->server_->alpn;
  if (ours.empty()) return SSL_TLSEXT_ERR_NOACK;
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), offered, offered_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Returning 1 takes the ticket over.
int TlsSession::on_ticket(SSL* ssl, SSL_SESSION* ticket) {
  auto& session = *static_cast<TlsSession*>(SSL_get_app_data(ssl));
  session.client_->keep(session.ticket_key_, TlsClient::Context::Ticket(ticket));
  return 1;
}

std::optional<Result<void>> TlsSession::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  flush();
  if (result == 1) {
    if (out_.empty() && socket_error_ == 0) {
      if (!std::exchange(shaken_, true)) learn_facts();
      return Result<void>{};
    }
    if (socket_error_ == 0) return std::nullopt;
  } else {
    const int why = SSL_get_error(ssl_.get(), result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return std::nullopt;
  }
  return tl::unexpected(failure("TLS handshake with", result));
}

std::optional<Result<std::size_t>> TlsSession::read(char* data, std::size_t size) {
  ERR_clear_error();
  char byte;
  const int result = data ? SSL_read(ssl_.get(), data, static_cast<int>(std::min<std::size_t>(size, INT_MAX)))
                          : SSL_peek(ssl_.get(), &byte, 1);
  if (!out_.empty()) flush();
  if (result > 0) return data ? static_cast<std::size_t>(result) : 0;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return std::nullopt;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      return tl::unexpected(failure("reading from", result));
  }
}

std::optional<Result<void>> TlsSession::write(iovec*& pieces, std::size_t& count) {
  while (true) {
    flush();
    if (socket_error_ != 0) return tl::unexpected(failure("writing to", -1));
    if (!out_.empty()) return std::nullopt;
    while (count > 0 && pieces->iov_len == 0) ++pieces, --count;
    if (count == 0) return Result<void>{};

    // A large piece is encrypted where it lies; small ones share a record.
    char record[kRecordBytes];
    const char* plain = static_cast<const char*>(pieces->iov_base);
    std::size_t size = std::min(pieces->iov_len, kBurstBytes);
    if (size < kRecordBytes && count > 1) {
      size = 0;
      for (std::size_t i = 0; i < count && size < kRecordBytes; ++i) {
        const std::size_t part = std::min(pieces[i].iov_len, kRecordBytes - size);
        if (part > 0) std::memcpy(record + size, pieces[i].iov_base, part);
        size += part;
      }
      plain = record;
    }
    ERR_clear_error();
    const int result = SSL_write(ssl_.get(), plain, static_cast<int>(size));
    if (result <= 0) return tl::unexpected(failure("writing to", result));
    auto left = static_cast<std::size_t>(result);
    while (left > 0) {
      const std::size_t part = std::min(left, pieces->iov_len);
      pieces->iov_base = static_cast<char*>(pieces->iov_base) + part;
      pieces->iov_len -= part;
      left -= part;
      if (pieces->iov_len == 0) ++pieces, --count;
    }
  }
}

void TlsSession::flush() {
  while (out_sent_ < out_.size() && wire_.may_write && socket_error_ == 0) {
    const ssize_t sent = ::send(wire_.fd, out_.data() + out_sent_, out_.size() - out_sent_, MSG_NOSIGNAL);
    if (sent >= 0) {
      out_sent_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wire_.may_write = false;
    } else if (errno != EINTR) {
      socket_error_ = errno;
      broken_ = true;
    }
  }
  if (out_sent_ < out_.size()) return;
  out_sent_ = 0;
  if (out_.capacity() > kOutBytesKept) {
    std::string().swap(out_);
  } else {
    out_.clear();
  }
  if (finishing_) shut_writing();
}

void TlsSession::shut_writing() {
  finishing_ = false;
  ::shutdown(wire_.fd, SHUT_WR);
}

void TlsSession::finish_writing() {
  say_goodbye();
  finishing_ = true;
  flush();
}

void TlsSession::say_goodbye() {
  if (!shaken_ || broken_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  flush();
}

void TlsSession::learn_facts() {
  SSL* ssl = ssl_.get();
  facts_.version = SSL_version(ssl) == TLS1_2_VERSION ? TlsVersion::k12 : TlsVersion::k13;
  facts_.resumed = SSL_session_reused(ssl) == 1;
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  if (size > 0) facts_.alpn.assign(reinterpret_cast<const char*>(protocol), size);
  const bool verified =
      SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) == X509_V_OK;
  if (X509* peer = SSL_get0_peer_certificate(ssl); peer && verified) facts_.peer = openssl::facts_of(peer);
}

// Requires: `result` came from OpenSSL on this thread just now, or socket_error_ is set.
Error TlsSession::failure(std::string_view doing, int result) {
  const int kind = SSL_get_error(ssl_.get(), result);
  const int reason = ERR_GET_REASON(ERR_peek_error());
  const long verdict = SSL_get_verify_result(ssl_.get());
  const std::string words = openssl::take_error();
  broken_ = true;
  const std::string where = std::string(doing) + " " + wire_.peer.text() + ": ";
  if (socket_error_ != 0) return {Code::kUnavailable, "", where + std::strerror(socket_error_)};
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
    return {Code::kUnauthorized, "", where + "its certificate is not accepted: " + verdict_text(verdict)};
  }
  if (at_end_ || kind == SSL_ERROR_SYSCALL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return {Code::kUnavailable, "", where + "it closed the connection without a word (no close_notify)"};
  }
  if (is_refusal(reason)) return {Code::kUnauthorized, "", where + words};
  return {Code::kInvalid, "", where + words};
}

int TlsSession::bio_read(BIO* bio, char* data, int size) {
  auto& session = *static_cast<TlsSession*>(BIO_get_data(bio));
  const Wire& wire = session.wire_;
  BIO_clear_retry_flags(bio);
  while (wire.may_read) {
    const ssize_t got = ::recv(wire.fd, data, static_cast<std::size_t>(size), 0);
    if (got > 0) {
      // Less than asked for means the kernel's buffer is empty, unless the end has come as well.
      if (got < size && !wire.hung_up) wire.may_read = false;
      return static_cast<int>(got);
    }
    if (got == 0) {
      session.at_end_ = true;
      return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wire.may_read = false;
    } else if (errno != EINTR) {
      session.socket_error_ = errno;
      return -1;
    }
  }
  BIO_set_retry_read(bio);
  return -1;
}

int TlsSession::bio_write(BIO* bio, const char* data, int size) {
  auto& session = *static_cast<TlsSession*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (session.out_.size() > kOutBytesMax) {
    BIO_set_retry_write(bio);
    return -1;
  }
  session.out_.append(data, static_cast<std::size_t>(size));
  return size;
}

long TlsSession::bio_control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_EOF:
      return static_cast<TlsSession*>(BIO_get_data(bio))->at_end_ ? 1 : 0;
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
      return 1;
    default:
      return 0;
  }
}

const BIO_METHOD* TlsSession::bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tidegate stream");
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

}  // namespace tidegate::net
