// Views of the objects in the caches, decoded once per revision of an object.
//
// Thread: one thread.

#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/loop/caches.h"
#include "control/placement/board.h"
#include "control/placement/view.h"

namespace tidegate::placement {

// The kinds that placement reads, found once. `budget` is null where PodDisruptionBudgets are not known.
struct Kinds {
  const resource::Kind* pod;
  const resource::Kind* node;
  const resource::Kind* policy;
  const resource::Kind* priority_class;
  const resource::Kind* name_space;
  const resource::Kind* budget;
  // Requires: all but `budget` are in resource::kinds().
  static Kinds find();
};

struct Cluster {
  Board board;                // nodes, and the pods that are bound or nominated
  std::vector<PodPtr> pods;   // all
  std::vector<PolicyView> policies;
  std::vector<Budget> budgets;
};

class Views {
 public:
  // What the caches hold now. Objects that cannot be read are left out: admission has refused them, or they
  // come from a newer API.
  Cluster read(const Kinds& kinds, const loop::Caches& caches);

 private:
  template <typename View>
  struct Kept {
    std::uint64_t revision = 0;
    View view{};
    bool seen = false;
  };
  template <typename View>
  using Memory = std::map<std::string, Kept<View>>;

  template <typename View, typename Decode>
  static std::vector<View> refresh(Memory<View>& memory, const std::vector<resource::ObjectPtr>& objects,
                                   Decode decode);

  Memory<NodePtr> nodes_;  // by uid
  Memory<PodPtr> pods_;
  Memory<std::shared_ptr<const PolicyView>> policies_;
};

}  // namespace tidegate::placement
