// Who of one priority's tenants is next, so that each gets the same share of what is computed, however many
// requests it sends and however large they are.
//
// Each tenant has an account of what it has had. The one that has had least goes next, its oldest request
// first. A request is charged what it will probably cost when it goes, and when it is over the account is put
// right by what it did cost. What a tenant's requests cost beside what was thought beforehand is remembered,
// so that one that always asks for more than it uses, or the other way round, is charged right at once.
//
// A tenant that comes anew, or was away, starts where the others are: at `now_`, which moves by each charge
// divided by the number of those who share. So it saves nothing up while it is away; and however many tenants
// come anew, those that are there get their turn, as `now_` passes their accounts in time. One that is away
// keeps its account until `now_` has passed it.
//
// Thread: a value of one worker.
// Source: Sheng et al., Fairness in Serving Large Language Models (OSDI 2024), for the account put right by
// true tokens; the time that newcomers start at is weighted fair queueing's.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tidegate::flow {

class Shares {
 public:
  using Id = std::uint64_t;  // the caller's; a later request's is larger

  // `cost` in tokens, as far as one can tell beforehand; at least 1.
  void push(Id id, std::string_view tenant, double cost);
  // The next to go. From now on it runs, until it is settled. Empty if nobody waits.
  std::optional<Id> pop();
  // It left before its turn. Requires: it waits.
  void erase(Id id);
  // It is over, and has cost that much; without a number what was thought stands. Requires: it runs.
  void settle(Id id, std::optional<double> used);

  bool any_waiting() const { return !order_.empty(); }
  // Nobody waits and nothing runs.
  bool idle() const { return requests_.empty(); }
  std::size_t tenants_known() const { return tenants_.size(); }

 private:
  struct Tenant {
    std::string_view name;
    double had = 0;
    std::set<Id> waiting;
    std::uint32_t running = 0;
    std::uint32_t lifts = 0;  // how often it was put forward to the others
    double lifted = 0;        // how far, while requests from before that ran
    double thought = 0;       // what its latest requests were to cost
    double used = 0;          // what they did cost
  };
  struct Request {
    Tenant* tenant;
    double cost;
    bool running = false;
    double charged = 0;
    double share = 0;  // of the charge, by which now_ was moved
    std::uint32_t lifts = 0;
  };

  void list(Tenant& tenant);
  void unlist(Tenant& tenant);
  void lift(Tenant& tenant);
  void correct(Tenant& tenant, double more, std::uint32_t lifts);
  void rest(Tenant& tenant);
  void forget(Tenant& tenant);
  void forget_passed();

  std::map<std::string, Tenant, std::less<>> tenants_;
  std::unordered_map<Id, Request> requests_;  // that wait or run
  std::map<std::pair<double, Id>, Tenant*> order_;  // who waits, by account, then by its oldest request
  std::set<std::pair<double, Tenant*>> resting_;    // who has nothing here and has had more than now_
  std::size_t sharing_ = 0;                         // tenants with requests here
  double now_ = 0;
  double latest_ = 0;  // what the latest to go had had before
};

}  // namespace tidegate::flow
