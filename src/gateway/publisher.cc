#include "gateway/publisher.h"

#include <algorithm>
#include <map>

#include "gateway/dialect/answer.h"

namespace tidegate::gateway {
namespace {

// Logical names first, then what the engines serve, each name once.
std::vector<dialect::ServedModel> models_of(const Pool& pool,
                                            const std::map<std::string, dialect::ServedModel>& served) {
  std::vector<dialect::ServedModel> models;
  for (const rewrite::ModelEntry& entry : pool.models.entries())
    models.push_back({entry.name, {}, {}, entry.created, {}});
  for (const auto& [id, model] : served) {
    if (!pool.models.find(id)) models.push_back(model);
  }
  return models;
}

// The models of an engine that need no adapter slot. An engine that names no parents may simply not say which
// of several models are adapters.
void add_bases(const std::vector<dialect::ServedModel>& models, std::vector<std::string>& bases) {
  const auto is_adapter = [](const dialect::ServedModel& model) { return !model.parent.empty(); };
  if (models.size() > 1 && std::ranges::none_of(models, is_adapter)) return;
  for (const dialect::ServedModel& model : models) {
    if (!is_adapter(model)) bases.push_back(model.id);
  }
}

PoolView view_of(const Pool& pool, const fleet::Fleet& fleet, const pick::Settings& picking,
                 const WaitingByPool& waiting) {
  PoolView view;
  if (const auto found = waiting.find(pool.id); found != waiting.end()) view.flow = found->second.cell;
  view.service = pool.name + "." + pool.namespace_;
  view.picking = pool.picking.over(picking);
  view.prefix_seed = pick::hash_bytes(pool.id, 0);
  std::map<std::string, dialect::ServedModel> served;
  std::vector<std::string> bases;
  std::vector<Listing::Endpoint> listed;
  bool known = false;
  for (const Endpoint& endpoint : pool.endpoints) {
    const auto models = fleet.served(endpoint.key);
    view.told = view.told || pool.picking.kv_events_port(endpoint, view.picking) != 0;
    if (std::shared_ptr<fleet::Live> live = fleet.find(endpoint.key)) {
      view.endpoints.push_back(std::move(live));
      view.adapter_words.push_back(fleet.adapter_words(endpoint.key));
      const bool by_member = view.adapter_words.back() != nullptr;
      const bool loads_what_is_asked = pool.picking.asks_unlisted && !by_member;
      listed.push_back({loads_what_is_asked ? nullptr : models.get(), by_member});
    }
    if (!models) continue;
    known = true;
    for (const dialect::ServedModel& model : *models) served.emplace(model.id, model);
    add_bases(*models, bases);
  }
  if (std::ranges::none_of(view.adapter_words, [](const auto& words) { return words != nullptr; }))
    view.adapter_words.clear();
  view.listing = Listing::make(listed);
  view.bases = rewrite::NameSet(std::move(bases));
  if (known) {
    std::vector<std::string> names;
    for (const auto& [id, model] : served) names.push_back(id);
    view.served = std::make_shared<const rewrite::NameSet>(std::move(names));
  }
  view.models = std::make_shared<const std::vector<dialect::ServedModel>>(models_of(pool, served));
  return view;
}

}  // namespace

std::vector<fleet::Wanted> wanted_by(const Snapshot& snapshot, EndpointClients& clients) {
  std::vector<fleet::Wanted> wanted;
  for (const Pool& pool : snapshot.pools) {
    const upstream::SecuredPtr secured = clients.find(pool);
    if (pool.tls && !secured) continue;  // plain text would be what nobody asked for
    for (const Endpoint& endpoint : pool.endpoints) {
      wanted.push_back({endpoint.key, endpoint.address, endpoint.max_loras, pool.kind == Pool::kInference,
                        endpoint.name, secured, endpoint.engine});
    }
  }
  return wanted;
}

std::vector<kvfeed::Source> told_by(const Snapshot& snapshot, const fleet::Fleet& fleet,
                                    const pick::Settings& picking) {
  std::vector<kvfeed::Source> sources;
  for (const Pool& pool : snapshot.pools) {
    const pick::Settings settings = pool.picking.over(picking);
    for (const Endpoint& endpoint : pool.endpoints) {
      const std::uint16_t port = pool.picking.kv_events_port(endpoint, settings);
      std::shared_ptr<fleet::Live> live = port == 0 ? nullptr : fleet.find(endpoint.key);
      if (!live || live->prefix_id() == pick::kNoPrefixId) continue;
      const std::string ip = live->address().ip();
      const std::uint16_t replay = pool.picking.kv_replay_port(endpoint);
      sources.push_back({live->prefix_id(), live->name(), kvfeed::stream_at(ip, port),
                         replay == 0 ? std::string() : kvfeed::stream_at(ip, replay), live});
    }
  }
  return sources;
}

WaitingByPool waiting_of(const Snapshot& snapshot, const WaitingByPool& before, std::size_t workers) {
  WaitingByPool waiting;
  for (const Pool& pool : snapshot.pools) {
    const auto known = before.find(pool.id);
    waiting[pool.id] = known != before.end() ? known->second
                                             : Waiting{pool.namespace_ + "/" + pool.name,
                                                       std::make_shared<flow::Cell>(workers)};
  }
  return waiting;
}

View view_of(std::shared_ptr<const Snapshot> snapshot, const fleet::Fleet& fleet,
             const pick::Settings& picking, const WaitingByPool& waiting) {
  View view;
  view.pools.reserve(snapshot->pools.size());
  for (const Pool& pool : snapshot->pools) view.pools.push_back(view_of(pool, fleet, picking, waiting));
  view.snapshot = std::move(snapshot);
  return view;
}

}  // namespace tidegate::gateway
