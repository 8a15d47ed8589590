#include "net/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <numeric>
#include <thread>

#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"

namespace tidegate::net {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kYear = hours(24 * 365);

struct Pki {
  WallTime now = std::chrono::system_clock::now();
  KeyPair authority = *make_authority("test authority", now, kYear);
  KeyPair server = *issue_server(authority, {"localhost", "127.0.0.1", "*.wild.test"}, now, kYear);
  KeyPair admin = *issue_client(authority, "admin", {"system:masters", "people"}, now, kYear);
};

const Pki& pki() {
  static const Pki made;
  return made;
}

TlsServerOptions serving(const KeyPair& pair) {
  TlsServerOptions options;
  options.entries.push_back({.certificate = pair});
  return options;
}

TlsServerOptions asking(TlsServerOptions::Clients clients) {
  TlsServerOptions options = serving(pki().server);
  options.entries[0].clients = clients;
  options.entries[0].clients_authorities_pem = pki().authority.certificate_pem;
  return options;
}

std::shared_ptr<TlsClient> believing(TlsClientOptions options = {}) {
  if (options.authorities_pem.empty()) options.authorities_pem = pki().authority.certificate_pem;
  return *TlsClient::make(options);
}

// Both ends of one connection, shaken together on one loop.
struct Pair {
  explicit Pair(const TlsServerOptions& options) : Pair(*TlsServer::make(options)) {}
  explicit Pair(std::shared_ptr<TlsServer> with)
      : server(std::move(with)), listener(*Listener::bind(loop, *Address::parse("127.0.0.1:0"))) {}

  // Runs `then` once both handshakes are over.
  void run(const TlsClient& client, std::string name, std::function<Task<void>(Pair&)> then) {
    TaskGroup group;
    group.spawn(all(client, std::move(name), std::move(then)));
    loop.run();
    EXPECT_TRUE(group.empty());
  }

  Task<void> all(const TlsClient& client, std::string name, std::function<Task<void>(Pair&)> then) {
    Result<Stream> called = co_await Stream::connect(loop, listener.address(), soon());
    Result<Stream> accepted = co_await listener.accept();
    ours = *std::move(called);
    theirs = *std::move(accepted);
    TaskGroup shaking;
    shaking.spawn([](Pair& p) -> Task<void> {
      p.served = co_await p.theirs.accept_tls(*p.server, p.soon());
      if (!p.served) p.theirs.close();
    }(*this));
    connected = co_await ours.connect_tls(client, name, soon());
    if (!connected) ours.close();
    co_await shaking.wait_empty();
    co_await then(*this);
    ours.close();
    theirs.close();
    loop.stop();
  }

  TimePoint soon() { return loop.now() + seconds(20); }

  Loop loop;
  std::shared_ptr<TlsServer> server;
  Listener listener;
  Stream ours, theirs;
  Result<void> connected, served;
};

Task<std::string> read_exactly(Stream& stream, std::size_t size) {
  std::string text(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const Result<std::size_t> got = co_await stream.read_some(text.data() + have, size - have);
    if (!got || *got == 0) break;
    have += *got;
  }
  text.resize(have);
  co_return text;
}

Task<void> nothing(Pair&) { co_return; }

Task<void> say_hello(Pair& p) {
  const Result<void> sent = co_await p.ours.write_all("hello");
  EXPECT_TRUE(sent.has_value());
  const std::string heard = co_await read_exactly(p.theirs, 5);
  EXPECT_EQ(heard, "hello");
  const Result<void> answered = co_await p.theirs.write_all("welcome");
  EXPECT_TRUE(answered.has_value());
  const std::string back = co_await read_exactly(p.ours, 7);
  EXPECT_EQ(back, "welcome");
}

TEST(Certificate, SaysWhatItWasMadeWith) {
  const CertificateFacts server = *read_certificate(pki().server.certificate_pem);
  EXPECT_EQ(server.common_name, "localhost");
  EXPECT_EQ(server.dns_names, (std::vector<std::string>{"localhost", "*.wild.test"}));
  EXPECT_EQ(server.ip_addresses, (std::vector<std::string>{"127.0.0.1"}));
  EXPECT_FALSE(server.is_authority);
  EXPECT_EQ(server.fingerprint.size(), 64u);
  EXPECT_LT(server.not_before, pki().now);
  EXPECT_NEAR(seconds::rep((server.not_after - pki().now - kYear) / seconds(1)), 0, 2);
  const CertificateFacts admin = *read_certificate(pki().admin.certificate_pem);
  EXPECT_EQ(admin.common_name, "admin");
  EXPECT_EQ(admin.organizations, (std::vector<std::string>{"system:masters", "people"}));
  EXPECT_TRUE(read_certificate(pki().authority.certificate_pem)->is_authority);
  EXPECT_TRUE(covers(server, "LOCALHOST"));
  EXPECT_TRUE(covers(server, "a.wild.test"));
  EXPECT_TRUE(covers(server, "127.0.0.1"));
  for (const char* other : {"wild.test", "a.b.wild.test", "127.0.0.2", "", "."}) {
    EXPECT_FALSE(covers(server, other)) << other;
  }
}

TEST(Certificate, RefusesWhatIsNone) {
  EXPECT_NE(read_certificate("").error().message.find("BEGIN CERTIFICATE"), std::string::npos);
  std::string broken = pki().server.certificate_pem;
  broken[broken.size() / 2] = '!';
  EXPECT_FALSE(read_certificate(broken));
  EXPECT_FALSE(issue_server(pki().authority, {}, pki().now, kYear));
  EXPECT_FALSE(issue_server(pki().authority, {"a,URI:b"}, pki().now, kYear));
  EXPECT_FALSE(issue_server({pki().authority.certificate_pem, pki().admin.key_pem}, {"a"}, pki().now, kYear));
  EXPECT_FALSE(make_authority("", pki().now, kYear));
}

TEST(Tls, SaysHello) {
  Pair pair(serving(pki().server));
  pair.run(*believing(), "localhost", [](Pair& p) -> Task<void> {
    EXPECT_TRUE(p.connected) << p.connected.error().message;
    EXPECT_TRUE(p.served);
    EXPECT_EQ(p.ours.tls()->version, TlsVersion::k13);
    EXPECT_EQ(p.ours.tls()->alpn, "http/1.1");
    EXPECT_EQ(p.theirs.tls()->alpn, "http/1.1");
    EXPECT_EQ(p.theirs.tls()->server_name, "localhost");
    EXPECT_FALSE(p.theirs.tls()->peer);
    EXPECT_EQ(p.ours.tls()->peer->common_name, "localhost");
    co_await say_hello(p);
  });
}

TEST(Tls, SpeaksTheOldVersionAndAddressesToo) {
  TlsServerOptions options = serving(pki().server);
  options.protocol.version_max = TlsVersion::k12;
  Pair pair(options);
  pair.run(*believing(), "127.0.0.1", [](Pair& p) -> Task<void> {
    EXPECT_TRUE(p.connected) << p.connected.error().message;
    EXPECT_EQ(p.ours.tls()->version, TlsVersion::k12);
    EXPECT_EQ(p.theirs.tls()->server_name, "") << "an address is no server name";
    co_await say_hello(p);
  });
}

TEST(Tls, VersionsMustMeet) {
  TlsServerOptions options = serving(pki().server);
  options.protocol.version_min = TlsVersion::k13;
  Pair pair(options);
  const auto old = believing({.protocol = {.version_max = TlsVersion::k12}});
  pair.run(*old, "localhost", nothing);
  ASSERT_FALSE(pair.connected);
  EXPECT_EQ(pair.connected.error().code, Code::kInvalid);
  EXPECT_FALSE(pair.served);
}

TEST(Tls, ProtocolsMustMeet) {
  Pair pair(serving(pki().server));
  const auto other = believing({.protocol = {.alpn = {"h2"}}});
  pair.run(*other, "localhost", nothing);
  EXPECT_FALSE(pair.connected);
  EXPECT_FALSE(pair.served);
}

void expect_not_believed(const TlsServerOptions& server, const TlsClient& client, const std::string& name,
                         std::string_view why) {
  Pair pair(server);
  pair.run(client, name, nothing);
  ASSERT_FALSE(pair.connected);
  EXPECT_EQ(pair.connected.error().code, Code::kUnauthorized);
  EXPECT_NE(pair.connected.error().message.find(why), std::string::npos) << pair.connected.error().message;
  EXPECT_FALSE(pair.served);
}

TEST(Tls, BelievesNobodyElse) {
  const Pki& p = pki();
  expect_not_believed(serving(p.server), *believing(), "other.test", "mismatch");
  expect_not_believed(serving(p.server), *believing(), "127.0.0.2", "mismatch");
  const KeyPair stranger = *make_authority("stranger", p.now, kYear);
  expect_not_believed(serving(*issue_server(stranger, {"localhost"}, p.now, kYear)), *believing(),
                      "localhost", "give the authority");
  const KeyPair old = *issue_server(p.authority, {"localhost"}, p.now - hours(48), hours(24));
  expect_not_believed(serving(old), *believing(), "localhost", "expired");
  const KeyPair early = *issue_server(p.authority, {"localhost"}, p.now + hours(24), kYear);
  expect_not_believed(serving(early), *believing(), "localhost", "not yet valid");
  expect_not_believed(serving(p.admin), *believing(), "admin", "certificate");
}

TEST(Tls, TrustsAnyoneOnRequest) {
  Pair pair(serving(pki().server));
  pair.run(*believing({.trust_anyone = true}), "other.test", [](Pair& p) -> Task<void> {
    EXPECT_TRUE(p.connected);
    EXPECT_FALSE(p.ours.tls()->peer) << "nobody has verified it";
    co_await say_hello(p);
  });
}

TEST(Tls, KnowsItsClients) {
  Pair pair(asking(TlsServerOptions::Clients::kMustShow));
  pair.run(*believing({.certificate = pki().admin}), "localhost", [](Pair& p) -> Task<void> {
    EXPECT_TRUE(p.served) << p.served.error().message;
    EXPECT_EQ(p.theirs.tls()->peer->common_name, "admin");
    EXPECT_EQ(p.theirs.tls()->peer->organizations.size(), 2u);
    co_await say_hello(p);
  });
}

TEST(Tls, ClientsMayOrMustShowACertificate) {
  Pair may(asking(TlsServerOptions::Clients::kMayShow));
  may.run(*believing(), "localhost", [](Pair& p) -> Task<void> {
    EXPECT_FALSE(p.theirs.tls()->peer);
    co_await say_hello(p);
  });
  Pair must(asking(TlsServerOptions::Clients::kMustShow));
  must.run(*believing(), "localhost", [](Pair& p) -> Task<void> {
    EXPECT_FALSE(p.served);
    EXPECT_EQ(p.served.error().code, Code::kUnauthorized) << p.served.error().message;
    // In TLS 1.3 the client has finished before it is refused.
    EXPECT_TRUE(p.connected);
    char byte;
    const Result<std::size_t> got = co_await p.ours.read_some(&byte, 1);
    EXPECT_EQ(got.error().code, Code::kUnauthorized) << got.error().message;
  });
}

TEST(Tls, RefusesAStrangersCertificateEvenIfNoneIsAskedFor) {
  const KeyPair stranger = *make_authority("stranger", pki().now, kYear);
  const KeyPair fake = *issue_client(stranger, "admin", {"system:masters"}, pki().now, kYear);
  Pair pair(asking(TlsServerOptions::Clients::kMayShow));
  pair.run(*believing({.certificate = fake}), "localhost", nothing);
  EXPECT_FALSE(pair.served);
}

TEST(Tls, ServersChooseByName) {
  const Pki& p = pki();
  TlsServerOptions options = serving(p.server);
  options.entries.push_back({.certificate = *issue_server(p.authority, {"a.test"}, p.now, kYear)});
  options.entries.push_back(
      {.names = {"*.b.test"}, .certificate = *issue_server(p.authority, {"x.b.test"}, p.now, kYear)});
  auto server = *TlsServer::make(options);
  const auto peer_for = [&](const std::string& name) {
    Pair pair(server);
    pair.run(*believing(), name, nothing);
    return pair.connected ? "served" : pair.connected.error().message;
  };
  EXPECT_EQ(peer_for("a.test"), "served");
  EXPECT_EQ(peer_for("x.b.test"), "served");
  EXPECT_EQ(peer_for("some.wild.test"), "served");
  EXPECT_NE(peer_for("nowhere.test").find("mismatch"), std::string::npos);
  options.refuse_unknown_names = true;
  ASSERT_TRUE(server->replace(options));
  EXPECT_NE(peer_for("nowhere.test").find("unrecognized name"), std::string::npos)
      << peer_for("nowhere.test");
  EXPECT_EQ(peer_for("a.test"), "served");
}

TEST(Tls, CertificatesChangeUnderWay) {
  const Pki& p = pki();
  auto server = *TlsServer::make(serving(*issue_server(p.authority, {"old.test"}, p.now, kYear)));
  Pair pair(server);
  pair.run(*believing(), "old.test", [&](Pair& both) -> Task<void> {
    EXPECT_TRUE(server->replace(serving(*issue_server(p.authority, {"new.test"}, p.now, kYear))));
    co_await say_hello(both);  // what is open goes on
  });
  EXPECT_TRUE(pair.connected);
  EXPECT_FALSE(server->replace({})) << "what was there stays";
  Pair next(server);
  next.run(*believing(), "new.test", say_hello);
  EXPECT_TRUE(next.connected);
}

TEST(Tls, SaysWhichCertificateIsWrong) {
  TlsServerOptions options = serving(pki().server);
  options.entries.push_back({.certificate = {pki().server.certificate_pem, pki().admin.key_pem}});
  EXPECT_EQ(TlsServer::make(options).error().field, "entries[1].certificate");
  options.entries[1].certificate.key_pem = "nonsense";
  EXPECT_EQ(TlsServer::make(options).error().field, "entries[1].certificate.key");
  options.entries[1].certificate.key_pem =
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
  EXPECT_NE(TlsServer::make(options).error().message.find("without a password"), std::string::npos);
  EXPECT_EQ(TlsClient::make({.authorities_pem = "x"}).error().field, "authorities");
}

TEST(Tls, ResumesSessions) {
  for (const TlsVersion version : {TlsVersion::k12, TlsVersion::k13}) {
    TlsServerOptions options = asking(TlsServerOptions::Clients::kMayShow);
    options.protocol.version_max = version;
    Pair pair(options);
    const auto client = believing({.certificate = pki().admin});
    pair.run(*client, "localhost", say_hello);
    EXPECT_FALSE(pair.ours.open());
    // The client keeps tickets per address, so the second connection goes to the same listener.
    EXPECT_TRUE(pair.server->replace(options));
    pair.run(*client, "localhost", [](Pair& p) -> Task<void> {
      EXPECT_TRUE(p.ours.tls()->resumed);
      EXPECT_EQ(p.theirs.tls()->peer->common_name, "admin") << "the ticket carries who it is";
      co_await say_hello(p);
    });
    // Other rules about clients: the old ticket is worth nothing.
    EXPECT_TRUE(pair.server->replace(asking(TlsServerOptions::Clients::kMustShow)));
    pair.run(*client, "localhost", [](Pair& p) -> Task<void> {
      EXPECT_TRUE(p.connected);
      EXPECT_FALSE(p.ours.tls()->resumed);
      co_await say_hello(p);
    });
  }
}

TEST(Tls, CarriesMuchBothWaysWithBackPressure) {
  Pair pair(serving(pki().server));
  pair.run(*believing(), "localhost", [](Pair& p) -> Task<void> {
    std::string big(5'000'000, 'x');
    std::iota(big.begin(), big.end(), 0);
    TaskGroup group;
    const auto echo = [](Stream& stream, std::size_t left) -> Task<void> {
      char buffer[40'000];
      while (left > 0) {
        const Result<std::size_t> got = co_await stream.read_some(buffer, sizeof buffer);
        if (!got || *got == 0) break;
        left -= *got;
        const Result<void> sent = co_await stream.write_all(std::string_view(buffer, *got));
        EXPECT_TRUE(sent.has_value());
      }
    };
    const auto write = [](Stream& to, std::string bytes) -> Task<void> {
      iovec pieces[5] = {{bytes.data(), 10},
                         {bytes.data(), 0},
                         {bytes.data() + 10, 20'000},
                         {bytes.data() + 20'010, 3},
                         {bytes.data() + 20'013, bytes.size() - 20'013}};
      const Result<void> sent = co_await to.write_all(pieces, 5);
      EXPECT_TRUE(sent.has_value());
    };
    group.spawn(echo(p.theirs, big.size()));
    group.spawn(write(p.ours, big));
    const std::string back = co_await read_exactly(p.ours, big.size());
    EXPECT_TRUE(back == big);
    co_await group.wait_empty();
  });
}

TEST(Tls, AWriterWaitsForASlowReader) {
  Pair pair(serving(pki().server));
  pair.run(*believing(), "localhost", [](Pair& p) -> Task<void> {
    const std::string big(64'000'000, 'x');
    p.ours.set_deadline(p.loop.now() + milliseconds(50));
    const Result<void> sent = co_await p.ours.write_all(big);
    EXPECT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().code, Code::kDeadline);
  });
}

TEST(Tls, EndsWithAWord) {
  Pair pair(serving(pki().server));
  pair.run(*believing(), "localhost", [](Pair& p) -> Task<void> {
    const Result<void> sent = co_await p.theirs.write_all("bye");
    EXPECT_TRUE(sent.has_value());
    p.theirs.finish_writing();
    char buffer[16];
    const std::string heard = co_await read_exactly(p.ours, 3);
    EXPECT_EQ(heard, "bye");
    const Result<std::size_t> end = co_await p.ours.read_some(buffer, sizeof buffer);
    EXPECT_EQ(end.value_or(99), 0u);
    // The other direction goes on.
    const Result<void> late = co_await p.ours.write_all("late");
    EXPECT_TRUE(late.has_value());
    const std::string rest = co_await read_exactly(p.theirs, 4);
    EXPECT_EQ(rest, "late");
    p.ours.close();
    const Result<std::size_t> closed = co_await p.theirs.read_some(buffer, sizeof buffer);
    EXPECT_EQ(closed.value_or(99), 0u);
  });
}

TEST(Tls, ACutIsNoEnd) {
  for (const bool reset : {false, true}) {
    Pair pair(serving(pki().server));
    pair.run(*believing(), "localhost", [reset](Pair& p) -> Task<void> {
      co_await say_hello(p);
      if (reset) {
        p.theirs.reset_on_close();
      } else {
        p.theirs.abort();
      }
      p.theirs.close();
      char buffer[16];
      const Result<std::size_t> got = co_await p.ours.read_some(buffer, sizeof buffer);
      EXPECT_FALSE(got.has_value());
      if (!got) {
        EXPECT_EQ(got.error().code, Code::kUnavailable) << got.error().message;
      }
    });
  }
}

TEST(Tls, ReadableSpeaksOfContentAlone) {
  Pair pair(serving(pki().server));
  pair.run(*believing(), "localhost", [](Pair& p) -> Task<void> {
    // Tickets are on their way to the client: that is nothing to read.
    Alarm alarm(p.loop);
    co_await alarm.after(milliseconds(20));
    EXPECT_FALSE(p.ours.readable().await_ready());
    const Result<void> sent = co_await p.theirs.write_all("content");
    EXPECT_TRUE(sent.has_value());
    const Result<std::size_t> ready = co_await p.ours.readable();
    EXPECT_TRUE(ready.has_value());
    EXPECT_TRUE(p.ours.readable().await_ready()) << "still there, though the socket is empty";
    const std::string text = co_await read_exactly(p.ours, 7);
    EXPECT_EQ(text, "content");
  });
}

// A client of OpenSSL's own, on a thread, that asks for another handshake in the middle.
bool renegotiates(const Address& address) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, address.raw(), address.raw_size()) < 0) return false;
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  char byte = 0;
  EXPECT_EQ(SSL_connect(ssl), 1);
  EXPECT_EQ(SSL_write(ssl, "a", 1), 1);
  EXPECT_EQ(SSL_read(ssl, &byte, 1), 1);
  const bool again = SSL_renegotiate(ssl) == 1 && SSL_do_handshake(ssl) == 1 && SSL_write(ssl, "b", 1) == 1 &&
                     SSL_read(ssl, &byte, 1) == 1;
  SSL_free(ssl);
  SSL_CTX_free(context);
  ::close(fd);
  return again;
}

TEST(Tls, RenegotiationIsRefused) {
  Loop loop;
  Listener listener = *Listener::bind(loop, *Address::parse("127.0.0.1:0"));
  auto server = *TlsServer::make(serving(pki().server));
  bool again = true;
  std::thread client([&] { again = renegotiates(listener.address()); });
  TaskGroup group;
  group.spawn([](Loop& on, Listener& from, TlsServer& with) -> Task<void> {
    Result<Stream> accepted = co_await from.accept();
    const Result<void> shaken = co_await accepted->accept_tls(with, on.now() + seconds(20));
    EXPECT_TRUE(shaken.has_value());
    accepted->set_deadline(on.now() + seconds(20));
    char buffer[16];
    while (true) {
      const Result<std::size_t> got = co_await accepted->read_some(buffer, sizeof buffer);
      if (!got || *got == 0) break;
      const Result<void> sent = co_await accepted->write_all(std::string_view(buffer, *got));
      if (!sent) break;
    }
    accepted->close();
    on.stop();
  }(loop, listener, *server));
  loop.run();
  client.join();
  EXPECT_FALSE(again);
}

// A peer that speaks no TLS, or not to the end: `bytes` arrive, then the end if `close`.
Result<void> accept_from(std::string bytes, bool close, Duration patience) {
  Loop loop;
  Listener listener = *Listener::bind(loop, *Address::parse("127.0.0.1:0"));
  auto server = *TlsServer::make(serving(pki().server));
  Result<void> result;
  TaskGroup group;
  group.spawn([](Loop& on, Listener& from, TlsServer& with, std::string sent, bool closes, Duration patient,
                 Result<void>& out) -> Task<void> {
    Result<Stream> called = co_await Stream::connect(on, from.address(), on.now() + seconds(20));
    Result<Stream> accepted = co_await from.accept();
    const Result<void> written = co_await called->write_all(sent);
    EXPECT_TRUE(written.has_value());
    if (closes) called->close();
    out = co_await accepted->accept_tls(with, on.now() + patient);
    accepted->close();
    on.stop();
  }(loop, listener, *server, std::move(bytes), close, patience, result));
  loop.run();
  return result;
}

TEST(Tls, HandshakesThatLeadNowhereEnd) {
  const Result<void> plain = accept_from("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, seconds(20));
  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().code, Code::kInvalid);
  EXPECT_NE(plain.error().message.find("http request"), std::string::npos) << plain.error().message;
  const Result<void> silent = accept_from("", false, milliseconds(30));
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, Code::kDeadline);
  const Result<void> gone = accept_from("", true, seconds(20));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kUnavailable);
  // The first bytes of a ClientHello, and then nothing.
  const std::string begun("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  EXPECT_EQ(accept_from(begun, true, seconds(20)).error().code, Code::kUnavailable);
  EXPECT_EQ(accept_from(begun, false, milliseconds(30)).error().code, Code::kDeadline);
  EXPECT_EQ(accept_from(std::string(20'000, '\xff'), false, seconds(20)).error().code, Code::kInvalid);
}

TEST(Tls, AbortEndsAHandshake) {
  Loop loop;
  Listener listener = *Listener::bind(loop, *Address::parse("127.0.0.1:0"));
  auto server = *TlsServer::make(serving(pki().server));
  TaskGroup group;
  group.spawn([](Loop& on, Listener& from, TlsServer& with) -> Task<void> {
    Result<Stream> called = co_await Stream::connect(on, from.address(), on.now() + seconds(20));
    Result<Stream> accepted = co_await from.accept();
    Timer timer(on, [&] { accepted->abort(); });
    timer.arm(on.now() + milliseconds(2));
    const Result<void> shaken = co_await accepted->accept_tls(with, on.now() + seconds(20));
    EXPECT_EQ(shaken.error().code, Code::kCancelled);
    on.stop();
  }(loop, listener, *server));
  loop.run();
}

}  // namespace
}  // namespace tidegate::net
