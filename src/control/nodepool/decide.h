// Node pools: more machines when pods wait for them, fewer when they stand idle.
//
//   Plan plan = decide(state, now);   // state.pools is as it must be stored; plan.steps is what to do
//
// In order: see what became of the machines; keep each pool's minimum; start machines for pods that wait;
// give back machines that are not needed. Everything that has to be remembered is in the pools, so that the
// same function runs over a cluster and in virtual time.
//
// Thread: pure.
// Source: kubernetes/autoscaler cluster-autoscaler/FAQ.md.

#pragma once

#include "control/nodepool/pool.h"

namespace tidegate::nodepool {

Plan decide(State& state, WallTime now);

// The parts, for tests and for reading.
void observe(State& state, Plan& plan, WallTime now);     // observe.cc
void scale_up(State& state, Plan& plan, WallTime now);    // scale_up.cc
void scale_down(State& state, Plan& plan, WallTime now);  // scale_down.cc

// Adds a machine to the pool's records. Requires: it may grow.
void launch(Pool& pool, const placement::Board& board, WallTime now);
// Why the pool may not grow now, in cluster-autoscaler's words; empty if it may.
std::string why_no_growth(const Pool& pool, WallTime now);

}  // namespace tidegate::nodepool
