// The core kinds that carry little: Service, ConfigMap, Secret, Namespace, Node, Event. And those that are
// stored for others and not read here: ServiceAccount, Lease, EndpointSlice.
//
// Like pods they are written for real clusters: every field is accepted, the types of those read here are
// checked.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes core/v1.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "resource/condition.h"
#include "resource/kind.h"
#include "resource/object.h"
#include "resource/reader.h"
#include "resource/selector.h"

namespace tidegate::resource {

struct ServicePort {
  std::string name;
  std::uint16_t port = 0;
  IntOrText target;  // a number, or the name of a container's port
  std::string protocol = "TCP";
  std::uint16_t node_port = 0;  // 0: none
};

struct Service {
  Metadata metadata;
  std::string type = "ClusterIP";
  Labels selector;
  std::vector<ServicePort> ports;
  std::string cluster_ip;  // "None": headless
  std::string external_name;
  bool publish_not_ready = false;

  // Errors: kInvalid with the field.
  static Result<Service> from(const Object& object);
};

struct ConfigMap {
  std::map<std::string, std::string> data;
  std::map<std::string, std::string> binary_data;  // decoded
  bool immutable = false;

  // Errors: kInvalid with the field.
  static Result<ConfigMap> from(const Object& object);
};

// Its values are secrets: never log them, never put them into messages.
struct Secret {
  std::string type = "Opaque";
  std::map<std::string, std::string> data;  // decoded, with stringData merged in
  bool immutable = false;

  // Errors: kInvalid with the field.
  static Result<Secret> from(const Object& object);
};

struct Taint {
  std::string key;
  std::string value;
  std::string effect;  // NoSchedule, PreferNoSchedule or NoExecute
};

struct Node {
  Metadata metadata;
  bool unschedulable = false;
  std::string provider_id;
  std::vector<Taint> taints;
  std::map<std::string, Quantity> capacity;
  std::map<std::string, Quantity> allocatable;  // capacity if it is not given
  std::vector<Condition> conditions;
  std::string internal_ip;

  bool ready() const { return is_true(conditions, "Ready"); }

  // Errors: kInvalid with the field.
  static Result<Node> from(const Object& object);
};

struct EventView {
  Metadata metadata;
  std::string type;  // Normal or Warning
  std::string reason;
  std::string message;
  std::string about_kind;
  std::string about_namespace;
  std::string about_name;
  std::string about_uid;
  std::string source;
  int count = 1;
  std::string first_seen;
  std::string last_seen;

  // Errors: kInvalid with the field.
  static Result<EventView> from(const Object& object);
};

Kind service_kind();
Kind config_map_kind();
Kind secret_kind();
Kind namespace_kind();
Kind node_kind();
Kind event_kind();
Kind service_account_kind();
Kind lease_kind();
Kind endpoint_slice_kind();

}  // namespace tidegate::resource
