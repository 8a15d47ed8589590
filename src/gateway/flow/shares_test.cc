// A modelled engine of so many places, tenants that always have requests waiting, and what each is served.

#include "gateway/flow/shares.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <queue>
#include <vector>

#include "base/random.h"

namespace tidegate::flow {
namespace {

struct Requests {
  double prompt = 100;   // tokens, as the gateway can tell
  double said = 256;     // output that it says or that is assumed
  double written = 256;  // what it turns out to be, on average
  int at_once = 64;      // how many the tenant has here at a time
};

double cost_of(double prompt, double output) { return prompt + 2 * output; }

class Engine {
 public:
  Engine(std::vector<Requests> tenants, std::uint64_t seed, bool corrects = true)
      : tenants_(std::move(tenants)), random_(seed), corrects_(corrects), had_(tenants_.size()) {
    for (std::size_t tenant = 0; tenant < tenants_.size(); ++tenant) {
      for (int i = 0; i < tenants_[tenant].at_once; ++i) send(tenant);
    }
  }

  // Until so many requests have ended, of which the first `warm` are not counted.
  void run(int requests, int warm) {
    for (int done = 0; done < requests; ++done) {
      while (running_.size() < kPlaces && shares_.any_waiting()) begin();
      const Running first = running_.top();
      running_.pop();
      now_ = first.ends;
      if (done >= warm) had_[first.tenant] += first.cost;
      shares_.settle(first.id, corrects_ ? std::optional(first.cost) : std::nullopt);
      send(first.tenant);
    }
  }

  std::vector<double> shares() const {
    double all = 0;
    for (const double one : had_) all += one;
    std::vector<double> shares;
    for (const double one : had_) shares.push_back(one / all);
    return shares;
  }
  double longest_wait() const { return longest_wait_; }  // of the first tenant, in requests let go
  std::size_t tenants_known() const { return shares_.tenants_known(); }

 private:
  static constexpr std::size_t kPlaces = 32;
  struct Running {
    double ends;
    std::size_t tenant;
    Shares::Id id;
    double cost;
    bool operator>(const Running& other) const { return ends > other.ends; }
  };
  struct Waiting {
    std::size_t tenant;
    double written;
    int let_go;  // when it came
  };

  void send(std::size_t tenant) {
    const Requests& wants = tenants_[tenant];
    const Shares::Id id = ++last_id_;
    waiting_[id] = {tenant, std::max(1.0, wants.written * (0.5 + random_.unit())), let_go_};
    shares_.push(id, std::to_string(tenant), cost_of(wants.prompt, wants.said));
  }

  void begin() {
    const Shares::Id id = *shares_.pop();
    const Waiting waited = waiting_.at(id);
    waiting_.erase(id);
    const double prompt = tenants_[waited.tenant].prompt;
    const double takes = prompt / 8000 + waited.written / 30;
    running_.push({now_ + takes, waited.tenant, id, cost_of(prompt, waited.written)});
    if (waited.tenant == 0) longest_wait_ = std::max(longest_wait_, double(let_go_ - waited.let_go));
    ++let_go_;
  }

  std::vector<Requests> tenants_;
  Random random_;
  bool corrects_;
  Shares shares_;
  std::priority_queue<Running, std::vector<Running>, std::greater<>> running_;
  std::unordered_map<Shares::Id, Waiting> waiting_;
  std::vector<double> had_;
  double now_ = 0;
  double longest_wait_ = 0;
  int let_go_ = 0;
  Shares::Id last_id_ = 0;
};

// Chat; long prompts; answers far longer than said; one that says 8192 and writes 50.
const std::vector<Requests> kDifferent = {
    {200, 256, 200}, {20'000, 256, 100}, {100, 256, 4000}, {500, 8192, 50}};

TEST(Shares, AreOfTrueTokensWhateverTenantsSendAndSay) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Engine engine(kDifferent, seed);
    engine.run(20'000, 2000);
    for (const double share : engine.shares()) EXPECT_NEAR(share, 0.25, 0.0075) << "seed " << seed;
  }
}

// What the correction is for.
TEST(Shares, AreFarOffWhereWhatWasThoughtStands) {
  Engine engine(kDifferent, 1, false);
  engine.run(20'000, 2000);
  EXPECT_GT(engine.shares()[2], 0.5);   // writes more than it says
  EXPECT_LT(engine.shares()[3], 0.05);  // writes less
}

TEST(Shares, OneOfFewRequestsGetsWhatItAsksForAndNobodyStarves) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::vector<Requests> tenants = kDifferent;
    tenants.insert(tenants.begin(), {200, 256, 200, 1});
    Engine engine(tenants, seed);
    engine.run(20'000, 2000);
    // It has one request at a time, which waits for no more than those that are owed something.
    EXPECT_LT(engine.longest_wait(), 400) << "seed " << seed;
    const std::vector<double> shares = engine.shares();
    for (std::size_t other = 1; other < shares.size(); ++other) {
      EXPECT_NEAR(shares[other], (1 - shares[0]) / 4, 0.01) << "seed " << seed;
      EXPECT_LT(shares[0], shares[other]);
    }
  }
}

TEST(Shares, ManyTenantsOfManyKindsAreServedAlike) {
  Random random(7);
  std::vector<Requests> tenants;
  for (int i = 0; i < 40; ++i) {
    tenants.push_back({50 + 4000 * random.unit(), 16 + 2000 * random.unit(), 16 + 1000 * random.unit(),
                       16 + static_cast<int>(random.below(100))});
  }
  Engine engine(tenants, 3);
  engine.run(60'000, 10'000);
  for (const double share : engine.shares()) EXPECT_NEAR(share, 1.0 / 40, 0.03 / 40);
}

// A name per request is a tenant per request; those that were there before get their turn all the same, and
// names that are over are not kept.
TEST(Shares, NewcomersWithoutEndStarveNobody) {
  Shares shares;
  Shares::Id id = 0;
  int waited = 0;
  int longest = 0;
  std::size_t most = 0;
  Shares::Id old = ++id;
  shares.push(old, "old", 1000);
  for (int step = 0; step < 20'000; ++step) {
    while (id < static_cast<Shares::Id>(step) + 20) {
      ++id;
      shares.push(id, "new " + std::to_string(id), 1000);
    }
    const auto next = shares.pop();
    ASSERT_TRUE(next);
    shares.settle(*next, step % 3 == 0 ? 500.0 : 1250.0);
    most = std::max(most, shares.tenants_known());
    if (*next != old) {
      longest = std::max(longest, ++waited);
      continue;
    }
    waited = 0;
    old = ++id;
    shares.push(old, "old", 1000);
  }
  EXPECT_LT(longest, 100);
  EXPECT_LT(most, 150U);
}

TEST(Shares, ATenantThatWasAwaySavesNothingUp) {
  Shares shares;
  Shares::Id id = 0;
  const auto serve = [&](int count) {
    for (int i = 0; i < count; ++i) shares.settle(*shares.pop(), 100);
  };
  for (int i = 0; i < 500; ++i) shares.push(++id, "stays", 100);
  shares.push(++id, "away", 100);
  serve(202);
  const Shares::Id first = id + 1;
  for (int i = 0; i < 100; ++i) shares.push(++id, "away", 100);
  int away = 0;
  for (int i = 0; i < 100; ++i) {
    const Shares::Id next = *shares.pop();
    away += next >= first ? 1 : 0;
    shares.settle(next, 100);
  }
  EXPECT_NEAR(away, 50, 2);
}

// It said 8000, went away while that ran, and was put forward to where the others are when it came back: what
// is given back then was none of its loss.
TEST(Shares, WhatIsGivenBackLateIsNoCredit) {
  Shares shares;
  Shares::Id id = 0;
  for (int i = 0; i < 400; ++i) shares.push(++id, "stays", 100);
  const Shares::Id large = ++id;
  shares.push(large, "large", 8000);
  while (*shares.pop() != large) {}
  for (int i = 0; i < 300; ++i) shares.pop();  // 30,000: more than it was charged
  const Shares::Id first = id + 1;
  for (int i = 0; i < 50; ++i) shares.push(++id, "large", 100);
  shares.settle(large, 100);
  int of_large = 0;
  for (int i = 0; i < 40; ++i) {
    const Shares::Id next = *shares.pop();
    of_large += next >= first ? 1 : 0;
    shares.settle(next, 100);
  }
  EXPECT_NEAR(of_large, 20, 2);
}

TEST(Shares, IsIdleWhenAllIsSettled) {
  Shares shares;
  shares.push(1, "a", 10);
  shares.push(2, "a", 10);
  EXPECT_EQ(shares.pop(), 1U);
  shares.erase(2);
  EXPECT_FALSE(shares.any_waiting());
  EXPECT_EQ(shares.pop(), std::nullopt);
  EXPECT_FALSE(shares.idle());
  shares.settle(1, {});
  EXPECT_TRUE(shares.idle());
}

}  // namespace
}  // namespace tidegate::flow
