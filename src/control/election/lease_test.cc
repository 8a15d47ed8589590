#include "control/election/lease.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "resource/fields.h"
#include "resource/micro_time.h"

namespace tidegate::election {
namespace {

using resource::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr WallTime kWall = WallTime{} + std::chrono::hours(24 * 365 * 50);

TimePoint at(double second) { return TimePoint{} + milliseconds(1'000'000 + std::int64_t(second * 1000)); }

// What the API server holds, and one candidate's view of it.
struct Lease {
  resource::ObjectPtr object;
  std::uint64_t revision = 0;

  void put(Json document) {
    document["metadata"]["resourceVersion"] = std::to_string(++revision);
    object = *resource::Object::make(std::move(document));
  }
  Record record() const { return record_of(*object); }
};

struct Candidate {
  Settings settings;
  Seen seen{};

  explicit Candidate(std::string identity) { settings.identity = std::move(identity); }

  Attempt look(const Lease& lease, double second) {
    seen = observe(seen, lease.object.get(), at(second));
    return decide(settings, lease.object.get(), seen, at(second),
                  kWall + milliseconds(std::int64_t(second * 1000)));
  }
  // Looks, and writes if it may.
  bool tries(Lease& lease, double second) {
    const Attempt attempt = look(lease, second);
    if (attempt.verb == Attempt::Verb::kWait) return false;
    lease.put(*attempt.document);
    return true;
  }
};

TEST(Lease, TheFirstMakesItAndRenewsIt) {
  Lease lease;
  Candidate a("a");
  const Attempt first = a.look(lease, 0);
  EXPECT_EQ(first.verb, Attempt::Verb::kCreate);
  EXPECT_EQ(resource::text(*first.document, "metadata.namespace"), "kube-system");
  EXPECT_EQ(resource::text(*first.document, "metadata.name"), "tidegate-controller");
  lease.put(*first.document);
  const Record taken = lease.record();
  EXPECT_EQ(taken.holder, "a");
  EXPECT_EQ(taken.duration_s, 15);
  EXPECT_EQ(taken.transitions, 0);

  Json marked = lease.object->json();
  marked["metadata"]["labels"]["team"] = "x";
  lease.put(marked);
  a.seen = observe(a.seen, lease.object.get(), at(1));
  const Attempt renewal = decide(a.settings, lease.object.get(), a.seen, at(2), kWall + seconds(2));
  EXPECT_EQ(renewal.verb, Attempt::Verb::kUpdate);
  EXPECT_EQ(resource::text(*renewal.document, "metadata.resourceVersion"), "2")
      << "so that whoever was faster wins";
  EXPECT_EQ(resource::text(*renewal.document, "metadata.labels.team"), "x");
  lease.put(*renewal.document);
  EXPECT_EQ(lease.record().acquired, taken.acquired);
  EXPECT_NE(lease.record().renewed, taken.renewed);
  EXPECT_EQ(lease.record().transitions, 0);
}

TEST(Lease, AnotherWaitsWhileItIsRenewed) {
  Lease lease;
  Candidate a("a");
  Candidate b("b");
  for (int second = 0; second < 120; second += 2) {
    lease.put(*decide(a.settings, lease.object.get(), observe(a.seen, lease.object.get(), at(second)),
                      at(second), kWall + seconds(second))
                   .document);
    EXPECT_FALSE(b.tries(lease, second + 1)) << second;
  }
}

TEST(Lease, TheNextTakesItOneDurationAfterTheLastChangeWasSeen) {
  Lease lease;
  Candidate a("a");
  ASSERT_TRUE(a.tries(lease, 0));
  Candidate b("b");
  // b began late: it cannot know how old what it sees is, whatever the times in it say.
  EXPECT_FALSE(b.tries(lease, 100));
  EXPECT_FALSE(b.tries(lease, 114.9));
  ASSERT_TRUE(b.tries(lease, 115));
  EXPECT_EQ(lease.record().holder, "b");
  EXPECT_EQ(lease.record().transitions, 1);
  EXPECT_FALSE(a.tries(lease, 116)) << "a comes back and finds that it is over";
}

TEST(Lease, WhatTheHolderPromisedCountsNotWhatWeWould) {
  for (const auto& [promised, lasts] :
       {std::pair{60, 60.0}, {0, 15.0}, {-5, 15.0}, {2'000'000'000, 86400.0}}) {
    Lease lease;
    Candidate a("a");
    ASSERT_TRUE(a.tries(lease, 0));
    Json document = lease.object->json();
    document["spec"]["leaseDurationSeconds"] = promised;
    lease.put(document);
    Candidate b("b");
    EXPECT_FALSE(b.tries(lease, 1));
    EXPECT_FALSE(b.tries(lease, 1 + lasts - 0.5)) << promised;
    EXPECT_TRUE(b.tries(lease, 1 + lasts)) << promised;
  }
}

TEST(Lease, GivenBackItIsTakenAtOnce) {
  Lease lease;
  Candidate a("a");
  Candidate b("b");
  ASSERT_TRUE(a.tries(lease, 0));
  EXPECT_FALSE(b.tries(lease, 1));
  EXPECT_TRUE(released(b.settings, *lease.object, kWall).is_null()) << "it is not b's to give";
  const Json given = released(a.settings, *lease.object, kWall);
  ASSERT_FALSE(given.is_null());
  lease.put(given);
  EXPECT_EQ(lease.record().holder, "");
  EXPECT_EQ(lease.record().duration_s, 1);
  EXPECT_TRUE(b.tries(lease, 2));
  EXPECT_EQ(lease.record().transitions, 1);
}

TEST(Lease, WhatSomebodyElseWroteThereIsNoObstacle) {
  for (const char* spec : {"null", "{}", R"({"holderIdentity": null, "leaseTransitions": null})"}) {
    Lease lease;
    lease.put(Json{{"apiVersion", "coordination.k8s.io/v1"},
                   {"kind", "Lease"},
                   {"metadata", {{"name", "tidegate-controller"}, {"namespace", "kube-system"}}},
                   {"spec", Json::parse(spec)}});
    Candidate a("a");
    EXPECT_TRUE(a.tries(lease, 0)) << spec;
    EXPECT_EQ(lease.record().holder, "a");
  }
}

// Two candidates with any timing: while one may still act on its last renewal, the other never writes.
TEST(Lease, NeverTwoLeaders) {
  std::uint64_t state = 7;
  const auto draw = [&state](int below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return int((state >> 33) % std::uint64_t(below));
  };
  int changes = 0;
  Lease lease;
  std::vector<Candidate> candidates{Candidate("a"), Candidate("b"), Candidate("c")};
  std::vector<double> leads_until(3, -1);
  std::vector<double> next(3, 0);
  for (double now = 0; now < 20000; now += 0.5) {
    for (std::size_t i = 0; i < 3; ++i) {
      if (now < next[i]) continue;
      const bool before = lease.object != nullptr && lease.record().holder == candidates[i].settings.identity;
      if (candidates[i].tries(lease, now)) {
        leads_until[i] = -1;
        EXPECT_LT(*std::max_element(leads_until.begin(), leads_until.end()), now) << "two leaders";
        leads_until[i] = now + tidegate::seconds(candidates[i].settings.renew_deadline);
        changes += before ? 0 : 1;
      }
      next[i] = now + (draw(20) == 0 ? draw(60) : 2 + draw(3));  // now and then one is cut off
    }
  }
  EXPECT_GT(changes, 20) << "or this shows nothing";
}

TEST(Lease, SettingsThatCannotWork) {
  const auto field = [](auto change) {
    Settings settings;
    change(settings);
    const auto good = check(settings);
    return good ? std::string() : good.error().field;
  };
  EXPECT_EQ(field([](Settings&) {}), "");
  EXPECT_EQ(field([](Settings& s) { s.retry = milliseconds(1); }), "--leader-elect-retry-period");
  EXPECT_EQ(field([](Settings& s) { s.retry = seconds(9); }), "--leader-elect-renew-deadline");
  EXPECT_EQ(field([](Settings& s) { s.renew_deadline = seconds(15); }), "--leader-elect-lease-duration");
  EXPECT_EQ(field([](Settings& s) { s.lease = std::chrono::hours(3); }), "--leader-elect-lease-duration");
  EXPECT_EQ(field([](Settings& s) { s.namespace_ = "Kube System"; }), "--leader-elect-resource-namespace");
  EXPECT_EQ(field([](Settings& s) { s.name = "a/b"; }), "--leader-elect-resource-name");
}

TEST(MicroTime, SixDigitsAlways) {
  EXPECT_EQ(resource::micro_time(WallTime{} + milliseconds(1500)), "1970-01-01T00:00:01.500000Z");
  EXPECT_EQ(resource::micro_time(WallTime{}), "1970-01-01T00:00:00.000000Z");
}

}  // namespace
}  // namespace tidegate::election
