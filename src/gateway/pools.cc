#include "gateway/pools.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>
#include <tuple>
#include <utility>

#include "base/ascii.h"
#include "gateway/snapshot.h"
#include "http/head.h"
#include "net/address.h"
#include "resource/inference_model.h"
#include "resource/inference_pool.h"

namespace tidegate::gateway {
namespace {

// As much as a held prompt.
constexpr float kSessionWeight = 3;

std::string title_of(std::string_view group, const std::string& namespace_, const std::string& name) {
  return "InferencePool." + std::string(group) + " " + namespace_ + "/" + name;
}

std::string group_of(const ObjectPtr& object) {
  const std::string& version = object->api_version();
  return version.substr(0, version.find('/'));
}

pick::Criticality criticality_of(resource::Criticality criticality) {
  switch (criticality) {
    case resource::Criticality::kCritical:
      return pick::Criticality::kCritical;
    case resource::Criticality::kStandard:
      return pick::Criticality::kStandard;
    case resource::Criticality::kSheddable:
      return pick::Criticality::kSheddable;
  }
  return pick::Criticality::kStandard;
}

std::string address_of(const std::string& ip, std::uint16_t port) {
  const bool six = ip.find(':') != std::string::npos;
  return (six ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

// Whether the pod serves this one of its pool's ports.
bool is_active(const ServingPod& pod, std::uint16_t port) {
  const auto& annotations = pod.pod.metadata.annotations;
  const auto listed = annotations.find(std::string(kActivePortsAnnotation));
  if (listed == annotations.end()) return true;
  bool active = false;
  http::for_each_in_list(listed->second,
                         [&](std::string_view item) { active |= item == std::to_string(port); });
  return active;
}

Result<bool> parse_unlisted(const std::string& text) {
  if (text != "ask" && text != "skip") return fail(Code::kInvalid, "is neither ask nor skip");
  return text == "ask";
}

// What cannot be read is as if it were not there, and is told in the pool's condition.
Picking picking_of(const resource::InferencePool& spec, const ObjectPtr& object) {
  Picking picking;
  picking.without_prefixes = spec.routing_strategy == "DEFAULT";
  const auto& annotations = object->metadata().annotations;
  const auto read = [&](std::string_view name, auto parse, auto& into) {
    const auto found = annotations.find(std::string(name));
    if (found == annotations.end()) return;
    auto parsed = parse(found->second);
    if (parsed) {
      into = *std::move(parsed);
    } else {
      picking.problem.append(picking.problem.empty() ? "" : "; ")
          .append("annotation ")
          .append(name)
          .append(" ");
      picking.problem += parsed.error().message;
    }
  };
  read(
      kPickerConfigAnnotation, [](const std::string& text) { return read_picker_config("line", text); },
      picking.config);
  read(
      kSessionAnnotation, [](const std::string& text) { return parse_session(text); }, picking.session);
  read(
      kEngineAnnotation, [](const std::string& text) { return dialect::parse_engine(text); }, picking.engine);
  read(kUnlistedAnnotation, parse_unlisted, picking.asks_unlisted);
  read(kKvEventsAnnotation, parse_kv_ports, picking.kv_events);
  read(kKvReplayAnnotation, parse_kv_ports, picking.kv_replay);
  return picking;
}

// Other words than ours may be on it; they say nothing.
dialect::Engine engine_of(const ServingPod& pod) {
  for (const std::string_view name : kEngineLabels) {
    const auto label = pod.pod.metadata.labels.find(std::string(name));
    if (label != pod.pod.metadata.labels.end())
      return dialect::parse_engine(label->second).value_or(dialect::Engine::kUnknown);
  }
  return dialect::Engine::kUnknown;
}

std::uint16_t port_of(std::string_view address) {
  const Result<net::Address> parsed = net::Address::parse(address);
  return parsed ? parsed->port() : 0;
}

void add_endpoint(Pool& pool, std::string address, const ServingPod* pod, std::size_t rank = 0) {
  Endpoint endpoint;
  endpoint.port = port_of(address);
  endpoint.rank = rank;
  endpoint.key = pool.id + " " + address;
  endpoint.address = std::move(address);
  if (pod != nullptr) {
    endpoint.pod = pod->name;
    endpoint.name = rank == 0 ? pod->name : pod->name + "-rank-" + std::to_string(rank);
    endpoint.max_loras = pod->max_loras;
    endpoint.engine = engine_of(*pod);
  }
  if (pool.picking.engine) endpoint.engine = *pool.picking.engine;
  pool.endpoints.push_back(std::move(endpoint));
}

// An address that both a pod and the annotation give counts once, as the pod's.
void sort_endpoints(Pool& pool) {
  std::stable_sort(pool.endpoints.begin(), pool.endpoints.end(),
                   [](const Endpoint& a, const Endpoint& b) { return a.address < b.address; });
  const auto same = [](const Endpoint& a, const Endpoint& b) { return a.address == b.address; };
  pool.endpoints.erase(std::unique(pool.endpoints.begin(), pool.endpoints.end(), same), pool.endpoints.end());
}

// Accepted and Ready say the same: the first is the newer name, the second is what v1alpha1 and v1alpha2
// start with.
Finding model_finding(const ObjectPtr& object, Truth truth, const std::string& reason,
                      const std::string& message) {
  Finding finding;
  finding.object = object;
  finding.conditions = {{"Accepted", truth, reason, message},
                        {"Ready", truth, truth == Truth::kTrue ? "Ready" : reason, message}};
  return finding;
}

Pool pool_of(const resource::InferencePool& spec, const ObjectPtr& object,
             const std::vector<ServingPod>& pods, bool enabled) {
  Pool pool;
  pool.id = title_of(group_of(object), object->namespace_(), object->name());
  pool.namespace_ = object->namespace_();
  pool.name = object->name();
  pool.created = unix_seconds(object->metadata().creation_timestamp);
  pool.http2 = spec.h2c;
  pool.enabled = enabled;
  const auto& annotations = object->metadata().annotations;
  if (const auto sticky = annotations.find(std::string(kStickyHeaderAnnotation));
      sticky != annotations.end()) {
    pool.sticky_header = ascii::to_lower(ascii::trim(sticky->second));
  }
  pool.picking = picking_of(spec, object);
  if (!enabled) return pool;
  for (const ServingPod& pod : pods) {
    if (pod.pod.metadata.namespace_ != pool.namespace_ || !spec.selects_pod(pod.pod.metadata.labels))
      continue;
    for (std::size_t rank = 0; rank < spec.target_ports.size(); ++rank) {
      const std::uint16_t port = spec.target_ports[rank];
      if (is_active(pod, port)) add_endpoint(pool, address_of(pod.pod.status.pod_ip, port), &pod, rank);
    }
  }
  for (const std::string& address : spec.endpoints) add_endpoint(pool, address, nullptr);
  sort_endpoints(pool);
  return pool;
}

}  // namespace

pick::Settings Picking::over(pick::Settings settings) const {
  if (config) config->apply(settings);
  if (without_prefixes) settings.weights.prefix = 0;
  if (session) {
    settings.session = *session;
    if (settings.weights.session == 0) settings.weights.session = kSessionWeight;
  }
  return settings;
}

std::uint16_t Picking::kv_events_port(const Endpoint& endpoint, const pick::Settings& settings) const {
  if (settings.weights.prefix == 0) return 0;
  const KvPorts ports = kv_events.value_or(KvPorts{settings.kv_events_port, {}});
  return ports.of(endpoint.port, endpoint.rank);
}

std::uint16_t Picking::kv_replay_port(const Endpoint& endpoint) const {
  return kv_replay ? kv_replay->of(endpoint.port, endpoint.rank) : 0;
}

std::int64_t unix_seconds(std::string_view text) {
  // Positions of the six numbers in "2026-11-21T21:40:18".
  constexpr std::pair<std::size_t, std::size_t> kPlaces[] = {{0, 4},  {5, 2},  {8, 2},
                                                             {11, 2}, {14, 2}, {17, 2}};
  int part[6] = {};
  for (std::size_t i = 0; i < 6; ++i) {
    if (text.size() < 19) return 0;
    const std::string_view word = text.substr(kPlaces[i].first, kPlaces[i].second);
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), part[i]);
    if (error != std::errc{} || end != word.data() + word.size()) return 0;
  }
  const std::chrono::year_month_day day{std::chrono::year(part[0]),
                                        std::chrono::month(static_cast<unsigned>(part[1])),
                                        std::chrono::day(static_cast<unsigned>(part[2]))};
  if (!day.ok()) return 0;
  return std::chrono::sys_days(day).time_since_epoch().count() * std::int64_t{86'400} + part[3] * 3600 +
         part[4] * 60 + part[5];
}

std::uint32_t max_loras_of(const resource::PodSpec& spec) {
  constexpr std::string_view kFlag = "--max-loras";
  for (const resource::Container& container : spec.containers) {
    std::string line;
    for (const auto* words : {&container.command, &container.args}) {
      for (const std::string& word : *words) line += word + " ";
    }
    for (std::size_t at = line.find(kFlag); at != std::string::npos; at = line.find(kFlag, at + 1)) {
      std::string_view rest = std::string_view(line).substr(at + kFlag.size());
      if (rest.empty() || (rest.front() != '=' && rest.front() != ' ')) continue;
      while (!rest.empty() && (rest.front() == '=' || rest.front() == ' ' || rest.front() == '"'))
        rest.remove_prefix(1);
      std::uint32_t value = 0;
      if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec == std::errc{}) return value;
    }
  }
  return 0;
}

std::vector<ServingPod> serving_pods(const std::vector<ObjectPtr>& pods) {
  std::vector<ServingPod> serving;
  for (const ObjectPtr& object : pods) {
    auto pod = resource::Pod::from(*object);
    if (!pod || !pod->ready() || pod->terminating() || pod->ended() || pod->status.pod_ip.empty()) continue;
    const std::uint32_t max_loras = max_loras_of(pod->spec);
    serving.push_back({*std::move(pod), object->namespace_() + "/" + object->name(), max_loras});
  }
  return serving;
}

PoolSet::PoolSet(const Inputs& inputs, bool enabled) : pods_(serving_pods(inputs.pods)) {
  read_slices(inputs.endpoint_slices);
  for (const ObjectPtr& object : inputs.services) {
    if (auto service = resource::Service::from(*object)) {
      services_.emplace(object->namespace_() + "/" + object->name(), *std::move(service));
    }
  }
  std::vector<std::pair<Pool, ObjectPtr>> read;
  for (const ObjectPtr& object : inputs.inference_pools) {
    auto spec = resource::InferencePool::from(*object);
    if (!spec) {
      Finding finding;
      finding.object = object;
      finding.conditions = {{"Ready", Truth::kFalse, "Invalid", describe(spec.error())}};
      unreadable.push_back(std::move(finding));
      continue;
    }
    read.emplace_back(pool_of(*spec, object, pods_, enabled), object);
  }
  std::sort(read.begin(), read.end(), [](const auto& a, const auto& b) { return a.first.id < b.first.id; });
  for (auto& [pool, object] : read) {
    index_.emplace(pool.id, static_cast<std::uint32_t>(pools_.size()));
    pools_.push_back(std::move(pool));
    objects_.push_back(object);
  }
  for (auto& [id, entries] : read_models(inputs.inference_models))
    pools_[index_.find(id)->second].models = rewrite::ModelTable(std::move(entries));
}

std::string PoolSet::pool_id_of(const std::string& group, const std::string& namespace_,
                                const std::string& name) const {
  const std::string id = title_of(group, namespace_, name);
  if (index_.contains(id) || group != resource::kInferenceGroupOld) return id;
  const std::string newer = title_of(resource::kInferenceGroup, namespace_, name);
  return index_.contains(newer) ? newer : id;
}

std::map<std::string, std::vector<rewrite::ModelEntry>> PoolSet::read_models(
    const std::vector<ObjectPtr>& models) {
  // Oldest first; findings go back to input order through `place`.
  std::vector<std::pair<ObjectPtr, std::size_t>> by_age;
  for (const ObjectPtr& object : models) by_age.emplace_back(object, by_age.size());
  std::sort(by_age.begin(), by_age.end(), [](const auto& a, const auto& b) {
    const auto age = [](const ObjectPtr& o) {
      return std::tie(o->metadata().creation_timestamp, o->namespace_(), o->name());
    };
    return age(a.first) < age(b.first);
  });
  std::map<std::string, std::vector<rewrite::ModelEntry>> result;
  std::map<std::pair<std::string, std::string>, ObjectPtr> holders;  // by pool and model name
  model_findings.resize(models.size());
  for (const auto& [object, place] : by_age) {
    Finding& finding = model_findings[place];
    auto model = resource::InferenceModel::from(*object);
    if (!model) {
      finding = model_finding(object, Truth::kFalse, "Invalid", describe(model.error()));
      continue;
    }
    const std::string id = pool_id_of(model->pool_group, object->namespace_(), model->pool_name);
    if (model->pool_kind != "InferencePool" || !index_.contains(id)) {
      finding = model_finding(object, Truth::kUnknown, "Pending",
                              "spec.poolRef names " + model->pool_kind + " " + model->pool_name +
                                  ", which does not exist in namespace " + object->namespace_() +
                                  "; create it or correct the name");
      continue;
    }
    const auto [holder, is_first] = holders.emplace(std::pair(id, model->model_name), object);
    if (!is_first) {
      finding = model_finding(object, Truth::kFalse, "ModelNameInUse",
                              "spec.modelName " + model->model_name + " is taken in this pool by the older " +
                                  holder->second->title() + "; use another name or delete that object");
      continue;
    }
    std::vector<rewrite::Target> targets;
    for (const resource::TargetModel& target : model->targets)
      targets.push_back({target.name, target.weight, {}});
    if (targets.empty()) targets.push_back({model->model_name, std::nullopt, {}});
    auto split = rewrite::Split::make("spec.targetModels", std::move(targets));
    if (!split) {
      holders.erase(holder);
      finding = model_finding(object, Truth::kFalse, "Invalid", describe(split.error()));
      continue;
    }
    finding =
        model_finding(object, Truth::kTrue, "Accepted", "The model is served by pool " + model->pool_name);
    result[id].push_back({model->model_name, *std::move(split), criticality_of(model->criticality),
                          object->title(), unix_seconds(object->metadata().creation_timestamp)});
  }
  return result;
}

std::uint32_t PoolSet::find(std::string_view group, const std::string& namespace_,
                            const std::string& name) const {
  const auto found = index_.find(title_of(group, namespace_, name));
  return found == index_.end() ? kNone : found->second;
}

void PoolSet::secure(std::uint32_t index, const EndpointTls& tls) {
  Pool& pool = pools_[index];
  pool.tls = tls;
  if (!tls.problem.empty()) pool.endpoints.clear();
  const std::size_t rules =
      std::hash<std::string>()(tls.server_name + "\n" + tls.policy + "\n" + tls.authorities_pem);
  // Other rules make it another endpoint. Without a blank: stats.cc finds the pool by the last one.
  for (Endpoint& endpoint : pool.endpoints) endpoint.key += "+tls-" + std::to_string(rules);
}

void PoolSet::read_slices(const std::vector<ObjectPtr>& objects) {
  for (const ObjectPtr& object : objects) {
    auto slice = resource::EndpointSlice::from(*object);
    if (!slice || slice->service.empty() || !slice->has_addresses) continue;
    const std::string service = object->namespace_() + "/" + slice->service;
    slices_.emplace(service, *std::move(slice));
  }
}

void PoolSet::add_pods(Pool& pool, const resource::Service& service,
                       const resource::ServicePort& port) const {
  for (const ServingPod& pod : pods_) {
    if (pod.pod.metadata.namespace_ != pool.namespace_ ||
        !resource::selects(service.selector, pod.pod.metadata.labels))
      continue;
    const auto target = port.target.text.empty() ? std::optional<std::uint16_t>()
                                                 : resource::find_port(pod.pod.spec, port.target.text);
    const auto number = target ? *target : static_cast<std::uint16_t>(port.target.number);
    if (number == 0 && !port.target.text.empty()) continue;  // the pod has no port of that name
    add_endpoint(pool, address_of(pod.pod.status.pod_ip, number == 0 ? port.port : number), &pod);
  }
}

void PoolSet::add_slices(Pool& pool, const std::string& service, const resource::ServicePort& port) const {
  const auto [begin, end] = slices_.equal_range(service);
  for (auto entry = begin; entry != end; ++entry) {
    const resource::EndpointSlice& slice = entry->second;
    const auto at = std::ranges::find_if(slice.ports, [&](const auto& one) { return one.name == port.name; });
    if (at == slice.ports.end()) continue;
    for (const resource::EndpointSlice::Endpoint& endpoint : slice.endpoints) {
      // The addresses of one endpoint are the same place: the first is enough.
      if (!endpoint.ready || endpoint.addresses.empty()) continue;
      const std::string address = address_of(endpoint.addresses.front(), at->port);
      if (!net::Address::parse(address)) continue;
      add_endpoint(pool, address, nullptr);
      if (!endpoint.pod.empty()) pool.endpoints.back().pod = pool.namespace_ + "/" + endpoint.pod;
    }
  }
}

std::uint32_t PoolSet::service(const std::string& namespace_, const std::string& name, std::uint16_t port,
                               ServiceError& error) {
  error = ServiceError::kNone;
  const std::string key = namespace_ + "/" + name;
  const auto found = services_.find(key);
  if (found == services_.end()) {
    error = ServiceError::kNotFound;
    return kNone;
  }
  const resource::Service& service = found->second;
  if (service.type == "ExternalName") {
    error = ServiceError::kExternalName;
    return kNone;
  }
  const auto named = std::find_if(service.ports.begin(), service.ports.end(),
                                  [&](const resource::ServicePort& p) { return p.port == port; });
  if (named == service.ports.end()) {
    error = ServiceError::kNoSuchPort;
    return kNone;
  }
  Pool pool;
  pool.kind = Pool::kService;
  pool.id = "Service " + key + ":" + std::to_string(port);
  if (const auto known = index_.find(pool.id); known != index_.end()) return known->second;
  pool.namespace_ = namespace_;
  pool.name = name;
  pool.port_name = named->name;
  add_pods(pool, service, *named);
  if (pool.endpoints.empty()) add_slices(pool, key, *named);
  sort_endpoints(pool);
  const auto index = static_cast<std::uint32_t>(pools_.size());
  index_.emplace(pool.id, index);
  pools_.push_back(std::move(pool));
  return index;
}

}  // namespace tidegate::gateway
