#include "cluster/remote/remote.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "http/server.h"
#include "net/certificate.h"
#include "net/tls.h"
#include "resource/fields.h"

namespace tidegate::remote {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

struct Reply {
  int status = 200;  // 0: none
  std::string body;
  std::string retry_after = {};
};

// An API server of canned replies behind TLS: for each "METHOD path" the given ones in turn, the last for
// ever.
class Fake {
 public:
  Fake() {
    on("GET /api/v1", {{200, R"({"resources":[{"name":"pods"}]})"}});
    std::promise<std::uint16_t> port;
    thread_ = std::thread([this, &port] {
      http::Server server(
          loop_, [this](http::Request& request, http::Responder& out) { return answer(request, out); });
      const WallTime now = std::chrono::system_clock::now();
      const net::KeyPair authority = *net::make_authority("fake", now, hours(1));
      net::TlsServerOptions tls;
      tls.entries.push_back({.certificate = *net::issue_server(authority, {"127.0.0.1"}, now, hours(1))});
      access.authorities_pem = authority.certificate_pem;
      const auto bound = server.listen(*net::Address::parse("127.0.0.1:0"), {}, *net::TlsServer::make(tls));
      server_ = &server;
      port.set_value(bound->port());
      loop_.run();
    });
    access.port = port.get_future().get();
    access.host = "127.0.0.1";
    access.token = "secret";
  }
  ~Fake() {
    loop_.post([this] {
      tasks_.spawn([](Fake& f) -> net::Task<void> {
        co_await f.server_->drain(Duration::zero());
        f.loop_.stop();
      }(*this));
    });
    thread_.join();
  }

  void on(const std::string& what, std::deque<Reply> replies) {
    const std::lock_guard lock(mutex_);
    replies_[what] = std::move(replies);
  }
  int asked(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return asked_[what];
  }

  Access access;

 private:
  net::Task<void> answer(http::Request& request, http::Responder& out) {
    const std::string what = std::string(request.method) + " " + std::string(request.path) +
                             (request.query.starts_with("watch") ? "?watch" : "");
    Reply reply{404, "{}"};
    {
      const std::lock_guard lock(mutex_);
      ++asked_[what];
      auto& replies = replies_[what];
      if (!replies.empty()) reply = replies.front();
      if (replies.size() > 1) replies.pop_front();
    }
    if (request.header("authorization") != "Bearer secret") reply = {401, "{}"};
    if (reply.status == 0) {
      net::Alarm alarm(loop_);
      if (out.on_client_gone([&alarm] { alarm.ring_now(); })) co_await alarm.until(loop_.now() + hours(1));
      co_return;
    }
    if (!reply.retry_after.empty()) out.header("Retry-After", reply.retry_after);
    (void)co_await out.respond(reply.status, "application/json", reply.body);
  }

  net::Loop loop_;
  net::TaskGroup tasks_;
  http::Server* server_ = nullptr;
  std::mutex mutex_;
  std::map<std::string, std::deque<Reply>> replies_;
  std::map<std::string, int> asked_;
  std::thread thread_;
};

constexpr char kList[] = "GET /api/v1/pods";
constexpr char kWatch[] = "GET /api/v1/pods?watch";
constexpr char kPod[] = "/api/v1/namespaces/a/pods/b";

std::string pod(int revision) {
  return R"({"metadata":{"name":"b","namespace":"a","resourceVersion":")" + std::to_string(revision) +
         R"("}})";
}
std::string status(int code, const std::string& reason) {
  return R"({"kind":"Status","code":)" + std::to_string(code) + R"(,"reason":")" + reason +
         R"(","message":"why"})";
}

class Remote : public testing::Test {
 protected:
  Result<cluster::Event> next(cluster::Watch& watch) {
    for (int i = 0; i < 100; ++i) {
      auto event = watch.next(seconds(1));
      if (!event) return tl::unexpected(event.error());
      if (*event) return **event;
    }
    return fail(Code::kDeadline, "nothing came");
  }

  Fake fake;
  SystemClock clock;
  std::unique_ptr<Api> api = *Api::make(fake.access, clock, Random(1));
  RemoteClient client{*api};
  const Kind& pods = *resource::find_kind("v1", "Pod");
};

TEST_F(Remote, ListsInPages) {
  fake.on(kList, {{200, R"({"metadata":{"resourceVersion":"7","continue":"x"},"items":[)" + pod(3) + "]}"},
                  {200, R"({"metadata":{"resourceVersion":"7"},"items":[)" + pod(4) + "]}"}});
  const auto list = client.list(pods);
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->items.size(), 2u);
  EXPECT_EQ(list->revision, 7u);
  EXPECT_EQ(list->items[0]->kind(), "Pod") << "lists leave it out";
}

TEST_F(Remote, UnknownKindsAreEmpty) {
  const Kind& pools = *resource::find_kind_by_name("inferencemodels");
  const auto list = client.list(pools);
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->items.empty());
  EXPECT_EQ(client.get(pools, {"a", "b"}).error().code, Code::kNotFound);
}

TEST_F(Remote, WaitsAsAskedAndMapsErrors) {
  fake.on(std::string("GET ") + kPod, {{429, "{}", "1"}, {200, pod(3)}});
  EXPECT_TRUE(client.get(pods, {"a", "b"}));
  EXPECT_EQ(fake.asked(std::string("GET ") + kPod), 2);
  const std::pair<int, Code> codes[] = {{404, Code::kNotFound},
                                        {403, Code::kForbidden},
                                        {410, Code::kGone},
                                        {401, Code::kUnauthorized},
                                        {422, Code::kInvalid}};
  for (const auto& [number, code] : codes) {
    fake.on(std::string("GET ") + kPod, {{number, status(number, "x")}});
    const auto got = client.get(pods, {"a", "b"});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, code);
    EXPECT_EQ(got.error().message, "why");
  }
  fake.on(std::string("GET ") + kPod, {{200, "<html>"}});
  EXPECT_EQ(client.get(pods, {"a", "b"}).error().code, Code::kUnavailable);
}

TEST_F(Remote, UpdatesWithoutARevisionAreTriedAgain) {
  fake.on(std::string("GET ") + kPod, {{200, pod(3)}});
  fake.on(std::string("PUT ") + kPod + "/status", {{409, status(409, "Conflict")}, {200, pod(5)}});
  Json document = Json::parse(pod(3));
  const auto conflict = client.update_status(pods, document);
  ASSERT_FALSE(conflict) << "whoever names a revision means it";
  EXPECT_EQ(conflict.error().code, Code::kConflict);
  fake.on(std::string("PUT ") + kPod + "/status", {{409, status(409, "Conflict")}, {200, pod(5)}});
  document["metadata"].erase("resourceVersion");
  const auto updated = client.update_status(pods, document);
  ASSERT_TRUE(updated) << updated.error().message;
  EXPECT_EQ((*updated)->metadata().resource_version, 5u);
}

TEST_F(Remote, WatchesGoOnWhereTheyWereCut) {
  const std::string added = R"({"type":"ADDED","object":)" + pod(8) + "}\n";
  const std::string bookmark = R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"20"}}})"
                               "\n";
  const std::string modified = R"({"type":"MODIFIED","object":)" + pod(21) + "}\n";
  const std::string gone = R"({"type":"ERROR","object":)" + status(410, "Expired") + "}\n";
  fake.on(kWatch, {{200, added + bookmark + R"({"type":"MOD)"}, {200, modified}, {200, gone}});
  const auto watch = client.watch(pods, 7);
  ASSERT_TRUE(watch);
  const auto first = next(**watch);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->type, cluster::EventType::kAdded);
  EXPECT_EQ(first->revision, 8u);
  const auto second = next(**watch);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->revision, 21u);
  EXPECT_EQ(next(**watch).error().code, Code::kGone);
}

TEST_F(Remote, StopEndsACallThatIsUnderWay) {
  fake.on(std::string("GET ") + kPod, {{0, ""}});  // never answered
  auto waits = std::async(std::launch::async, [&] { return client.get(pods, {"a", "b"}); });
  while (fake.asked(std::string("GET ") + kPod) == 0) std::this_thread::yield();
  const auto before = std::chrono::steady_clock::now();
  api->stop();
  EXPECT_EQ(waits.get().error().code, Code::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds(5));
}

// A server that was frozen: the kernel takes the connection, and nobody shakes hands.
TEST_F(Remote, StopEndsACallWhoseServerIsSilent) {
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&at), size), 0);
  ASSERT_EQ(::listen(silent, 4), 0);
  ASSERT_EQ(::getsockname(silent, reinterpret_cast<sockaddr*>(&at), &size), 0);
  Access access = fake.access;
  access.port = ntohs(at.sin_port);
  api = *Api::make(access, clock, Random(1));
  auto call = std::async(std::launch::async, [&] { return api->call({.target = "/version"}); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  api->stop();
  EXPECT_EQ(call.wait_for(seconds(10)), std::future_status::ready) << "its own deadline is at 30 s";
  EXPECT_FALSE(call.get());
  ::close(silent);
}

TEST_F(Remote, GarbageInAWatchIsAnError) {
  fake.on(kWatch, {{200, "no json\n"}});
  const auto watch = client.watch(pods, 7);
  EXPECT_EQ(next(**watch).error().code, Code::kUnavailable);
  (*watch)->cancel();
  EXPECT_EQ((*watch)->next(seconds(1)).error().code, Code::kCancelled);
}

TEST_F(Remote, DocumentsGoToTheVersionTheyAreWrittenIn) {
  const Kind& scalers = *resource::find_kind_by_name("hpa");
  fake.on("GET /apis/autoscaling/v2", {{200, R"({"resources":[{"name":"horizontalpodautoscalers"}]})"}});
  const std::string collection = "/apis/autoscaling/v1/namespaces/a/horizontalpodautoscalers";
  fake.on("POST " + collection, {{201, pod(3)}});
  fake.on("PATCH " + collection + "/b", {{200, pod(4)}});
  Json document = Json::parse(pod(3));
  document["apiVersion"] = "autoscaling/v1";
  document["kind"] = "HorizontalPodAutoscaler";
  EXPECT_TRUE(client.create(scalers, document));
  EXPECT_TRUE(client.patch(scalers, {"a", "b"}, cluster::PatchType::kMerge, document));
  document["apiVersion"] = "autoscaling/v9";  // unknown: the served version answers for it
  EXPECT_FALSE(client.create(scalers, document));
  EXPECT_EQ(fake.asked("POST /apis/autoscaling/v2/namespaces/a/horizontalpodautoscalers"), 1);
}

TEST_F(Remote, TokensTravelInNoClearText) {
  Access access = fake.access;
  access.tls = false;
  access.host = "10.0.0.1";
  EXPECT_FALSE(Api::make(access, clock, Random(1)));
}

}  // namespace
}  // namespace tidegate::remote
