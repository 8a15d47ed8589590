#include "cluster/events.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidegate::cluster {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

EventNote note(const std::string& message, const std::string& name = "p") {
  return EventNote{.type = "Warning",
                   .reason = "Unhealthy",
                   .message = message,
                   .api_version = "v1",
                   .kind = "Pod",
                   .key = {"default", name},
                   .uid = "u-" + name}
      .from("kubelet", "home");
}

TEST(Events, TheSameAgainCounts) {
  EventCorrelator correlator;
  const auto first = correlator.take(note("no"), kNow);
  const auto again = correlator.take(note("no"), kNow + std::chrono::seconds(5));
  ASSERT_TRUE(first && again);
  EXPECT_TRUE(first->first);
  EXPECT_FALSE(again->first);
  EXPECT_EQ(first->key, again->key);
  const Json document = event_document(note("no"), *again);
  EXPECT_EQ(document["count"], 2);
  EXPECT_EQ(document["firstTimestamp"], rfc3339(kNow));
  EXPECT_EQ(document["lastTimestamp"], rfc3339(kNow + std::chrono::seconds(5)));
  EXPECT_EQ(document["involvedObject"]["uid"], "u-p");
  EXPECT_EQ(document["source"]["host"], "home");
}

TEST(Events, DifferentThingsAreDifferentEventsEvenAtOneInstant) {
  EventCorrelator correlator;
  const auto a = correlator.take(note("a"), kNow);
  const auto b = correlator.take(note("b"), kNow);
  const auto other = correlator.take(note("a", "q"), kNow);
  EXPECT_NE(a->key, b->key);
  EXPECT_TRUE(other->first);
  EXPECT_TRUE(other->key.name.starts_with("q."));
}

TEST(Events, SimilarOnesAreCombinedAfterTheTenth) {
  EventCorrelator correlator;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(correlator.take(note("m" + std::to_string(i)), kNow)->first);
  const auto eleventh = correlator.take(note("m10"), kNow);
  EXPECT_EQ(eleventh->message, "(combined from similar events): m10");
  const auto twelfth = correlator.take(note("m11"), kNow);
  EXPECT_EQ(twelfth->key, eleventh->key);
  EXPECT_EQ(twelfth->count, 2);
}

TEST(Events, AnEndlessTalkerIsCutShortForItsObjectAlone) {
  EventCorrelator correlator;
  int written = 0;
  for (int i = 0; i < 100; ++i) written += correlator.take(note("no"), kNow).has_value() ? 1 : 0;
  EXPECT_EQ(written, 25);
  EXPECT_TRUE(correlator.take(note("no", "other"), kNow).has_value());
  EXPECT_TRUE(correlator.take(note("no"), kNow + std::chrono::minutes(5)).has_value());
  EXPECT_FALSE(correlator.take(note("no"), kNow + std::chrono::minutes(5)).has_value());
}

TEST(Events, OfClusterScopedObjectsLieInDefault) {
  EventCorrelator correlator;
  EventNote about_node = note("x", "home");
  about_node.kind = "Node";
  about_node.key.namespace_ = "";
  const auto written = correlator.take(about_node, kNow);
  EXPECT_EQ(written->key.namespace_, "default");
  EXPECT_FALSE(event_document(about_node, *written)["involvedObject"].contains("namespace"));
}

}  // namespace
}  // namespace tidegate::cluster
