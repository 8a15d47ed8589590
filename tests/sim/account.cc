#include "account.h"

#include <gtest/gtest.h>

namespace tidegate::simulate {

using What = Happening::What;

Account::Account(const WorldSpec& spec) : spec_(spec) {
  gpus_per_machine_ = spec.cluster.pools.front().spec.capacity.at("nvidia.com/gpu").milli / 1000;
}

void Account::read(const Chronicle& chronicle) {
  TimePoint before{};
  for (const Happening& each : chronicle.all()) {
    ASSERT_GE(each.at, before) << "time went back";
    before = each.at;
    one(each);
  }
}

std::int64_t Account::room(const Node& node) const {
  return gpus_per_machine_ - spec_.cluster.gpus * static_cast<std::int64_t>(node.pods.size());
}

void Account::one(const Happening& h) {
  switch (h.what) {
    case What::kScaled:
      EXPECT_EQ(h.from, replicas_);
      EXPECT_LE(h.to, spec_.cluster.hpa.max_replicas) << "above max";
      EXPECT_GE(h.to, spec_.cluster.hpa.min_replicas) << "below min";
      replicas_ = h.to;
      steps_.push_back({h.at, h.from, h.to});
      break;
    case What::kPodMade:
      EXPECT_TRUE(pods_.emplace(h.subject, "").second) << h.subject << " twice";
      EXPECT_LE(static_cast<std::int64_t>(pods_.size() - leaving_.size()), spec_.cluster.hpa.max_replicas)
          << "more pods than max";
      break;
    case What::kPodBound:
      bind(h);
      break;
    case What::kPodReady:
      EXPECT_FALSE(pods_.at(h.subject).empty()) << h.subject << " is ready without a node";
      break;
    case What::kPodLeaves:
      EXPECT_TRUE(leaving_.insert(h.subject).second) << h.subject << " leaves twice";
      break;
    case What::kPodGone: {
      const std::string node = pods_.at(h.subject);
      if (!node.empty()) nodes_.at(node).pods.erase(h.subject);
      pods_.erase(h.subject);
      leaving_.erase(h.subject);
      break;
    }
    case What::kMachineAsked:
      EXPECT_TRUE(machines_.emplace(h.subject, h.where).second);
      for (const nodepool::Pool& pool : spec_.cluster.pools) {
        EXPECT_TRUE(pool.name != h.where || machines(h.where) <= static_cast<std::size_t>(pool.spec.max))
            << h.where << " has more machines than max";
      }
      break;
    case What::kNodeJoined:
      EXPECT_TRUE(machines_.contains(h.subject)) << h.subject << " joins and nobody asked";
      nodes_[h.subject].pool = h.where;
      break;
    case What::kNodeCordoned:
      nodes_.at(h.subject).cordoned = true;
      break;
    case What::kMachineGone:
      if (nodes_.contains(h.subject)) {
        EXPECT_TRUE(nodes_.at(h.subject).pods.empty()) << h.subject << " goes with pods on it";
        nodes_.erase(h.subject);
      }
      machines_.erase(h.subject);
      break;
  }
}

void Account::bind(const Happening& h) {
  ASSERT_TRUE(pods_.contains(h.subject)) << h.subject << " is not there";
  ASSERT_TRUE(nodes_.contains(h.where)) << h.where << " is not there";
  EXPECT_TRUE(pods_.at(h.subject).empty()) << h.subject << " is bound twice";
  EXPECT_FALSE(leaving_.contains(h.subject)) << h.subject << " leaves and is bound";
  Node& node = nodes_.at(h.where);
  EXPECT_FALSE(node.cordoned) << h.subject << " on cordoned " << h.where;
  EXPECT_GE(room(node), spec_.cluster.gpus) << h.subject << " on full " << h.where;
  if (node.pool == kRentedPool) {
    for (const auto& [name, other] : nodes_) {
      if (other.pool != kOwnedPool) continue;
      EXPECT_LT(room(other), spec_.cluster.gpus)
          << h.subject << " goes to the cloud although " << name << " has room";
    }
  }
  node.pods.insert(h.subject);
  pods_[h.subject] = h.where;
  ++bound_to_[node.pool];
}

std::size_t Account::machines(const std::string& pool) const {
  std::size_t count = 0;
  for (const auto& [name, of] : machines_) count += of == pool ? 1 : 0;
  return count;
}

int Account::turns(TimePoint begin, TimePoint end) const {
  int turns = 0;
  int direction = 0;
  for (const Step& step : steps_) {
    if (step.at < begin || step.at >= end) continue;
    const int now = step.to > step.from ? 1 : -1;
    turns += direction != 0 && now != direction ? 1 : 0;
    direction = now;
  }
  return turns;
}

}  // namespace tidegate::simulate
