// The safetensors format: a JSON header that names tensors, then their bytes.
//
// Nothing in the header is trusted. Accepted are only files whose ranges cover the data section exactly, each
// as long as its shape and type say, with unique names and nothing that the format does not name.
//
// Thread: pure.
// Source: huggingface/safetensors README and safetensors/src/tensor.rs.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tidegate::weights {

inline constexpr std::size_t kHeaderBytesMax = 100'000'000;  // the format's own limit
inline constexpr std::size_t kTensorRankMax = 8;

enum class DType : std::uint8_t {
  kBool,
  kU8,
  kI8,
  kF8E4M3,
  kF8E5M2,
  kI16,
  kU16,
  kF16,
  kBf16,
  kI32,
  kU32,
  kF32,
  kI64,
  kU64,
  kF64,
};

std::size_t dtype_bytes(DType dtype);
std::string_view dtype_name(DType dtype);
std::optional<DType> dtype_of(std::string_view name);

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::size_t> shape;  // empty: one number
  std::size_t begin = 0, end = 0;  // in the data section
};

struct Header {
  std::vector<TensorInfo> tensors;  // by place in the data section
  std::vector<std::pair<std::string, std::string>> metadata;
  std::size_t data_begin = 0;  // in the file
};

// Reads the header of a whole file and checks it against the file's size.
// Errors: kInvalid, with the tensor's name as the field where there is one.
Result<Header> parse_safetensors(std::span<const std::byte> file);

}  // namespace tidegate::weights
