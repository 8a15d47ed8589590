#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "control/autoscale/sources/scraper.h"
#include "control/autoscale/sources/signals.h"
#include "control/autoscale/sources/targets.h"
#include "http/server.h"
#include "net/certificate.h"

namespace tidegate::sources {
namespace {

const Accepts kAll = [](const Labels&) { return true; };
constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

std::vector<Series> read_all(std::string_view page) {
  return read_page(page, [](std::string_view) { return true; });
}

PagePtr page_at(int seconds, std::string_view text) {
  return std::make_shared<const Page>(Page{kNow + std::chrono::seconds(seconds), read_all(text)});
}

TEST(Page, ReadsWhatItCanAndSkipsTheRest) {
  const auto series = read_all(
      "# HELP a Text.\n# TYPE a gauge\na 1\na{x=\"1\",y=\"q\\\"\\\\\\n\"} 2.5 1700000000\n"
      "broken{x=\"1 3\nbroken{x} 3\nnan NaN\ninf +Inf\nplus +4\n\n{ } 5\nb:c_1{} 1e3\r\nlast 7");
  ASSERT_EQ(series.size(), 5u);
  EXPECT_EQ(series[1].labels.at("y"), "q\"\\\n");
  EXPECT_EQ(series[1].value, 2.5);
  EXPECT_EQ(series[2].value, 4);
  EXPECT_EQ(series[3].name, "b:c_1");
  EXPECT_EQ(series[4].value, 7);
}

TEST(Page, ReadsPrometheusAnswers) {
  const auto vector = read_query(
      R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2.5"]},
         {"metric":{},"value":[1,"NaN"]}]}})");
  ASSERT_TRUE(vector);
  ASSERT_EQ(vector->size(), 1u);
  EXPECT_EQ((*vector)[0].value, 2.5);
  const auto scalar = read_query(R"({"status":"success","data":{"resultType":"scalar","result":[1,"7"]}})");
  ASSERT_EQ(scalar->size(), 1u);
  EXPECT_EQ(read_query(R"({"status":"error","error":"parse error"})").error().message,
            "Prometheus says: parse error");
  for (const char* wrong : {"", "[]", "{", "{\"status\":\"success\",\"data\":{\"result\":3}}"})
    read_query(wrong);
}

TEST(Signals, RatesAndPercentiles) {
  History history;
  history.pages = {page_at(-30, "c_total{m=\"a\"} 100\nh_bucket{le=\"1.0\"} 0\nh_bucket{le=\"+Inf\"} 0\n"),
                   page_at(0,
                           "c_total{m=\"a\"} 160\nh_bucket{le=\"0.5\"} 50\nh_bucket{le=\"1.0\"} 100\n"
                           "h_bucket{le=\"+Inf\"} 100\n")};
  const Duration fresh = std::chrono::seconds(5);
  EXPECT_EQ(values_of(signal_of("c_total_per_second"), history, kAll, kNow, fresh), std::vector<double>{2});
  EXPECT_EQ(values_of(signal_of("c_total"), history, kAll, kNow, fresh), std::vector<double>{160});
  const auto p75 = values_of(signal_of("h_p75"), history, kAll, kNow, fresh);
  ASSERT_EQ(p75.size(), 1u);
  EXPECT_NEAR(p75[0], 0.75, 1e-9);
  EXPECT_TRUE(values_of(signal_of("c_total"), history, kAll, kNow + std::chrono::seconds(6), fresh).empty())
      << "stale is missing";
}

TEST(Signals, ValuesOfPods) {
  const auto page = page_at(0,
                            "U{NamespaceName=\"d\",PodName=\"p\",UUID=\"g0\"} "
                            "30\nU{NamespaceName=\"d\",PodName=\"p\",UUID=\"g0\"} 20\n"
                            "U{NamespaceName=\"d\",PodName=\"p\",UUID=\"g1\"} "
                            "100\nU{NamespaceName=\"e\",PodName=\"p\",UUID=\"g2\"} 9\n"
                            "own 3\n");
  EXPECT_EQ(value_of_pod(*page, "U", {"d", "p"}, false, kAll), 75) << "processes add up, GPUs are averaged";
  EXPECT_EQ(value_of_pod(*page, "U", {"d", "q"}, true, kAll), std::nullopt);
  EXPECT_EQ(value_of_pod(*page, "own", {"d", "p"}, true, kAll), 3);
  EXPECT_EQ(value_of_pod(*page, "own", {"d", "p"}, false, kAll), std::nullopt);
}

TEST(Targets, Queries) {
  resource::HorizontalPodAutoscaler hpa;
  resource::MetricSpec metric;
  metric.name = "queue";
  EXPECT_EQ(query_of(hpa, metric), "sum(queue)");
  metric.selector.emplace();
  metric.selector->match_labels["a"] = "b\"c";
  EXPECT_EQ(query_of(hpa, metric), "sum(queue{a=\"b\\\"c\"})");
  hpa.metadata.annotations["tidegate.dev/query.queue"] = "max(x)";
  EXPECT_EQ(query_target("http://localhost:9090/", query_of(hpa, metric)).path,
            "/api/v1/query?query=max%28x%29");
}

TEST(Targets, ThePageOfAPodThatSpeaksTls) {
  resource::Json document = resource::Json::parse(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"d","annotations":{"prometheus.io/scheme":"https"}},)"
      R"("spec":{"containers":[{"name":"c","ports":[{"containerPort":8000}]}]},"status":{"podIP":"10.0.0.7"}})");
  const Target plain{.address = "10.0.0.7:8000"};
  Target secure = plain;
  secure.secure = true;
  EXPECT_EQ(page_of_pod(**resource::Object::make(document)), secure);
  document["metadata"].erase("annotations");
  EXPECT_EQ(page_of_pod(**resource::Object::make(document)), plain);
}

TEST(Scraper, ReadsPagesOverTls) {
  const auto year = std::chrono::hours(24 * 365);
  const WallTime now = std::chrono::system_clock::now();
  const net::KeyPair authority = *net::make_authority("test", now, year);
  net::TlsServerOptions serving;
  serving.entries.push_back({.certificate = *net::issue_server(authority, {"elsewhere.test"}, now, year)});
  net::Loop loop;
  http::Server server(loop, [](http::Request&, http::Responder& responder) -> net::Task<void> {
    const Result<void> sent = co_await responder.respond(200, "text/plain", "queue 7\n");
    static_cast<void>(sent);
  });
  const auto address =
      *server.listen(*net::Address::parse("127.0.0.1:0"), {}, *net::TlsServer::make(serving));
  std::thread thread([&] { loop.run(); });
  const SystemClock clock;
  Target target{.address = address.text()};
  target.secure = true;
  PagePtr page;
  {
    Scraper scraper(clock);
    scraper.want("test", {{target, Want{.names = {"queue"}, .period = std::chrono::milliseconds(20)}}});
    for (int i = 0; i < 1000 && !page; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      page = scraper.history(target).newest(clock.wall(), std::chrono::seconds(60));
    }
    EXPECT_TRUE(page) << scraper.history(target).error;
  }
  net::TaskGroup closing;
  loop.post([&] {
    closing.spawn([](net::Loop& on, http::Server& what) -> net::Task<void> {
      co_await what.drain(std::chrono::seconds(1));
      on.stop();
    }(loop, server));
  });
  thread.join();
  ASSERT_TRUE(page);
  EXPECT_EQ(page->series.at(0).value, 7);
}

}  // namespace
}  // namespace tidegate::sources
