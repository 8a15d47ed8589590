#include "gateway/admit/admit.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidegate::admit {
namespace {

using pick::Criticality;
using pick::EndpointFacts;

EndpointFacts endpoint(float waiting, float kv, float age_s = 0) {
  EndpointFacts facts;
  facts.waiting = waiting;
  facts.kv_usage = kv;
  facts.age_s = age_s;
  return facts;
}

TEST(Saturation, IsTheMeanOfTheWorseOfQueueAndCache) {
  const Limits limits;
  const std::vector<EndpointFacts> pool = {endpoint(5, 0), endpoint(0, 0.4F), endpoint(10, 0.8F)};
  EXPECT_FLOAT_EQ(load_of(pool, limits).saturation, (1 + 0.5F + 2) / 3);
  EXPECT_EQ(load_of(pool, limits).usable, 3U);
  EXPECT_FLOAT_EQ(load_of({}, limits).saturation, 0);
}

TEST(Saturation, SeesABurstThatNoScrapeShows) {
  std::vector<EndpointFacts> pool = {endpoint(0, 0)};
  pool[0].in_flight = pool[0].unseen = 5;
  EXPECT_FLOAT_EQ(load_of(pool, {}).saturation, 1);
  pool[0].unseen = 0;  // the engine took them all in
  EXPECT_FLOAT_EQ(load_of(pool, {}).saturation, 0);
}

TEST(Saturation, OldScrapesFadeAndNeverStopTraffic) {
  const std::vector<EndpointFacts> full = {endpoint(50, 1)};
  EXPECT_FALSE(admit(load_of(full, {}), Criticality::kSheddable, {}).accepted());
  const std::vector<EndpointFacts> old = {endpoint(50, 1, 60)};
  EXPECT_TRUE(admit(load_of(old, {}), Criticality::kSheddable, {}).accepted());
  EXPECT_GT(load_of(std::vector{endpoint(50, 1, 3)}, {}).saturation,
            load_of(std::vector{endpoint(50, 1, 8)}, {}).saturation);
}

TEST(Admit, OnlySheddableRequestsAreShed) {
  const PoolLoad saturated{3, 100, 2};
  EXPECT_TRUE(admit(saturated, Criticality::kCritical, {}).accepted());
  EXPECT_TRUE(admit(saturated, Criticality::kStandard, {}).accepted());
  const Decision shed = admit(saturated, Criticality::kSheddable, {});
  EXPECT_EQ(shed.reason, Reason::kSaturated);
  EXPECT_EQ(shed.retry_after_s, 3U);
  EXPECT_EQ(error_of(shed, "InferencePool default/p").code, Code::kExhausted);
  EXPECT_TRUE(admit({0.99F, 100, 2}, Criticality::kSheddable, {}).accepted());
  EXPECT_EQ(admit({1e30F, 100, 2}, Criticality::kSheddable, {}).retry_after_s, 10U);
}

TEST(Admit, ThePoolHoldsABoundedNumber) {
  Limits limits;
  limits.in_flight_max = 10;
  EXPECT_TRUE(admit({0, 9, 1}, Criticality::kCritical, limits).accepted());
  const Decision full = admit({0, 10, 1}, Criticality::kCritical, limits);
  EXPECT_EQ(full.reason, Reason::kPoolFull);
  EXPECT_GE(full.retry_after_s, 1U);
  limits.in_flight_max = 0;
  EXPECT_TRUE(admit({0, 1'000'000, 1}, Criticality::kStandard, limits).accepted());
}

TEST(Admit, WithoutEndpointsItIsUnavailable) {
  std::vector<EndpointFacts> pool = {endpoint(0, 0), endpoint(0, 0)};
  pool[0].draining = true;
  pool[1].healthy = false;
  const Decision none = admit(load_of(pool, {}), Criticality::kCritical, {});
  EXPECT_EQ(none.reason, Reason::kNoEndpoints);
  EXPECT_EQ(error_of(none, "InferencePool default/p").code, Code::kUnavailable);
  EXPECT_EQ(name_of(none.reason), "no-endpoints");
}

}  // namespace
}  // namespace tidegate::admit
