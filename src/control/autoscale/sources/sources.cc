#include "control/autoscale/sources/sources.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "control/autoscale/sources/signals.h"
#include "control/autoscale/sources/targets.h"
#include "resource/fields.h"

namespace tidegate::sources {
namespace {

using autoscale::DemandReading;
using autoscale::Gathered;
using autoscale::Reading;
using autoscale::Subject;
using resource::MetricSpec;
using resource::ObjectPtr;

constexpr std::uint16_t kExporterPort = 9400;
constexpr Duration kSlowest = std::chrono::seconds(5);
constexpr Duration kFreshAtLeast = std::chrono::seconds(5);
constexpr Duration kUsageStaleAfter = std::chrono::seconds(60);

constexpr const char* kEngineRunning = "vllm:num_requests_running";
constexpr const char* kEngineWaiting = "vllm:num_requests_waiting";
constexpr const char* kEngineKv = "vllm:kv_cache_usage_perc";
constexpr const char* kEngineKvOld = "vllm:gpu_cache_usage_perc";

std::int64_t to_milli(double value) {
  constexpr double kMost = 9.2e18;
  return static_cast<std::int64_t>(std::llround(std::clamp(value * 1000, -kMost, kMost)));
}

Accepts accepts_for(const MetricSpec& metric) {
  if (!metric.selector) return [](const Labels&) { return true; };
  return [selector = *metric.selector](const Labels& labels) { return selector.matches(labels); };
}

std::string prometheus_of(const Subject& subject, const std::string& otherwise) {
  const auto& annotations = subject.hpa.metadata.annotations;
  const auto found = annotations.find(std::string(kPrometheusAnnotation));
  return found == annotations.end() ? otherwise : found->second;
}

bool is_value_metric(const MetricSpec& metric) {
  return metric.type == MetricSpec::Type::kExternal || metric.type == MetricSpec::Type::kObject;
}

// A metric about an object counts the series that name it, by whichever label they do.
Accepts about_object(const MetricSpec& metric, const std::string& namespace_) {
  const Accepts selected = accepts_for(metric);
  if (metric.type != MetricSpec::Type::kObject) return selected;
  return [selected, slash = namespace_ + "/" + metric.object.name,
          dot = metric.object.name + "." + namespace_](const Labels& labels) {
    if (!selected(labels)) return false;
    for (const char* name : {"pool", "service", "destination_service", "llmproxy_destination_service"}) {
      const auto found = labels.find(name);
      if (found != labels.end() && (found->second == slash || found->second == dot)) return true;
    }
    return false;
  };
}

bool is_restarting(const resource::Object& pod) {
  const resource::Json* statuses = resource::find_array(pod.json(), "status.containerStatuses");
  return statuses != nullptr &&
         std::any_of(statuses->begin(), statuses->end(), [](const resource::Json& status) {
           return !resource::text(status, "state.waiting.reason").empty() ||
                  !resource::text(status, "state.terminated.reason").empty();
         });
}

double sum_where(const Page& page, std::string_view name, const std::function<bool(const Labels&)>& counts) {
  double sum = 0;
  for (const Series& series : page.series) {
    if (series.name == name && counts(series.labels)) sum += series.value;
  }
  return sum;
}

}  // namespace

Sources::Sources(Options options, std::function<std::vector<cluster::PodUsage>()> usage, const Clock& clock)
    : options_(std::move(options)), usage_(std::move(usage)), scraper_(clock) {}

Gathered Sources::gather(const Subject& subject, WallTime now) {
  Pace pace;
  pace.period = std::min(subject.rule.period, kSlowest);
  pace.stale_after = std::max(3 * pace.period, kFreshAtLeast);
  want(subject, pace);
  Gathered gathered;
  for (const MetricSpec& metric : subject.hpa.metrics)
    gathered.readings.push_back(read(subject, metric, pace, now));
  if (subject.rule.demand) gathered.demand = read_demand(subject, pace, now);
  return gathered;
}

void Sources::forget(const std::string& key) {
  scraper_.want(key, {});
  wanted_.erase(key);
  learned_.erase(key);
}

void Sources::want(const Subject& subject, const Pace& pace) {
  std::set<std::string> pod_names;
  std::set<std::string> gateway_names;
  std::map<Target, Want> wants;
  const std::string prometheus = prometheus_of(subject, options_.prometheus);
  for (const MetricSpec& metric : subject.hpa.metrics) {
    if (metric.type == MetricSpec::Type::kPods) {
      pod_names.insert(signal_of(metric.name).series);
      pod_names.insert(metric.name);
    }
    if (!is_value_metric(metric)) continue;
    gateway_names.insert(signal_of(metric.name).series);
    gateway_names.insert(metric.name);
    if (!prometheus.empty())
      wants[query_target(prometheus, query_of(subject.hpa, metric))] = {{}, pace.period};
  }
  std::set<std::string> own_names = pod_names;
  if (subject.rule.demand) {
    own_names.insert({kEngineRunning, kEngineWaiting, kEngineKv, kEngineKvOld});
    gateway_names.insert({std::string(kInFlight), std::string(kQueuedRequests), std::string(kHeldRequests)});
  }
  if (!own_names.empty()) {
    for (const ObjectPtr& pod : subject.pods) {
      if (const auto target = page_of_pod(*pod)) wants[*target] = {own_names, pace.period};
    }
  }
  if (!pod_names.empty()) {
    for (const ObjectPtr& pod : subject.exporters) {
      if (const auto target = page_of_pod(*pod, kExporterPort)) wants[*target] = {pod_names, pace.period};
    }
  }
  if (!gateway_names.empty()) {
    for (const std::string& gateway : options_.gateways)
      wants[{gateway, "/stats/prometheus"}] = {gateway_names, pace.period};
  }
  std::map<Target, Want>& before = wanted_[subject.key];
  if (before == wants) return;
  before = wants;
  scraper_.want(subject.key, std::move(wants));
}

Reading Sources::read(const Subject& subject, const MetricSpec& metric, const Pace& pace, WallTime now) {
  switch (metric.type) {
    case MetricSpec::Type::kPods:
      return read_pods(subject, metric, pace, now);
    case MetricSpec::Type::kResource:
    case MetricSpec::Type::kContainerResource:
      return read_usage(subject, metric, now);
    case MetricSpec::Type::kObject:
    case MetricSpec::Type::kExternal:
      return read_values(subject, metric, pace, now);
  }
  return {};
}

Reading Sources::read_pods(const Subject& subject, const MetricSpec& metric, const Pace& pace, WallTime now) {
  Reading reading;
  const Accepts accepts = accepts_for(metric);
  const Signal signal = signal_of(metric.name);
  std::vector<PagePtr> exporters;
  for (const ObjectPtr& pod : subject.exporters) {
    const auto target = page_of_pod(*pod, kExporterPort);
    if (!target) continue;
    if (PagePtr page = scraper_.history(*target).newest(now, pace.stale_after))
      exporters.push_back(std::move(page));
  }
  std::string error;
  for (const ObjectPtr& pod : subject.pods) {
    const PodName name{pod->namespace_(), pod->name()};
    const auto put = [&](const Page& page, bool own) {
      const auto value = value_of_pod(page, metric.name, name, own, accepts);
      if (value) reading.pods[pod->name()] = {to_milli(*value), page.at, pace.period};
      return value.has_value();
    };
    bool found = false;
    if (const auto target = page_of_pod(*pod)) {
      const History history = scraper_.history(*target);
      const PagePtr page = history.newest(now, pace.stale_after);
      if (page == nullptr && error.empty()) error = history.error;
      found = page != nullptr && put(*page, true);
      const auto derived = found || signal.kind == Signal::Kind::kValue
                               ? std::vector<double>()
                               : values_of(signal, history, accepts, now, pace.stale_after);
      if (!derived.empty()) {
        const double sum = std::accumulate(derived.begin(), derived.end(), 0.0);
        reading.pods[pod->name()] = {to_milli(sum), page->at, pace.period};
        found = true;
      }
    }
    for (const PagePtr& page : exporters) {
      if (!found) found = put(*page, false);
    }
  }
  if (reading.pods.empty()) {
    reading.error = "no metrics returned from custom metrics API" + (error.empty() ? "" : " (" + error + ")");
  }
  return reading;
}

Reading Sources::read_usage(const Subject& subject, const MetricSpec& metric, WallTime now) {
  Reading reading;
  std::set<std::string_view> names;
  for (const ObjectPtr& pod : subject.pods) names.insert(pod->name());
  const auto usages = usage_ ? usage_() : std::vector<cluster::PodUsage>();
  for (const cluster::PodUsage& usage : usages) {
    if (usage.pod.namespace_ != subject.hpa.metadata.namespace_ || !names.contains(usage.pod.name)) continue;
    if (usage.taken_at + kUsageStaleAfter < now) continue;
    double total = 0;
    bool any = false;
    for (const cluster::ContainerUsage& container : usage.containers) {
      if (!metric.container.empty() && container.name != metric.container) continue;
      total += metric.name == "cpu" ? container.usage.cpu_cores
                                    : static_cast<double>(container.usage.memory_bytes);
      any = true;
    }
    if (any) reading.pods[usage.pod.name] = {to_milli(total), usage.taken_at, usage.window};
  }
  if (metric.name != "cpu" && metric.name != "memory") reading.pods.clear();
  if (reading.pods.empty()) reading.error = "no metrics returned from resource metrics API";
  return reading;
}

Reading Sources::read_values(const Subject& subject, const MetricSpec& metric, const Pace& pace,
                             WallTime now) {
  Reading reading;
  std::string error;
  const auto take = [&](const History& history, const std::vector<double>& values) {
    for (const double value : values) reading.values.push_back(to_milli(value));
    if (values.empty() && error.empty()) error = history.error;
  };
  const std::string prometheus = prometheus_of(subject, options_.prometheus);
  if (!prometheus.empty()) {
    const History history = scraper_.history(query_target(prometheus, query_of(subject.hpa, metric)));
    const PagePtr page = history.newest(now, pace.stale_after);
    std::vector<double> values;
    if (page != nullptr) {
      for (const Series& series : page->series) values.push_back(series.value);
    }
    take(history, values);
  }
  const Accepts accepts = about_object(metric, subject.hpa.metadata.namespace_);
  for (const std::string& gateway : options_.gateways) {
    if (!reading.values.empty()) break;
    const History history = scraper_.history({gateway, "/stats/prometheus"});
    auto values = values_of(signal_of(metric.name), history, accepts, now, pace.stale_after);
    if (values.empty()) {
      values = values_of({Signal::Kind::kValue, metric.name, 0}, history, accepts, now, pace.stale_after);
    }
    take(history, values);
  }
  if (reading.values.empty()) {
    reading.error = std::string("no metrics returned from ") +
                    (metric.type == MetricSpec::Type::kObject ? "custom" : "external") + " metrics API" +
                    (error.empty() ? "" : " (" + error + ")");
  }
  return reading;
}

DemandReading Sources::read_demand(const Subject& subject, const Pace& pace, WallTime now) {
  DemandReading demand;
  std::vector<PagePtr> gateways;
  std::string error;
  for (const std::string& gateway : options_.gateways) {
    const History history = scraper_.history({gateway, "/stats/prometheus"});
    if (PagePtr page = history.newest(now, pace.stale_after)) {
      gateways.push_back(std::move(page));
    } else {
      demand.partial = true;
      error = "the gateway at " + gateway +
              " is silent: " + (history.error.empty() ? "its page is old" : history.error);
    }
  }
  for (const PagePtr& page : gateways) {
    for (const auto& [name, into] :
         {std::pair(kQueuedRequests, &demand.queued), {kHeldRequests, &demand.held}}) {
      *into += sum_where(*page, name, [&](const Labels& labels) {
        const auto pool = labels.find("pool");
        return pool != labels.end() &&
               std::find(subject.pools.begin(), subject.pools.end(), pool->second) != subject.pools.end();
      });
    }
  }
  Learned& learned = learned_[subject.key];
  bool any_engine = false;
  bool silent = false;  // a pod that should speak if engines like it do
  for (const ObjectPtr& pod : subject.pods) {
    const std::string ip = resource::text(pod->json(), "status.podIP");
    if (ip.empty()) continue;
    double ours = 0;
    for (const PagePtr& page : gateways) {
      ours += sum_where(*page, kInFlight, [&](const Labels& labels) {
        const auto endpoint = labels.find("endpoint");
        return endpoint != labels.end() && endpoint->second.substr(0, endpoint->second.rfind(':')) ==
                                               (ip.find(':') == std::string::npos ? ip : "[" + ip + "]");
      });
    }
    double theirs = 0;
    const auto target = page_of_pod(*pod);
    const PagePtr page = target ? scraper_.history(*target).newest(now, pace.stale_after) : nullptr;
    if (page != nullptr) {
      const PodName name{pod->namespace_(), pod->name()};
      const auto value = [&](const char* series) {
        return value_of_pod(*page, series, name, true, [](const Labels&) { return true; });
      };
      const auto running = value(kEngineRunning);
      const double waiting = value(kEngineWaiting).value_or(0);
      any_engine = any_engine || running.has_value();
      theirs = running.value_or(0) + waiting;
      if (learned.seen[pod->name()] != page->at) {
        learned.seen[pod->name()] = page->at;
        const auto kv = value(kEngineKv);
        learned.model.learn(pod->name(),
                            {running.value_or(0), waiting, kv ? *kv : value(kEngineKvOld).value_or(0)},
                            subject.rule.demand->ttft_target, page->at);
      }
    } else if (gateways.empty() && resource::condition_is_true(pod->json(), "Ready")) {
      demand.partial = true;
    } else if (learned.seen.contains(pod->name()) && !is_restarting(*pod)) {
      // It spoke before: a link is down. Others may load it, and what its node is thought to be says nothing.
      demand.partial = true;
    } else if (resource::condition_is_true(pod->json(), "Ready")) {
      silent = true;
    }
    demand.in_flight += std::max(ours, theirs);
  }
  std::erase_if(learned.seen, [&](const auto& entry) {
    return std::none_of(subject.pods.begin(), subject.pods.end(),
                        [&](const ObjectPtr& pod) { return pod->name() == entry.first; });
  });
  demand.partial = demand.partial || (silent && any_engine);
  demand.capacity = learned.model.capacity();
  if (gateways.empty() && !any_engine) {
    demand.error = error.empty() ? "neither a gateway nor an engine says how many requests there are" : error;
  }
  return demand;
}

}  // namespace tidegate::sources
