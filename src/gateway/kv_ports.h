// Where a pool's engines publish their KV events: the annotations tidegate.dev/kv-events-port and
// tidegate.dev/kv-events-replay-port.
//
//   "5557"                   at 5557; of a pod that serves several of the pool's ports the second's at 5558,
//   and
//                            so on, as vLLM's data parallel ranks have it
//   "8000=5557, 8001=5600"   for each of the pool's ports its own; one that is not named has none
//   "0"                      nowhere
//
// Thread: values.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tidegate::gateway {

struct KvPorts {
  std::uint16_t first = 0;
  std::vector<std::pair<std::uint16_t, std::uint16_t>> by_port;

  // That of the endpoint at `port`, the pod's `rank`-th from 0; 0: none.
  std::uint16_t of(std::uint16_t port, std::size_t rank) const;
  bool operator==(const KvPorts&) const = default;
};

// Errors: kInvalid, to be read behind the annotation's name.
Result<KvPorts> parse_kv_ports(std::string_view text);

}  // namespace tidegate::gateway
