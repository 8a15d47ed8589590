// Routes of both families, attached to listeners and with their references resolved to pools.
//
// An LLMRoute attaches to the gateways it names ("name" means its own namespace), to every gateway if it
// names none, and never to "mesh". A match that asks for the labels of the calling workload cannot hold at a
// gateway and is left out. A reference that does not resolve keeps its weight and is answered with 500
// (Gateway API), so that a typing mistake does not send its share elsewhere.
//
// Thread: pure.

#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "gateway/attach.h"
#include "gateway/pools.h"
#include "gateway/route/table.h"
#include "gateway/snapshot.h"

namespace tidegate::gateway {

struct RouteSet {
  std::map<std::uint16_t, std::vector<route::Route>> by_port;
  std::vector<Finding> findings;  // LLMRoutes, HTTPRoutes, Ingresses, each in input order
  // For each pool (its index): the gateways whose routes name it, and the Ingresses that do.
  std::map<std::uint32_t, std::vector<ParentRef>> pool_parents;
};

// Both count attached routes in the findings of `listeners`.
void read_llm_routes(const Inputs& inputs, ListenerSet& listeners, PoolSet& pools,
                     RouteSet& set);  // llm_routes.cc
void read_http_routes(const Inputs& inputs, const Grants& grants, ListenerSet& listeners, PoolSet& pools,
                      RouteSet& set);  // http_routes.cc
// Istio's httpsRedirect: a route for every host it holds for.
void add_https_redirects(const ListenerSet& listeners, RouteSet& set);  // llm_routes.cc
// Hosts and paths that lead to Services, on Inputs::ingress_port. A canary takes its share of the Ingress
// with the same host and path.
void read_ingresses(const Inputs& inputs, const Credentials& credentials, ListenerSet& listeners,
                    PoolSet& pools, RouteSet& set);  // ingresses.cc

// Notes that a route on `point` names the pool.
void add_parent(RouteSet& set, std::uint32_t pool, const AttachPoint& point);
void add_parent(RouteSet& set, std::uint32_t pool, ParentRef parent);

// The first thing that is wrong with a route's references; later ones are dropped.
class RefCheck {
 public:
  void fail(std::string reason, std::string message);
  Condition condition() const;

 private:
  std::string reason_;
  std::string message_;
};

route::StringMatch match_of(const resource::StringMatch& match);

}  // namespace tidegate::gateway
