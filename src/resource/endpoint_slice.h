// EndpointSlice as a reader of addresses sees it. The kind is in core.h: whatever is written is kept.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes discovery/v1.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "resource/object.h"

namespace tidegate::resource {

struct EndpointSlice {
  struct Endpoint {
    std::vector<std::string> addresses;
    std::string pod;     // the name of its pod; empty if it is none
    bool ready = false;  // may be sent requests: ready, and not leaving
  };
  struct Port {
    std::string name;
    std::uint16_t port = 0;
  };
  std::string service;         // by the label kubernetes.io/service-name
  bool has_addresses = false;  // IPv4 or IPv6, not names
  std::vector<Endpoint> endpoints;
  std::vector<Port> ports;  // of TCP

  // Errors: kInvalid with the field.
  static Result<EndpointSlice> from(const Object& object);
};

}  // namespace tidegate::resource
