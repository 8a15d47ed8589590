#include "control/placement/filter.h"

#include <algorithm>

namespace tidegate::placement {
namespace {

const std::string* label(const NodeView& node, const std::string& key) {
  const auto found = node.labels.find(key);
  return found == node.labels.end() ? nullptr : &found->second;
}

bool is_hard(const resource::Taint& taint) { return taint.effect != "PreferNoSchedule"; }

const resource::Taint* untolerated(const NodeView& node, const PodView& pod) {
  for (const resource::Taint& taint : node.taints) {
    if (is_hard(taint) && !tolerates(pod.tolerations, taint)) return &taint;
  }
  return nullptr;
}

bool selected(const NodeView& node, const PodView& pod) {
  return (pod.node_selector.empty() || resource::selects(pod.node_selector, node.labels)) &&
         pod.affinity.allows(node.labels, node.name);
}

bool ports_clash(const Place& place, const PodView& pod) {
  if (pod.host_ports.empty()) return false;
  const auto taken = [&](const HostPort& wanted) {
    return std::any_of(place.pods.begin(), place.pods.end(), [&](const PodPtr& other) {
      return std::any_of(other->host_ports.begin(), other->host_ports.end(), [&](const HostPort& port) {
        return port.port == wanted.port && port.protocol == wanted.protocol;
      });
    });
  };
  return std::any_of(pod.host_ports.begin(), pod.host_ports.end(), taken);
}

// The pod's own values of these keys must be the same.
bool same_values(const std::vector<std::string>& keys, const PodView& a, const PodView& b) {
  return std::all_of(keys.begin(), keys.end(), [&](const std::string& key) {
    const auto mine = a.labels.find(key);
    const auto theirs = b.labels.find(key);
    return mine == a.labels.end() || (theirs != b.labels.end() && theirs->second == mine->second);
  });
}

const resource::Taint kCordon{"node.kubernetes.io/unschedulable", "", "NoSchedule"};

}  // namespace

bool means(const resource::PodTerm& term, const PodView& home, const PodView& other, const Board& board) {
  if (!term.selector) return false;
  const bool own = term.namespaces.empty() && !term.namespace_selector;
  bool there = own && other.namespace_ == home.namespace_;
  there = there || std::find(term.namespaces.begin(), term.namespaces.end(), other.namespace_) !=
                       term.namespaces.end();
  if (!there && term.namespace_selector) {
    const auto labels = board.namespaces.find(other.namespace_);
    there = term.namespace_selector->empty() ||
            (labels != board.namespaces.end() && term.namespace_selector->matches(labels->second));
  }
  return there && term.selector->matches(other.labels) && same_values(term.match_label_keys, home, other);
}

Filter::Filter(const Board& board, const PodView& pod, std::span<const PodPtr> without)
    : board_(board), pod_(pod), without_(without) {
  if (!pod.spread.empty()) count_spread();
  const resource::Affinity& affinity = pod.affinity;
  if (!affinity.pod_required.empty() || !affinity.anti_required.empty() || board.has_anti_affinity())
    count_affinity();
}

bool Filter::left_out(const PodView& pod) const {
  return std::any_of(without_.begin(), without_.end(), [&](const PodPtr& out) { return out->uid == pod.uid; });
}

void Filter::count_spread() {
  for (const resource::SpreadConstraint& constraint : pod_.spread) {
    Spread spread{.constraint = &constraint, .counts = {}, .least = 0, .self = 0};
    counts_crowding_ = counts_crowding_ || !constraint.required;
    const auto matches = [&](const PodView& other) {
      return !other.terminating && other.namespace_ == pod_.namespace_ && constraint.selector &&
             constraint.selector->matches(other.labels) &&
             same_values(constraint.match_label_keys, pod_, other);
    };
    for (const auto& [name, place] : board_.places()) {
      const std::string* domain = label(*place.node, constraint.topology_key);
      // Nodes that the pod's own selectors rule out are no domain to be even with.
      if (domain == nullptr || !selected(*place.node, pod_)) continue;
      std::int64_t& count = spread.counts[*domain];
      for (const PodPtr& other : place.pods) count += matches(*other) && !left_out(*other) ? 1 : 0;
    }
    spread.self = matches(pod_) ? 1 : 0;
    if (!spread.counts.empty() &&
        static_cast<std::int64_t>(spread.counts.size()) >= constraint.min_domains) {
      spread.least = std::min_element(spread.counts.begin(), spread.counts.end(), [](auto& a, auto& b) {
                       return a.second < b.second;
                     })->second;
    }
    spreads_.push_back(std::move(spread));
  }
}

void Filter::count_affinity() {
  const auto& required = pod_.affinity.pod_required;
  affine_.resize(required.size());
  bool somebody = false;
  for (const auto& [name, place] : board_.places()) {
    for (const PodPtr& other : place.pods) {
      if (left_out(*other)) continue;
      for (std::size_t i = 0; i < required.size(); ++i) {
        if (!means(required[i], pod_, *other, board_)) continue;
        somebody = true;
        if (const std::string* domain = label(*place.node, required[i].topology_key)) affine_[i].insert(*domain);
      }
      for (const resource::PodTerm& term : pod_.affinity.anti_required) {
        const std::string* domain = label(*place.node, term.topology_key);
        if (domain != nullptr && means(term, pod_, *other, board_)) repelled_.emplace(term.topology_key, *domain);
      }
      for (const resource::PodTerm& term : other->affinity.anti_required) {
        const std::string* domain = label(*place.node, term.topology_key);
        if (domain != nullptr && means(term, *other, pod_, board_)) forbidden_.emplace(term.topology_key, *domain);
      }
    }
  }
  // The first pod of a group that wants to be near itself may go anywhere.
  bootstraps_ = !somebody && std::all_of(required.begin(), required.end(), [&](const resource::PodTerm& term) {
    return means(term, pod_, pod_, board_);
  });
}

bool Filter::has_room(const Place& place) const {
  std::int64_t count = static_cast<std::int64_t>(place.pods.size());
  const Amounts& has = place.node->allocatable;
  if (place.nominated.empty() && without_.empty()) {
    return count < place.pods_max() && has.short_of(place.used, pod_.requests) == nullptr;
  }
  Amounts used = place.used;
  for (const PodPtr& out : without_) {
    const bool here = std::any_of(place.pods.begin(), place.pods.end(),
                                  [&](const PodPtr& pod) { return pod->uid == out->uid; });
    if (!here) continue;
    used.add(out->requests, -1);
    --count;
  }
  // Room that was made for others of this priority or a higher one is theirs.
  for (const PodPtr& promised : place.nominated) {
    if (promised->uid == pod_.uid || promised->priority < pod_.priority) continue;
    used.add(promised->requests);
    ++count;
  }
  return count < place.pods_max() && has.short_of(used, pod_.requests) == nullptr;
}

Why Filter::check_spread(const NodeView& node) const {
  for (const Spread& spread : spreads_) {
    if (!spread.constraint->required) continue;
    const std::string* domain = label(node, spread.constraint->topology_key);
    if (domain == nullptr) return Why::kSpreadLabel;
    const auto count = spread.counts.find(*domain);
    const std::int64_t there = count == spread.counts.end() ? 0 : count->second;
    if (there + spread.self - spread.least > spread.constraint->max_skew) return Why::kSpread;
  }
  return Why::kFits;
}

Why Filter::check_affinity(const NodeView& node) const {
  const auto& required = pod_.affinity.pod_required;
  for (std::size_t i = 0; i < required.size(); ++i) {
    const std::string* domain = label(node, required[i].topology_key);
    if (domain == nullptr || (!bootstraps_ && !affine_[i].contains(*domain))) return Why::kAffinity;
  }
  const auto hit = [&](const std::set<Domain>& domains) {
    return std::any_of(domains.begin(), domains.end(), [&](const Domain& domain) {
      const std::string* value = label(node, domain.first);
      return value != nullptr && *value == domain.second;
    });
  };
  if (hit(repelled_)) return Why::kAntiAffinity;
  if (hit(forbidden_)) return Why::kOthersAntiAffinity;
  return Why::kFits;
}

Why Filter::check(const Place& place) const {
  const NodeView& node = *place.node;
  if (node.unschedulable && !tolerates(pod_.tolerations, kCordon)) return Why::kUnschedulable;
  if (untolerated(node, pod_) != nullptr) return Why::kTaint;
  if (!selected(node, pod_)) return Why::kNodeAffinity;
  if (ports_clash(place, pod_)) return Why::kPorts;
  if (!has_room(place)) return Why::kResources;
  if (!spreads_.empty()) {
    if (const Why why = check_spread(node); why != Why::kFits) return why;
  }
  return check_affinity(node);
}

std::vector<std::string> Filter::reasons(const Place& place, Why why) const {
  switch (why) {
    case Why::kFits:
      return {};
    case Why::kUnschedulable:
      return {"node(s) were unschedulable"};
    case Why::kTaint: {
      const resource::Taint* taint = untolerated(*place.node, pod_);
      return {"node(s) had untolerated taint {" + taint->key + ": " + taint->value + "}"};
    }
    case Why::kNodeAffinity:
      return {"node(s) didn't match Pod's node affinity/selector"};
    case Why::kPorts:
      return {"node(s) didn't have free ports for the requested pod ports"};
    case Why::kResources: {
      std::vector<std::string> all;
      std::int64_t count = static_cast<std::int64_t>(place.pods.size());
      Amounts used = place.used;
      for (const PodPtr& promised : place.nominated) {
        if (promised->uid == pod_.uid || promised->priority < pod_.priority) continue;
        used.add(promised->requests);
        ++count;
      }
      if (count >= place.pods_max()) all.emplace_back("Too many pods");
      for (const auto& [name, milli] : pod_.requests) {
        if (milli > 0 && used.of(name) + milli > place.node->allocatable.of(name))
          all.push_back("Insufficient " + name);
      }
      return all;
    }
    case Why::kSpreadLabel:
      return {"node(s) didn't match pod topology spread constraints (missing required label)"};
    case Why::kSpread:
      return {"node(s) didn't match pod topology spread constraints"};
    case Why::kAffinity:
      return {"node(s) didn't match pod affinity rules"};
    case Why::kAntiAffinity:
      return {"node(s) didn't match pod anti-affinity rules"};
    case Why::kOthersAntiAffinity:
      return {"node(s) didn't satisfy existing pods anti-affinity rules"};
  }
  return {};
}

std::int64_t Filter::crowding(const NodeView& node) const {
  std::int64_t total = 0;
  for (const Spread& spread : spreads_) {
    if (spread.constraint->required) continue;
    const std::string* domain = label(node, spread.constraint->topology_key);
    const auto count = domain == nullptr ? spread.counts.end() : spread.counts.find(*domain);
    if (count != spread.counts.end()) total += count->second;
  }
  return total;
}

std::string unavailable(std::size_t nodes, const std::map<std::string, int>& reasons) {
  std::vector<std::string> parts;
  for (const auto& [reason, count] : reasons) parts.push_back(std::to_string(count) + " " + reason);
  std::sort(parts.begin(), parts.end());
  std::string text = "0/" + std::to_string(nodes) + " nodes are available";
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? ": " : ", ") + parts[i];
  return text + ".";
}

}  // namespace tidegate::placement
