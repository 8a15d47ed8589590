// Names that controllers make up: the template hash of a ReplicaSet and the suffix of a pod.
//
// Both use the letters Kubernetes uses, without vowels and look-alikes, so that no word comes out by chance.
//
// Thread: pure.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "resource/object.h"

namespace tidegate::workload {

// Of a pod template's content, whatever the order of its members; `collisions` makes another hash of the same
// content.
std::string template_hash(const resource::Json& pod_template, std::int64_t collisions);

// "vllm-llama2-7b-pool-66b4c9d7f8-" -> "...-x7k2p". Cuts the base so that the name stays a valid host label.
std::string name_with_suffix(std::string_view base, Random& random);

// The same letters from a number.
std::string safe_letters(std::uint64_t number);

}  // namespace tidegate::workload
