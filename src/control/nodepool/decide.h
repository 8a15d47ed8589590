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

// What the provider of an externalgrpc pool says has become of its machines. Part of observe.
void follow_provider(State& state, Pool& pool, Plan& plan, WallTime now);  // external.cc
// Whether a provider has not been heard since the start: until then nobody knows what may grow.
bool unheard(const State& state);

// The life of a machine, for all providers. fail() begins the pool's pause.
void enter(Machine& machine, Phase phase, WallTime now, std::string reason = {});
void become_ready(Pool& pool, Machine& machine, const placement::NodePtr& node, Plan& plan, WallTime now);
void fail(Pool& pool, const std::string& machine, const std::string& why, Plan& plan, WallTime now);

// Adds a machine to the pool's records. Requires: it may grow.
void launch(Pool& pool, const placement::Board& board, WallTime now);
// Why the pool may not grow now, in cluster-autoscaler's words; empty if it may.
std::string why_no_growth(const Pool& pool, WallTime now);

}  // namespace tidegate::nodepool
