// A safetensors header: read or refused, and what is accepted covers the file exactly.

#include <cstdint>
#include <cstdlib>
#include <span>

#include "engine/weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate::weights;
  const std::span file(reinterpret_cast<const std::byte*>(data), size);
  const auto header = parse_safetensors(file);
  if (!header) {
    if (header.error().message.empty()) std::abort();
    return 0;
  }
  std::size_t covered = header->data_begin;
  for (const TensorInfo& tensor : header->tensors) {
    std::size_t bytes = dtype_bytes(tensor.dtype);
    for (const std::size_t side : tensor.shape) bytes *= side;
    if (header->data_begin + tensor.begin != covered || tensor.end - tensor.begin != bytes) std::abort();
    covered += bytes;
  }
  if (covered != size) std::abort();
  return 0;
}
