// One connection's TLS, between a Stream and its socket. Internal to net.
//
// Ciphertext to be sent is kept here until the kernel takes it, a few records at most, so that OpenSSL never
// waits for writing half-way. Every operation gives nothing while the socket must become ready first.
//
// Thread: the loop's own.

#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/address.h"
#include "net/openssl.h"
#include "net/tls.h"

namespace tidegate::net {

class TlsSession {
 public:
  // The stream's socket and what is known of its readiness.
  struct Wire {
    const int& fd;
    bool& may_read;
    bool& may_write;
    const bool& hung_up;
    const Address& peer;
  };

  // Requires: the wire outlives the session.
  static std::unique_ptr<TlsSession> accept(const TlsServer& server, Wire wire);
  static std::unique_ptr<TlsSession> connect(const TlsClient& client, std::string_view server_name,
                                             Wire wire);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  std::optional<Result<void>> handshake();
  // At most `size` bytes; 0 after close_notify. A null `data` reads nothing and asks whether something is
  // there.
  std::optional<Result<std::size_t>> read(char* data, std::size_t size);
  // Takes from `pieces` what has been encrypted; over when the kernel has all of it.
  std::optional<Result<void>> write(iovec*& pieces, std::size_t& count);

  // The socket may be written again: sends what is kept.
  void flush();
  // close_notify, then the end of sending as soon as all is sent.
  void finish_writing();
  // close_notify as far as it can be sent at once: before the socket is closed.
  void say_goodbye();

  const TlsFacts& facts() const { return facts_; }

  static void prepare_server(TlsServer::Context& context);
  static void prepare_client(TlsClient::Context& context);

 private:
  TlsSession(SSL_CTX* context, Wire wire);
  static int bio_read(BIO* bio, char* data, int size);
  static int bio_write(BIO* bio, const char* data, int size);
  static long bio_control(BIO* bio, int command, long number, void* pointer);
  static const BIO_METHOD* bio_method();
  static int on_client_hello(SSL* ssl, int* alert, void* context);
  static int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                     const unsigned char* offered, unsigned int offered_size, void* context);
  static int on_ticket(SSL* ssl, SSL_SESSION* ticket);
  void shut_writing();
  void learn_facts();
  Error failure(std::string_view doing, int result);

  std::unique_ptr<SSL, openssl::Freed<SSL_free>> ssl_;
  Wire wire_;
  std::shared_ptr<const TlsServer::Context> server_;  // one of the two
  std::shared_ptr<TlsClient::Context> client_;
  std::string ticket_key_;  // client: whose tickets these are
  TlsFacts facts_;
  std::string out_;  // ciphertext to be sent, from out_sent_ on
  std::size_t out_sent_ = 0;
  int socket_error_ = 0;  // of a failed system call
  bool at_end_ = false;   // the peer's end of the socket
  bool shaken_ = false;
  bool broken_ = false;     // nothing more is to be said
  bool finishing_ = false;  // close_notify is under way, the end of sending follows
};

}  // namespace tidegate::net
