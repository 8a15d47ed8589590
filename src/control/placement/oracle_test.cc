// Placement against a twin that shares nothing with it: straight loops over everything, on random clusters and
// on the machines and pods of a real GPU cluster.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

#include "base/random.h"
#include "control/placement/place.h"
#include "control/placement/test_cluster.h"

namespace tidegate::placement {
namespace {

using namespace testing;

struct World {
  std::vector<NodePtr> nodes;
  std::vector<PodPtr> pods;  // bound
};

std::string value_of(const Labels& labels, const std::string& key) {
  const auto found = labels.find(key);
  return found == labels.end() ? std::string() : found->second;
}

const NodeView& node_named(const World& world, const std::string& name) {
  return **std::find_if(world.nodes.begin(), world.nodes.end(), [&](auto& n) { return n->name == name; });
}

bool twin_tolerates(const PodView& pod, const NodeView& node) {
  for (const auto& taint : node.taints) {
    if (taint.effect == "PreferNoSchedule") continue;
    bool tolerated = false;
    for (const auto& t : pod.tolerations) {
      const bool effect = t.effect == "" || t.effect == taint.effect;
      const bool key = t.op == "Exists" ? (t.key == "" || t.key == taint.key)
                                        : (t.key == taint.key && t.value == taint.value);
      if (effect && key) tolerated = true;
    }
    if (!tolerated) return false;
  }
  return true;
}

bool twin_selects(const PodView& pod, const NodeView& node) {
  for (const auto& [key, value] : pod.node_selector) {
    if (value_of(node.labels, key) != value) return false;
  }
  if (!pod.affinity.node_required) return true;
  for (const auto& term : *pod.affinity.node_required) {
    bool all = !term.labels.empty();
    for (const auto& r : term.labels) {
      const std::string value = value_of(node.labels, r.key);
      const bool in = std::count(r.values.begin(), r.values.end(), value) > 0;
      if (r.op == resource::NodeRequirement::Op::kIn && !in) all = false;
      if (r.op == resource::NodeRequirement::Op::kNotIn && in) all = false;
    }
    if (all) return true;
  }
  return false;
}

bool twin_has_room(const World& world, const PodView& pod, const NodeView& node, std::set<std::string> without) {
  for (const char* resource : {"cpu", "memory", "nvidia.com/gpu"}) {
    std::int64_t used = 0;
    for (const auto& other : world.pods) {
      if (other->node == node.name && !without.contains(other->uid)) used += other->requests.of(resource);
    }
    const std::int64_t wanted = pod.requests.of(resource);
    if (wanted > 0 && used + wanted > node.allocatable.of(resource)) return false;
  }
  std::int64_t count = 0;
  for (const auto& other : world.pods) count += other->node == node.name && !without.contains(other->uid);
  return count + 1 <= node.allocatable.of("pods") / 1000;
}

bool app_is(const resource::PodTerm& term, const PodView& pod) {
  return value_of(pod.labels, "app") == value_of(term.selector->match_labels, "app");
}

bool twin_affinity(const World& world, const PodView& pod, const NodeView& node, std::set<std::string> without) {
  for (const auto& other : world.pods) {
    if (without.contains(other->uid)) continue;
    const NodeView& there = node_named(world, other->node);
    for (const auto& term : pod.affinity.anti_required) {
      const std::string zone = value_of(there.labels, term.topology_key);
      if (zone != "" && zone == value_of(node.labels, term.topology_key) && app_is(term, *other)) return false;
    }
    for (const auto& term : other->affinity.anti_required) {
      const std::string zone = value_of(there.labels, term.topology_key);
      if (zone != "" && zone == value_of(node.labels, term.topology_key) && app_is(term, pod)) return false;
    }
  }
  for (const auto& spread : pod.spread) {
    std::map<std::string, int> counts;
    for (const auto& each : world.nodes) {
      const std::string zone = value_of(each->labels, spread.topology_key);
      if (zone == "" || !twin_selects(pod, *each)) continue;
      counts[zone] += 0;
      for (const auto& other : world.pods) {
        if (other->node == each->name && !without.contains(other->uid) &&
            value_of(other->labels, "app") == value_of(pod.labels, "app"))
          ++counts[zone];
      }
    }
    const std::string zone = value_of(node.labels, spread.topology_key);
    if (zone == "") return false;
    int least = 1 << 30;
    for (const auto& [each, count] : counts) least = std::min(least, count);
    if (counts[zone] + 1 - least > spread.max_skew) return false;
  }
  return true;
}

bool twin_fits(const World& world, const PodView& pod, const NodeView& node, std::set<std::string> without = {}) {
  return !node.unschedulable && twin_tolerates(pod, node) && twin_selects(pod, node) &&
         twin_has_room(world, pod, node, without) && twin_affinity(world, pod, node, without);
}

// The unit where a pod belongs under prefer and LackResourceOrExceedMax; -2: nowhere, -1: outside.
int twin_unit(const World& world, const PodView& pod, const PolicyView* policy) {
  const auto unit_of = [&](const NodeView& node) {
    if (policy == nullptr) return -1;
    for (std::size_t i = 0; i < policy->spec.units.size(); ++i) {
      if (value_of(node.labels, "pool") == value_of(policy->spec.units[i].node_selector, "pool"))
        return static_cast<int>(i);
    }
    return -1;
  };
  std::vector<int> order;
  if (policy != nullptr) {
    for (std::size_t i = 0; i < policy->spec.units.size(); ++i) order.push_back(static_cast<int>(i));
  }
  order.push_back(-1);
  for (const int unit : order) {
    if (unit >= 0 && policy->spec.units[static_cast<std::size_t>(unit)].max) {
      int count = 0;
      for (const auto& other : world.pods) {
        count += unit_of(node_named(world, other->node)) == unit && value_of(other->labels, "app") == "a";
      }
      if (count >= *policy->spec.units[static_cast<std::size_t>(unit)].max) continue;
    }
    for (const auto& node : world.nodes) {
      if (unit_of(*node) == unit && twin_fits(world, pod, *node)) return unit;
    }
  }
  return -2;
}

NodePtr random_node(Random& random, int index) {
  return node("n" + std::to_string(index), static_cast<int>(random.below(4)), {}, [&](NodeView& n) {
    if (random.below(5) > 0) n.labels["zone"] = std::string(1, static_cast<char>('a' + random.below(3)));
    if (random.below(3) > 0) n.labels["pool"] = std::string(1, static_cast<char>('x' + random.below(2)));
    if (random.below(4) == 0) n.taints.push_back({"dedicated", "llm", random.below(2) ? "NoSchedule" : "PreferNoSchedule"});
    n.unschedulable = random.below(10) == 0;
    n.allocatable.set("cpu", static_cast<std::int64_t>(2000 + random.below(7000)));
    n.allocatable.set("pods", static_cast<std::int64_t>(1000 * (1 + random.below(5))));
  });
}

PodPtr random_pod(Random& random, int index) {
  return pod("p" + std::to_string(index), static_cast<int>(random.below(3)), [&](PodView& p) {
    p.labels["app"] = random.below(2) ? "a" : "b";
    p.requests.set("cpu", static_cast<std::int64_t>(random.below(3000)));
    p.priority = static_cast<std::int64_t>(random.below(4));
    if (random.below(5) == 0) p.node_selector["zone"] = "a";
    if (random.below(3) == 0) p.tolerations.push_back({"dedicated", random.below(2) ? "Exists" : "Equal", "", "", {}});
    if (random.below(4) == 0) {
      const auto op = random.below(2) ? resource::NodeRequirement::Op::kIn : resource::NodeRequirement::Op::kNotIn;
      p.affinity.node_required = {{{{"zone", op, {"a", "b"}}}, {}}};
    }
    if (random.below(5) == 0) {
      resource::PodTerm term;
      term.selector.emplace();
      term.selector->match_labels["app"] = random.below(2) ? "a" : "b";
      term.topology_key = random.below(2) ? "zone" : "kubernetes.io/hostname";
      p.affinity.anti_required.push_back(term);
    }
    if (random.below(5) == 0) {
      resource::SpreadConstraint spread;
      spread.max_skew = static_cast<std::int64_t>(1 + random.below(2));
      spread.topology_key = "zone";
      spread.selector.emplace();
      spread.selector->match_labels["app"] = p.labels["app"];
      p.spread.push_back(spread);
    }
  });
}

void check_preemption(const World& world, const PodView& pod, const Placement& placement) {
  std::set<std::string> out;
  for (const PodPtr& victim : placement.victims) {
    EXPECT_LT(victim->priority, pod.priority);
    EXPECT_EQ(victim->node, placement.nominated);
    out.insert(victim->uid);
  }
  const NodeView& node = node_named(world, placement.nominated);
  EXPECT_TRUE(twin_fits(world, pod, node, out));
  for (const std::string& spared : std::set<std::string>(out)) {
    out.erase(spared);
    EXPECT_FALSE(twin_fits(world, pod, node, out)) << "needless victim " << spared;
    out.insert(spared);
  }
}

TEST(Oracle, RandomClusters) {
  int placed = 0;
  int refused = 0;
  int preempted = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Random random(seed);
    World world;
    const int nodes = static_cast<int>(1 + random.below(7));
    for (int i = 0; i < nodes; ++i) world.nodes.push_back(random_node(random, i));
    Board here = board(world.nodes);
    std::vector<PolicyView> policies;
    if (random.below(2)) {
      policies = {policy({unit("x"), unit("y")})};
      policies[0].spec.selector.match_labels = {{"app", "a"}};
      if (random.below(2)) policies[0].spec.units[0].max = static_cast<std::int64_t>(random.below(3));
    }
    for (int i = 0; i < 25; ++i) {
      const PodPtr pod = random_pod(random, i);
      const Placement placement = place(here, *pod, {policies, {}}, kNow);
      const bool governed = !policies.empty() && pod->labels.at("app") == "a";
      const int expected = twin_unit(world, *pod, governed ? &policies[0] : nullptr);
      ASSERT_EQ(placement.node.has_value(), expected != -2) << "seed " << seed << " pod " << i << ": " << placement.message;
      if (!placement.node) {
        ++refused;
        if (!placement.victims.empty()) {
          ++preempted;
          check_preemption(world, *pod, placement);
        }
        continue;
      }
      ++placed;
      ASSERT_EQ(placement.unit, expected) << "seed " << seed << " pod " << i;
      ASSERT_TRUE(twin_fits(world, *pod, node_named(world, *placement.node))) << "seed " << seed << " pod " << i;
      auto there = std::make_shared<PodView>(*pod);
      there->node = *placement.node;
      world.pods.push_back(there);
      here.put(there);
    }
  }
  EXPECT_GT(placed, 1000);
  EXPECT_GT(refused, 1000);
  EXPECT_GT(preempted, 100);
}

// Machines and pods of a production GPU cluster (Alibaba, 2023), where the shared traces are at hand.
std::string trace(const std::string& name) {
  std::string path = "../shared/data/traces/" + name;
  if (!std::ifstream(path)) path = "../" + path;
  if (!std::ifstream(path)) return {};
  std::string text;
  FILE* pipe = popen(("gzip -dc '" + path + "'").c_str(), "r");
  char buffer[65536];
  while (pipe != nullptr) {
    const std::size_t size = fread(buffer, 1, sizeof buffer, pipe);
    if (size == 0) break;
    text.append(buffer, size);
  }
  if (pipe != nullptr) pclose(pipe);
  return text;
}

std::vector<std::vector<std::string>> rows(const std::string& csv) {
  std::vector<std::vector<std::string>> result;
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::vector<std::string> fields;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) fields.push_back(cell);
    result.push_back(std::move(fields));
  }
  return result;
}

TEST(Oracle, OpenbNodesAndPods) {
  const auto machines = rows(trace("alibaba2023_openb_nodes.csv.gz"));
  const auto jobs = rows(trace("alibaba2023_openb_pods.csv.gz"));
  if (machines.empty() || jobs.empty()) GTEST_SKIP() << "alibaba2023_openb_{nodes,pods}.csv.gz are not here";
  constexpr std::int64_t kMiB = 1024 * 1024 * 1000LL;
  std::map<std::string, Amounts> left;
  Board here;
  for (const auto& row : machines) {
    const NodePtr machine = node("m" + row[0], 0, {}, [&](NodeView& n) {
      n.allocatable = Amounts();
      n.allocatable.set("cpu", std::stoll(row[1]));
      n.allocatable.set("memory", std::stoll(row[2]) * kMiB);
      n.allocatable.set("pods", 110'000);
      if (row[3] != "0") n.allocatable.set("nvidia.com/gpu", std::stoll(row[3]) * 1000);
    });
    left[machine->name] = machine->allocatable;
    here.put(machine);
  }
  int placed = 0;
  int refused = 0;
  const auto start = std::chrono::steady_clock::now();
  for (const auto& row : jobs) {
    const PodPtr job = pod("j" + row[0], 0, [&](PodView& p) {
      p.requests = Amounts();
      p.requests.set("cpu", std::stoll(row[1]));
      p.requests.set("memory", std::stoll(row[2]) * kMiB);
      if (row[3] != "0") p.requests.set("nvidia.com/gpu", std::stoll(row[3]) * 1000);
    });
    const Placement placement = place(here, *job, {}, kNow);
    const auto enough = [&](const Amounts& room) {
      return std::all_of(job->requests.begin(), job->requests.end(),
                         [&](const auto& wanted) { return wanted.second <= room.of(wanted.first); });
    };
    if (placement.node) {
      ASSERT_TRUE(enough(left[*placement.node])) << job->name;
      left[*placement.node].add(job->requests, -1);
      here.put_on(*placement.node, job);
      ++placed;
    } else {
      for (const auto& [name, room] : left) ASSERT_FALSE(enough(room)) << job->name << " fits on " << name;
      ++refused;
    }
  }
  const double took = seconds(std::chrono::steady_clock::now() - start);
  std::printf("openb: %zu nodes, %d pods placed, %d refused, %.0f decisions/s\n", machines.size(), placed, refused,
              static_cast<double>(jobs.size()) / took);
  EXPECT_GT(placed, 5000);
}

}  // namespace
}  // namespace tidegate::placement
