#include "gateway/flow/shares.h"

#include <algorithm>

#include "base/check.h"

namespace tidegate::flow {
namespace {

// Of what was learned about a tenant's requests, how much each new one leaves.
constexpr double kRemembered = 0.875;
// How far what a tenant's requests cost may be from what they say.
constexpr double kRatioMin = 1.0 / 64;
constexpr double kRatioMax = 64;

}  // namespace

void Shares::push(Id id, std::string_view name, double cost) {
  auto found = tenants_.find(name);
  if (found == tenants_.end()) {
    found = tenants_.emplace(std::string(name), Tenant()).first;
    found->second.name = found->first;
  }
  Tenant& tenant = found->second;
  if (tenant.waiting.empty()) {
    if (tenant.running == 0) {
      resting_.erase({tenant.had, &tenant});
      ++sharing_;
    }
    lift(tenant);
  } else {
    unlist(tenant);
  }
  tenant.waiting.insert(id);
  list(tenant);
  requests_.emplace(id, Request{.tenant = &tenant, .cost = std::max(cost, 1.0)});
}

std::optional<Shares::Id> Shares::pop() {
  if (order_.empty()) return std::nullopt;
  Tenant& tenant = *order_.begin()->second;
  const Id id = *tenant.waiting.begin();
  unlist(tenant);
  tenant.waiting.erase(tenant.waiting.begin());
  Request& request = requests_.at(id);
  const double ratio = tenant.thought > 0 ? std::clamp(tenant.used / tenant.thought, kRatioMin, kRatioMax) : 1;
  request.running = true;
  request.charged = request.cost * ratio;
  request.share = 1 / static_cast<double>(sharing_);
  request.lifts = tenant.lifts;
  latest_ = tenant.had;
  now_ = std::max(now_, tenant.had) + request.charged * request.share;
  tenant.had += request.charged;
  ++tenant.running;
  list(tenant);
  forget_passed();
  return id;
}

void Shares::erase(Id id) {
  const auto found = requests_.find(id);
  TG_CHECK(found != requests_.end() && !found->second.running);
  Tenant& tenant = *found->second.tenant;
  requests_.erase(found);
  unlist(tenant);
  tenant.waiting.erase(id);
  list(tenant);
  rest(tenant);
}

void Shares::settle(Id id, std::optional<double> used) {
  const auto found = requests_.find(id);
  TG_CHECK(found != requests_.end() && found->second.running);
  const Request request = found->second;
  Tenant& tenant = *request.tenant;
  requests_.erase(found);
  --tenant.running;
  if (used) {
    const double more = std::max(*used, 0.0) - request.charged;
    now_ += more * request.share;
    unlist(tenant);
    correct(tenant, more, request.lifts);
    list(tenant);
    if (*used > 0) {  // what failed says nothing of the next
      tenant.thought = kRemembered * tenant.thought + request.cost;
      tenant.used = kRemembered * tenant.used + *used;
    }
  }
  rest(tenant);
}

void Shares::list(Tenant& tenant) {
  if (!tenant.waiting.empty()) order_.emplace(std::pair(tenant.had, *tenant.waiting.begin()), &tenant);
}

void Shares::unlist(Tenant& tenant) {
  if (!tenant.waiting.empty()) order_.erase({tenant.had, *tenant.waiting.begin()});
}

// To where the others are: now_, but between the least and the most that one who waits has had. A tenant whose
// requests run was not away, and loses only what nobody waited for.
void Shares::lift(Tenant& tenant) {
  double start = latest_;
  if (tenant.running == 0) {
    tenant.lifted = 0;
    start = now_;
    if (!order_.empty()) start = std::clamp(start, order_.begin()->first.first, order_.rbegin()->first.first);
  }
  if (tenant.had >= start) return;
  tenant.lifted += start - tenant.had;
  ++tenant.lifts;
  tenant.had = start;
}

// For a request that went before its tenant was put forward: had the account been right then, the tenant would
// stand where it stands, unless the request cost more than it was put forward by.
void Shares::correct(Tenant& tenant, double more, std::uint32_t lifts) {
  if (lifts != tenant.lifts) {
    const double covered = std::min(more, tenant.lifted);
    tenant.lifted -= covered;
    more -= covered;
  }
  tenant.had += more;
}

void Shares::rest(Tenant& tenant) {
  if (!tenant.waiting.empty() || tenant.running > 0) return;
  --sharing_;
  if (tenant.had > now_) {
    resting_.emplace(tenant.had, &tenant);
  } else {
    forget(tenant);
  }
}

// One that has had no more than the others is like one that never came.
void Shares::forget(Tenant& tenant) { tenants_.erase(tenants_.find(tenant.name)); }

void Shares::forget_passed() {
  while (!resting_.empty() && resting_.begin()->first <= now_) {
    Tenant& tenant = *resting_.begin()->second;
    resting_.erase(resting_.begin());
    forget(tenant);
  }
}

}  // namespace tidegate::flow
