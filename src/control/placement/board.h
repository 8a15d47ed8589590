// The nodes and what stands on them: the state that placement decides on. It changes by single pods and
// nodes, so that a caller keeps one and moves pieces instead of building it anew.
//
// Thread: one thread at a time; const methods from any.

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/placement/view.h"

namespace tidegate::placement {

struct Place {
  NodePtr node;
  Amounts used;
  std::vector<PodPtr> pods;       // that hold something there, in no order
  std::vector<PodPtr> nominated;  // promised the room that others are leaving

  std::int64_t pods_max() const { return node->allocatable.of(kPods) / 1000; }
};

class Board {
 public:
  using Places = std::map<std::string, Place, std::less<>>;

  // A node of that name is replaced; its pods stay.
  void put(NodePtr node);
  void drop_node(std::string_view name);

  // By the pod's own node or nominated node; a pod that has ended, or whose node is not here, is left out.
  void put(const PodPtr& pod);
  // On `node`, whatever the pod says itself.
  void put_on(std::string_view node, const PodPtr& pod);
  void nominate(std::string_view node, const PodPtr& pod);
  void drop(std::string_view node, std::string_view uid);

  const Places& places() const { return places_; }
  const Place* find(std::string_view node) const;
  std::size_t size() const { return places_.size(); }
  // Some pod has anti-affinity of its own, which holds against those that come later.
  bool has_anti_affinity() const { return anti_affine_ > 0; }

  // Labels of namespaces, for terms that select by them.
  std::map<std::string, Labels> namespaces;

 private:
  Places places_;
  int anti_affine_ = 0;
};

}  // namespace tidegate::placement
