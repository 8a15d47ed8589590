// The tensors of a model folder: one model.safetensors, or the shards that model.safetensors.index.json
// names.
//
// Thread: immutable once opened; any thread. The tensors' bytes live as long as the Checkpoint.

#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/weights/mapped_file.h"
#include "engine/weights/safetensors.h"

namespace tidegate::weights {

struct Tensor {
  DType dtype = DType::kF32;
  std::vector<std::size_t> shape;
  std::span<const std::byte> data;  // may be unaligned
};

class Checkpoint {
 public:
  // A model folder. Errors: kNotFound if it has no safetensors, kInvalid for what is wrong in them; the file
  // is the field.
  static Result<Checkpoint> open(const std::string& folder);

  // One file, as adapters have it; `path` is for messages.
  static Result<Checkpoint> from_file(MappedFile file, const std::string& path);

  const Tensor* find(std::string_view name) const;
  const std::unordered_map<std::string, Tensor>& tensors() const { return tensors_; }
  std::size_t bytes() const { return bytes_; }

 private:
  Checkpoint() = default;
  Result<void> add(MappedFile file, const std::string& path);

  std::vector<MappedFile> files_;
  std::unordered_map<std::string, Tensor> tensors_;
  std::size_t bytes_ = 0;
};

}  // namespace tidegate::weights
