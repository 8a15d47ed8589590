#include "machine/node.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "resource/fields.h"

namespace tidegate::machine {
namespace {

using resource::Json;

struct Standing {
  const char* type;
  const char* reason;
  const char* message;
};

// The pressures that kubelets report; here they are never under pressure, because limits are not enforced.
constexpr Standing kPressures[] = {
    {"MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
    {"DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
    {"PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
};

bool is_ours(const std::string& type) {
  const auto* const end = std::end(kPressures);
  return type == "Ready" ||
         std::any_of(kPressures, end, [&](const Standing& each) { return type == each.type; });
}

std::string architecture(const utsname& system) {
  return std::string_view(system.machine) == "aarch64" ? "arm64" : "amd64";
}

Json condition_now(const Json& before, const std::string& type, bool is_true, const std::string& reason,
                   const std::string& message, WallTime now) {
  const std::string status = is_true ? "True" : "False";
  const Json* old = resource::condition(before, type);
  const bool same = old != nullptr && resource::text(*old, "status") == status;
  return Json{{"type", type},
              {"status", status},
              {"lastHeartbeatTime", rfc3339(now)},
              {"lastTransitionTime", same ? resource::text(*old, "lastTransitionTime") : rfc3339(now)},
              {"reason", reason},
              {"message", message}};
}

}  // namespace

Capacity node_capacity(const MachineOptions& options) {
  Capacity capacity;
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  const std::uint64_t memory_kib = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                                   static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE)) / 1024;
  capacity["cpu"] = options.cpu.empty() ? std::to_string(cores) : options.cpu;
  capacity["memory"] = options.memory.empty() ? std::to_string(memory_kib) + "Ki" : options.memory;
  capacity["pods"] = std::to_string(options.pods_max);
  if (options.gpus > 0) capacity["nvidia.com/gpu"] = std::to_string(options.gpus);
  return capacity;
}

std::map<std::string, std::string> node_labels(const MachineOptions& options, const std::string& node) {
  utsname system{};
  uname(&system);
  std::map<std::string, std::string> labels{{"kubernetes.io/hostname", node},
                                            {"kubernetes.io/os", "linux"},
                                            {"kubernetes.io/arch", architecture(system)}};
  if (node == options.node) {
    for (const auto& [name, value] : options.labels) labels[name] = value;
  }
  return labels;
}

Json node_document(const MachineOptions& options, const Capacity& capacity) {
  Json document = Json::object();
  document["apiVersion"] = "v1";
  document["kind"] = "Node";
  document["metadata"] = Json{{"name", options.node}, {"labels", node_labels(options, options.node)}};
  document["spec"] = Json::object();
  document["status"] = Json{{"capacity", capacity}, {"allocatable", capacity}};
  return document;
}

Json node_status(const NodeReport& report, const Json& before, WallTime now) {
  utsname system{};
  uname(&system);
  Json status = Json::object();
  if (const Json* present = resource::find(before, "status")) status = *present;
  const bool from_pool = !resource::text(before, "spec.providerID").empty();
  if (report.capacity && !from_pool) {
    status["capacity"] = *report.capacity;
    status["allocatable"] = *report.capacity;
  }
  status["addresses"] = Json::array({Json{{"type", "InternalIP"}, {"address", report.address}},
                                     Json{{"type", "Hostname"}, {"address", report.name}}});
  status["nodeInfo"] = Json{{"kernelVersion", system.release},
                            {"osImage", "tidegate home"},
                            {"operatingSystem", "linux"},
                            {"architecture", architecture(system)},
                            {"containerRuntimeVersion", "tidegate://processes"},
                            {"kubeletVersion", "v1.32.0-tidegate"}};
  Json conditions = Json::array();
  for (const Standing& pressure : kPressures) {
    conditions.push_back(condition_now(before, pressure.type, false, pressure.reason, pressure.message, now));
  }
  conditions.push_back(
      condition_now(before, "Ready", report.ready, report.ready ? "KubeletReady" : "KubeletStopped",
                    report.ready ? "kubelet is posting ready status" : "the home is closing", now));
  if (const Json* others = resource::find_array(before, "status.conditions")) {
    for (const Json& other : *others) {
      if (!is_ours(resource::text(other, "type"))) conditions.push_back(other);
    }
  }
  status["conditions"] = std::move(conditions);
  return status;
}

}  // namespace tidegate::machine
