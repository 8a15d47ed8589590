#include "telemetry/exposition.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "telemetry/buckets.h"
#include "telemetry/metrics.h"

namespace tidegate::telemetry {
namespace {

TEST(Negotiate, ChoosesTheHighestQualityItKnows) {
  const std::string text = "text/plain; version=0.0.4; charset=utf-8";
  const std::string open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
  EXPECT_EQ(negotiate("").content_type, text);
  EXPECT_EQ(negotiate("*/*").content_type, text);
  EXPECT_EQ(negotiate("text/html").content_type, text);
  EXPECT_EQ(negotiate("application/openmetrics-text").content_type, open);
  EXPECT_EQ(negotiate("application/openmetrics-text; version=0.0.1").content_type, text);
  EXPECT_EQ(negotiate("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.6").content_type,
            text);
  EXPECT_EQ(negotiate("application/openmetrics-text;version=1.0.0;q=0,text/plain;q=0.1").content_type, text);
  EXPECT_EQ(negotiate("Application/OpenMetrics-Text ; VERSION=\"1.0.0\"").content_type, open);
  EXPECT_EQ(negotiate("application/openmetrics-text;q=1.5").content_type, text);
}

// The headers that Prometheus 2.53 and 3.x send.
TEST(Negotiate, AnswersPrometheusWithOpenMetrics) {
  EXPECT_EQ(
      negotiate("application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;"
                "q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
          .content_type,
      "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_EQ(
      negotiate(
          "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
          "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8"
          ";q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
          .content_type,
      "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8");
  EXPECT_EQ(negotiate("application/openmetrics-text;escaping=\r\nx").content_type.find('\n'),
            std::string::npos);
}

TEST(Gzip, IsOfferedOnlyWhereAcceptedAndReadsBack) {
  EXPECT_TRUE(accepts_gzip("gzip"));
  EXPECT_TRUE(accepts_gzip("deflate, GZIP;q=0.5"));
  EXPECT_TRUE(accepts_gzip("*"));
  EXPECT_FALSE(accepts_gzip(""));
  EXPECT_FALSE(accepts_gzip("deflate, br"));
  EXPECT_FALSE(accepts_gzip("gzip;q=0, *"));
  const std::string document(100'000, 'm');
  const std::string packed = gzip(document);
  EXPECT_LT(packed.size(), 1000u);
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string back(document.size(), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(back.data());
  stream.avail_out = static_cast<uInt>(back.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  inflateEnd(&stream);
  EXPECT_EQ(back, document);
}

// The table of canonical numbers in the OpenMetrics standard.
TEST(CanonicalBound, IsSpelledAsPrometheusStoresIt) {
  const std::vector<std::pair<double, std::string>> cases = {
      {0, "0.0"},         {1, "1.0"},           {0.25, "0.25"},
      {10, "10.0"},       {100000, "100000.0"}, {1e6, "1e+06"},
      {0.0001, "0.0001"}, {0.00001, "1e-05"},   {0.00005, "5e-05"},
      {1e10, "1e+10"},    {1e22, "1e+22"},      {327.68, "327.68"},
      {-2.5, "-2.5"},     {3600000, "3.6e+06"}, {67108864, "6.7108864e+07"},
      {1e-10, "1e-10"},   {300000, "300000.0"}};
  for (const auto& [bound, text] : cases) EXPECT_EQ(canonical_bound(bound), text);
  EXPECT_EQ(canonical_bound(INFINITY), "+Inf");
}

TEST(AppendNumber, SpellsTheSpecialValues) {
  const auto spell = [](double value) {
    std::string text;
    append_number(text, value);
    return text;
  };
  EXPECT_EQ(spell(NAN), "NaN");
  EXPECT_EQ(spell(-INFINITY), "-Inf");
  EXPECT_EQ(spell(0.1), "0.1");
  EXPECT_EQ(spell(3), "3");
}

TEST(CleanLabelValue, RepairsBrokenTextAndCutsBetweenCharacters) {
  EXPECT_EQ(clean_label_value("plain"), "plain");
  EXPECT_EQ(clean_label_value("\xC3\xA9"), "\xC3\xA9");
  EXPECT_EQ(clean_label_value("\xC3"), "\xEF\xBF\xBD");
  EXPECT_EQ(clean_label_value("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
  EXPECT_EQ(clean_label_value("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  EXPECT_EQ(clean_label_value("\xF4\x90\x80\x80").substr(0, 3), "\xEF\xBF\xBD");         // above U+10FFFF
  EXPECT_EQ(clean_label_value("ab\xC3\xA9", 3), "ab");
  EXPECT_EQ(clean_label_value(std::string(1000, 'x')).size(), 256u);
}

TEST(Names, OnlyClassicLetters) {
  EXPECT_TRUE(is_metric_name("vllm:num_requests_running"));
  EXPECT_FALSE(is_label_name("a:b"));
  EXPECT_FALSE(is_metric_name("9lives"));
  EXPECT_FALSE(is_metric_name(""));
  EXPECT_FALSE(is_metric_name("a-b"));
}

// A reader of our own that holds a page against the rules a scrape fails on. Returns the first breach, or
// nothing.
std::string breach_in(const std::string& page, Format format) {
  if (page.empty() || page.back() != '\n') return "no final newline";
  std::map<std::string, std::string> types;
  std::set<std::string> closed;  // families that were left
  std::set<std::string> helped;
  std::string current;
  std::map<std::string, std::map<std::string, std::vector<std::pair<double, double>>>> buckets;
  std::istringstream lines(page);
  std::string line;
  bool ended = false;
  while (std::getline(lines, line)) {
    if (ended) return "text after # EOF";
    if (line.empty()) return "empty line";
    if (line == "# EOF") {
      ended = true;
      continue;
    }
    std::istringstream words(line);
    if (line.starts_with("# ")) {
      std::string hash, what, name, rest;
      words >> hash >> what >> name >> rest;
      if (name != current) {
        if (!closed.insert(name).second) return "family " + name + " begins twice";
        current = name;
      }
      if (what == "TYPE" && !types.emplace(name, rest).second) return "two TYPE of " + name;
      if (what == "HELP" && !helped.insert(name).second) return "two HELP of " + name;
      continue;
    }
    const std::size_t name_end = line.find_first_of("{ ");
    std::string name = line.substr(0, name_end);
    std::string family = name;
    const std::string& type = types[current];
    for (const char* suffix : {"_bucket", "_sum", "_count"}) {
      if (type == "histogram" && family.ends_with(suffix))
        family.resize(family.size() - std::string(suffix).size());
    }
    if (format == Format::kOpenMetrics && type == "counter") {
      if (!family.ends_with("_total")) return "OpenMetrics counter " + name + " without _total";
      family.resize(family.size() - 6);
    }
    if (family != current) return "sample " + name + " outside its family, in " + current;
    const std::size_t value_at = line.rfind(' ') + 1;
    if (name.ends_with("_bucket") && type == "histogram") {
      const std::size_t le = line.find("le=\"");
      if (le == std::string::npos) return "bucket without le";
      const std::string bound = line.substr(le + 4, line.find('"', le + 4) - le - 4);
      const double upper = bound == "+Inf" ? INFINITY : std::stod(bound);
      auto& series = buckets[family][line.substr(name_end, le - name_end)];
      if (!series.empty() && !(series.back().first < upper)) return "le not ascending";
      const double count = std::stod(line.substr(value_at));
      if (!series.empty() && series.back().second > count) return "buckets not cumulative";
      series.emplace_back(upper, count);
    }
    std::size_t used = 0;
    const std::string value = line.substr(value_at);
    if (value != "+Inf" && value != "-Inf" && value != "NaN") std::stod(value, &used);
    if (used != value.size() && used != 0) return "value " + value;
  }
  for (const auto& [family, sets] : buckets) {
    for (const auto& [labels, series] : sets) {
      if (!std::isinf(series.back().first)) return family + " without +Inf";
    }
  }
  if (format == Format::kOpenMetrics && !ended) return "no # EOF";
  for (const auto& [name, type] : types) {
    if (!helped.contains(name)) return name + " without HELP";
  }
  return "";
}

void fill(Registry& registry) {
  registry.counter("asm_llm_proxy_prompt_tokens", "Prompt tokens.", {"llmproxy_model"})
      .with(0, {"sql-lora"})
      .add(7);
  registry.counter("istio_requests_total", "Say \"hi\"\\\nthen go.", {"model", "response_code"})
      .with(0, {"lora", "200"})
      .add();
  registry.gauge("g", "G.").with(0).set(-1.25);
  auto& ttft = registry.histogram("ttft_seconds", "TTFT.", ttft_bounds(), {"model"});
  ttft.with(0, {"a"}).observe(0.3);
  ttft.with(0, {"b"}).observe(300);
}

TEST(Exposition, BothFormatsKeepTheRules) {
  Registry registry(1);
  fill(registry);
  for (const Format format : {Format::kText, Format::kOpenMetrics}) {
    const std::string page = registry.scrape(format);
    EXPECT_EQ(breach_in(page, format), "") << page;
  }
}

TEST(Exposition, TextNamesACounterInFullAndOpenMetricsItsFamily) {
  Registry registry(1);
  fill(registry);
  const std::string text = registry.scrape(Format::kText);
  EXPECT_NE(
      text.find("# HELP istio_requests_total Say \"hi\"\\\\\\nthen go.\n# TYPE istio_requests_total counter\n"
                "istio_requests_total{model=\"lora\",response_code=\"200\"} 1\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("# TYPE asm_llm_proxy_prompt_tokens counter\n"), std::string::npos);
  const std::string open = registry.scrape(Format::kOpenMetrics);
  EXPECT_NE(open.find("# TYPE istio_requests counter\n# HELP istio_requests Say \\\"hi\\\"\\\\\\nthen go.\n"
                      "istio_requests_total{"),
            std::string::npos)
      << open;
  EXPECT_NE(open.find("# TYPE asm_llm_proxy_prompt_tokens unknown\n"), std::string::npos);
}

TEST(Exposition, AnEmptyFamilyIsNotWritten) {
  Registry registry(1);
  registry.counter("never_total", "Never.", {"model"});
  EXPECT_EQ(registry.scrape(Format::kText).find("never_total"), std::string::npos);
}

TEST(Buckets, AscendAndHoldTheThresholdsPeoplePromise) {
  for (const auto& bounds : {ttft_bounds(), duration_bounds(), per_token_bounds(), overhead_bounds(),
                             istio_duration_bounds_ms(), token_bounds(), byte_bounds()}) {
    EXPECT_TRUE(std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) == bounds.end());
  }
  const auto ttft = ttft_bounds();
  for (const double promised : {0.25, 0.5, 1.0, 2.5}) {
    EXPECT_NE(std::find(ttft.begin(), ttft.end(), promised), ttft.end());
  }
}

}  // namespace
}  // namespace tidegate::telemetry
