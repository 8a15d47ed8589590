#include "control/nodepool/decide.h"

namespace tidegate::nodepool {

Plan decide(State& state, WallTime now) {
  Plan plan;
  observe(state, plan, now);
  scale_up(state, plan, now);
  scale_down(state, plan, now);
  return plan;
}

}  // namespace tidegate::nodepool
