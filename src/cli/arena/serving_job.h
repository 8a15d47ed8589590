// A serving job as arena tells of it: an InferenceService with its Deployments and pods, and the texts of
// `arena serve list` and `arena serve get`.
//
// Thread: pure. Source: kubeflow/arena pkg/serving (list, get, serving_kserve), pkg/apis/types.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "resource/object.h"

namespace tidegate::arena {

struct Instance {
  std::string name, status, age, node, node_ip, ip;
  int ready_containers = 0, containers = 0;
  std::int64_t restarts = 0;
  std::int64_t gpus = 0;
};

struct Traffic {
  std::string revision;
  std::int64_t percent = 0;
  bool previous = false;
};

struct ServingJob {
  std::string uid, name, namespace_, version, age, address;
  std::int64_t created_unix = 0;
  std::int64_t desired = 0, available = 0;
  std::int64_t gpus = 0;  // of all replicas that are wanted
  std::vector<Instance> instances;
  std::vector<Traffic> traffic;
};

// `deployments` and `pods` may hold those of other services; they are told apart by KServe's label.
ServingJob job_of(const resource::Json& service, const std::vector<resource::Json>& deployments,
                  const std::vector<resource::Json>& pods, WallTime now);

// "json", "yaml" or, for everything else, columns.
std::string list_text(const std::vector<ServingJob>& jobs, bool all_namespaces, std::string_view format);
std::string get_text(const ServingJob& job, std::string_view format);

}  // namespace tidegate::arena
