#include "engine/weights/checkpoint.h"

#include <nlohmann/json.hpp>
#include <set>

#include "engine/weights/text_file.h"

namespace tidegate::weights {
namespace {

constexpr std::size_t kIndexBytesMax = std::size_t{64} << 20;
constexpr std::size_t kShardsMax = 4096;

// The shards an index names. Names are those of files beside it, nothing else.
Result<std::set<std::string>> shards_of(const std::string& path, const std::string& text,
                                        std::unordered_map<std::string, std::string>& places) {
  const auto index = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return fail(Code::kInvalid, "has no weight_map", path);
  }
  std::set<std::string> shards;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    if (!file.is_string()) return fail(Code::kInvalid, "names a shard that is no string", path);
    const auto& name = file.get_ref<const std::string&>();
    if (name.empty() || name.find('/') != std::string::npos || name.front() == '.' ||
        name.find('\0') != std::string::npos || !name.ends_with(".safetensors")) {
      return fail(Code::kInvalid,
                  "names the shard \"" + name + "\"; only safetensors files beside it are read", path);
    }
    shards.insert(name);
    places.emplace(tensor, name);
  }
  if (shards.size() > kShardsMax) return fail(Code::kTooLarge, "names too many shards", path);
  return shards;
}

}  // namespace

Result<void> Checkpoint::add(MappedFile file, const std::string& path) {
  auto header = parse_safetensors(file.bytes());
  if (!header) {
    header.error().field = path + (header.error().field.empty() ? "" : ": " + header.error().field);
    return tl::unexpected(std::move(header.error()));
  }
  const auto data = file.bytes().subspan(header->data_begin);
  for (TensorInfo& tensor : header->tensors) {
    const auto [place, added] = tensors_.try_emplace(
        std::move(tensor.name),
        Tensor{tensor.dtype, std::move(tensor.shape), data.subspan(tensor.begin, tensor.end - tensor.begin)});
    if (!added)
      return fail(Code::kInvalid, "has the tensor " + place->first + ", which another shard has too", path);
  }
  bytes_ += data.size();
  files_.push_back(std::move(file));
  return {};
}

Result<Checkpoint> Checkpoint::from_file(MappedFile file, const std::string& path) {
  Checkpoint checkpoint;
  if (auto done = checkpoint.add(std::move(file), path); !done)
    return tl::unexpected(std::move(done.error()));
  return checkpoint;
}

Result<Checkpoint> Checkpoint::open(const std::string& folder) {
  const std::string index_path = folder + "/model.safetensors.index.json";
  auto index = read_optional_file(index_path, kIndexBytesMax);
  if (!index) return tl::unexpected(std::move(index.error()));
  if (!*index) {
    const std::string path = folder + "/model.safetensors";
    auto file = MappedFile::open(path);
    if (file) return from_file(std::move(*file), path);
    if (file.error().code != Code::kNotFound) return tl::unexpected(std::move(file.error()));
    return fail(Code::kNotFound,
                "has no model.safetensors and no model.safetensors.index.json; only safetensors are read",
                folder);
  }
  std::unordered_map<std::string, std::string> places;
  auto shards = shards_of(index_path, **index, places);
  if (!shards) return tl::unexpected(std::move(shards.error()));
  Checkpoint checkpoint;
  for (const std::string& shard : *shards) {
    const std::string path = folder + "/" + shard;
    auto file = MappedFile::open(path);
    if (!file) return tl::unexpected(std::move(file.error()));
    if (auto done = checkpoint.add(std::move(*file), path); !done)
      return tl::unexpected(std::move(done.error()));
  }
  for (const auto& [tensor, shard] : places) {
    if (!checkpoint.find(tensor)) {
      return fail(Code::kInvalid, "lacks the tensor " + tensor + ", which the index places there",
                  folder + "/" + shard);
    }
  }
  return checkpoint;
}

const Tensor* Checkpoint::find(std::string_view name) const {
  const auto found = tensors_.find(std::string(name));
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace tidegate::weights
