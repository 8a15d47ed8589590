// Deployment and ReplicaSet: how many pods of one template there should be.
//
// The template's JSON, from which pods are made, is object.json()["spec"]["template"].
//
// Thread: immutable once read; any thread.
// Source: Kubernetes apps/v1.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "resource/condition.h"
#include "resource/kind.h"
#include "resource/object.h"
#include "resource/pod.h"
#include "resource/selector.h"

namespace tidegate::resource {

struct WorkloadStatus {
  std::int64_t observed_generation = 0;
  int replicas = 0;
  int updated = 0;  // Deployment only
  int ready = 0;
  int available = 0;
  int collision_count = 0;  // Deployment only
  std::vector<Condition> conditions;
};

struct Deployment {
  Metadata metadata;
  int replicas = 1;
  LabelSelector selector;
  PodTemplate pods;
  bool recreate = false;  // strategy Recreate; else RollingUpdate with:
  IntOrText max_surge{0, "25%"};
  IntOrText max_unavailable{0, "25%"};
  int min_ready_s = 0;
  int revision_history_limit = 10;
  int progress_deadline_s = 600;
  bool paused = false;
  WorkloadStatus status;

  // Errors: kInvalid with the field.
  static Result<Deployment> from(const Object& object);
};

struct ReplicaSet {
  Metadata metadata;
  int replicas = 1;
  LabelSelector selector;
  PodTemplate pods;
  int min_ready_s = 0;
  WorkloadStatus status;

  // Errors: kInvalid with the field.
  static Result<ReplicaSet> from(const Object& object);
};

// The syntax of a share: "25%". Empty if right, else what would be.
std::string_view percentage(std::string_view text);

// A number or a share of `total` in percent, rounded up or down. Wrong text counts as 0.
int resolve_share(const IntOrText& amount, int total, bool round_up);

Kind deployment_kind();
Kind replica_set_kind();

}  // namespace tidegate::resource
