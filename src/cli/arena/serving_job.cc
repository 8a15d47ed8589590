#include "cli/arena/serving_job.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/quantity.h"
#include "base/rfc3339.h"
#include "cli/show/table.h"
#include "cli/show/yaml_text.h"
#include "resource/fields.h"

namespace tidegate::arena {
namespace {

using resource::Json;
using resource::number;
using resource::text;

constexpr const char* kServiceLabel = "serving.kserve.io/inferenceservice";

bool belongs_to(const Json& object, const std::string& name, const std::string& namespace_) {
  return text(object, "metadata.namespace") == namespace_ &&
         resource::text_map(object, "metadata.labels")[kServiceLabel] == name;
}

std::int64_t gpus_of(const Json& pod_spec) {
  std::int64_t gpus = 0;
  const Json* containers = resource::find_array(pod_spec, "containers");
  for (std::size_t i = 0; containers != nullptr && i < containers->size(); ++i) {
    const Json* limits = resource::find((*containers)[i], "resources.limits");
    if (limits == nullptr || !limits->is_object()) continue;
    for (const char* name : {"nvidia.com/gpu", "aliyun.com/gpu"}) {
      const auto found = limits->find(name);
      if (found == limits->end()) continue;
      if (found->is_number_integer()) gpus += found->get<std::int64_t>();
      if (!found->is_string()) continue;
      if (const auto quantity = Quantity::parse(found->get<std::string>())) gpus += quantity->whole();
    }
  }
  return gpus;
}

// What keeps a pod from running, else its phase: as the column STATUS of `kubectl get pods`.
std::string status_of(const Json& pod) {
  if (!text(pod, "metadata.deletionTimestamp").empty()) return "Terminating";
  const Json* containers = resource::find_array(pod, "status.containerStatuses");
  for (std::size_t i = 0; containers != nullptr && i < containers->size(); ++i) {
    for (const char* path : {"state.waiting.reason", "state.terminated.reason"}) {
      if (std::string reason = text((*containers)[i], path); !reason.empty()) return reason;
    }
  }
  return text(pod, "status.phase", "Unknown");
}

Instance instance_of(const Json& pod, WallTime now) {
  Instance instance;
  instance.name = text(pod, "metadata.name");
  instance.status = status_of(pod);
  instance.age = show::age_of(text(pod, "metadata.creationTimestamp"), now);
  instance.node = text(pod, "spec.nodeName", "N/A");
  instance.node_ip = text(pod, "status.hostIP");
  instance.ip = text(pod, "status.podIP");
  if (const Json* containers = resource::find_array(pod, "spec.containers")) {
    instance.containers = static_cast<int>(containers->size());
  }
  const Json* statuses = resource::find_array(pod, "status.containerStatuses");
  for (std::size_t i = 0; statuses != nullptr && i < statuses->size(); ++i) {
    if (resource::flag((*statuses)[i], "ready")) ++instance.ready_containers;
    instance.restarts += number((*statuses)[i], "restartCount");
  }
  if (const Json* spec = resource::find(pod, "spec")) instance.gpus = gpus_of(*spec);
  return instance;
}

std::vector<Traffic> traffic_of(const Json& service) {
  std::vector<Traffic> traffic;
  const Json* targets = resource::find_array(service, "status.components.predictor.traffic");
  for (std::size_t i = 0; targets != nullptr && i < targets->size(); ++i) {
    const Json& target = (*targets)[i];
    traffic.push_back(
        {text(target, "revisionName"), number(target, "percent"), text(target, "tag") == "prev"});
  }
  return traffic;
}

// An instance's share of what is shown as JSON and YAML, under arena's own names.
Json document_of(const Instance& instance) {
  return {{"name", instance.name},
          {"status", instance.status},
          {"age", instance.age},
          {"readyContainers", instance.ready_containers},
          {"totalContainers", instance.containers},
          {"restartCount", instance.restarts},
          {"nodeIP", instance.node_ip},
          {"nodeName", instance.node},
          {"ip", instance.ip},
          {"requestGPUs", instance.gpus}};
}

Json document_of(const ServingJob& job) {
  Json endpoints = Json::array();
  if (!job.address.empty()) endpoints.push_back({{"name", ""}, {"port", 80}, {"nodePort", 0}});
  Json instances = Json::array();
  for (const Instance& instance : job.instances) instances.push_back(document_of(instance));
  return {{"uuid", job.uid},
          {"name", job.name},
          {"namespace", job.namespace_},
          {"type", "KServe"},
          {"version", job.version},
          {"age", job.age},
          {"desiredInstances", job.desired},
          {"availableInstances", job.available},
          {"endpoints", std::move(endpoints)},
          {"ip", job.address},
          {"instances", std::move(instances)},
          {"requestGPUs", job.gpus},
          {"creationTimestamp", job.created_unix}};
}

std::string whole(const Json& document, std::string_view format) {
  return format == "yaml" ? show::to_yaml(document)
                          : document.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ports_of(const ServingJob& job) { return job.address.empty() ? "N/A" : ":80"; }

// Columns two blanks apart, as Go's tabwriter sets them for arena.
std::string columns(const std::vector<show::Row>& rows) {
  std::vector<std::size_t> widths;
  for (const show::Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  const auto plain = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c; };
  for (const show::Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] + 2 - row[i].size(), ' ');
    }
    std::transform(line.begin(), line.end(), line.begin(), plain);  // nothing may steer a terminal
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string field(std::string name, std::string_view value, std::size_t width) {
  name.resize(width, ' ');
  std::string line = name.append(value);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

std::string traffic_text(const std::vector<Traffic>& traffic) {
  constexpr std::size_t kWidth = 20;
  std::string out;
  for (const Traffic& target : traffic) {
    const std::string side = target.previous ? "Prev" : "Latest";
    out += field(side + "Revision:", target.revision, kWidth);
    out += field(side + "Precent:", std::to_string(target.percent), kWidth);  // arena's spelling
  }
  return out;
}

}  // namespace

ServingJob job_of(const Json& service, const std::vector<Json>& deployments, const std::vector<Json>& pods,
                  WallTime now) {
  ServingJob job;
  job.uid = text(service, "metadata.uid");
  job.name = text(service, "metadata.name");
  job.namespace_ = text(service, "metadata.namespace");
  const std::string created = text(service, "metadata.creationTimestamp");
  job.age = show::age_of(created, now);
  if (const auto time = parse_rfc3339(created)) {
    job.created_unix = std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count();
  }
  job.address = text(service, "status.url");
  const std::string revision = text(service, "status.components.predictor.latestCreatedRevision");
  constexpr std::size_t kLetters = 5;
  job.version = revision.size() < kLetters ? revision : revision.substr(revision.size() - kLetters);
  job.traffic = traffic_of(service);
  for (const Json& deployment : deployments) {
    if (!belongs_to(deployment, job.name, job.namespace_)) continue;
    job.desired += number(deployment, "status.replicas");
    job.available += number(deployment, "status.availableReplicas");
    const Json* spec = resource::find(deployment, "spec.template.spec");
    if (spec != nullptr) job.gpus += number(deployment, "spec.replicas", 1) * gpus_of(*spec);
  }
  for (const Json& pod : pods) {
    if (belongs_to(pod, job.name, job.namespace_)) job.instances.push_back(instance_of(pod, now));
  }
  return job;
}

std::string list_text(const std::vector<ServingJob>& jobs, bool all_namespaces, std::string_view format) {
  if (format == "json" || format == "yaml") {
    Json list = Json::array();
    for (const ServingJob& job : jobs) list.push_back(document_of(job));
    return whole(list, format);
  }
  const bool gpus = std::any_of(jobs.begin(), jobs.end(), [](const ServingJob& job) { return job.gpus > 0; });
  std::vector<show::Row> rows = {{"NAME", "TYPE", "VERSION", "DESIRED", "AVAILABLE", "ADDRESS", "PORTS"}};
  if (gpus) rows[0].push_back("GPU");
  for (const ServingJob& job : jobs) {
    rows.push_back({job.name, "KServe", job.version, std::to_string(job.desired),
                    std::to_string(job.available), job.address, ports_of(job)});
    if (gpus) rows.back().push_back(std::to_string(job.gpus));
  }
  if (all_namespaces) {
    rows[0].insert(rows[0].begin(), "NAMESPACE");
    for (std::size_t i = 0; i < jobs.size(); ++i) rows[i + 1].insert(rows[i + 1].begin(), jobs[i].namespace_);
  }
  return columns(rows);
}

std::string get_text(const ServingJob& job, std::string_view format) {
  if (format == "json" || format == "yaml") return whole(document_of(job), format);
  constexpr std::size_t kWidth = 12;
  std::string out = field("Name:", job.name, kWidth) + field("Namespace:", job.namespace_, kWidth) +
                    field("Type:", "KServe", kWidth) + field("Version:", job.version, kWidth) +
                    field("Desired:", std::to_string(job.desired), kWidth) +
                    field("Available:", std::to_string(job.available), kWidth) +
                    field("Age:", job.age, kWidth) + field("Address:", job.address, kWidth) +
                    field("Port:", ports_of(job), kWidth);
  std::int64_t gpus = 0;
  for (const Instance& instance : job.instances) gpus += instance.gpus;
  if (gpus > 0) out += field("GPU:", std::to_string(gpus), kWidth);
  if (!job.traffic.empty()) out += '\n' + traffic_text(job.traffic);
  std::vector<show::Row> rows = {{"  NAME", "STATUS", "AGE", "READY", "RESTARTS", "GPU", "NODE"},
                                 {"  ----", "------", "---", "-----", "--------", "---", "----"}};
  for (const Instance& each : job.instances) {
    rows.push_back({"  " + each.name, each.status, each.age,
                    std::to_string(each.ready_containers) + "/" + std::to_string(each.containers),
                    std::to_string(each.restarts), std::to_string(each.gpus), each.node});
  }
  if (gpus == 0) {
    for (show::Row& row : rows) row.erase(row.end() - 2);
  }
  return out + "\nInstances:\n" + columns(rows);
}

}  // namespace tidegate::arena
