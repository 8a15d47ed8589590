#include "engine/weights/safetensors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace tidegate::weights {
namespace {

struct Type {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<Type, 15> kTypes = {{{DType::kBool, "BOOL", 1},
                                          {DType::kU8, "U8", 1},
                                          {DType::kI8, "I8", 1},
                                          {DType::kF8E4M3, "F8_E4M3", 1},
                                          {DType::kF8E5M2, "F8_E5M2", 1},
                                          {DType::kI16, "I16", 2},
                                          {DType::kU16, "U16", 2},
                                          {DType::kF16, "F16", 2},
                                          {DType::kBf16, "BF16", 2},
                                          {DType::kI32, "I32", 4},
                                          {DType::kU32, "U32", 4},
                                          {DType::kF32, "F32", 4},
                                          {DType::kI64, "I64", 8},
                                          {DType::kU64, "U64", 8},
                                          {DType::kF64, "F64", 8}}};

// Receives the header as a stream of events, so that duplicate keys are seen and nothing is built that is not
// needed.
//
//   {"__metadata__": {string: string...}, name: {"dtype": string, "shape": [number...], "data_offsets":
//   [number, number]}}
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(Header& header) : header_(header) {}

  const Error& error() const { return error_; }

  bool start_object(std::size_t) override {
    if (place_ == Place::kStart) return go(Place::kTop);
    if (place_ != Place::kEntry) return wrong("holds an object where none belongs");
    if (name_ == "__metadata__") return go(Place::kMetadata);
    header_.tensors.emplace_back();
    tensor().name = name_;
    seen_ = {};
    return go(Place::kTensor);
  }

  bool key(std::string& text) override {
    if (place_ == Place::kTop) {
      name_ = text;
      if (!names_.insert(text).second) return wrong("is named twice");
      return go(Place::kEntry);
    }
    if (place_ == Place::kMetadata) {
      metadata_key_ = text;
      return true;
    }
    static constexpr std::array<std::string_view, 3> kFields = {"dtype", "shape", "data_offsets"};
    const auto field =
        static_cast<std::size_t>(std::find(kFields.begin(), kFields.end(), text) - kFields.begin());
    if (field == kFields.size()) return wrong("has an unknown field \"" + text + "\"");
    if (seen_[field]) return wrong("has the field \"" + text + "\" twice");
    seen_[field] = true;
    constexpr std::array<Place, 3> kPlaces = {Place::kType, Place::kShape, Place::kOffsets};
    return go(kPlaces[field]);
  }

  bool string(std::string& text) override {
    if (place_ == Place::kMetadata) {
      header_.metadata.emplace_back(metadata_key_, text);
      return true;
    }
    if (place_ != Place::kType) return wrong("holds a string where none belongs");
    const auto dtype = dtype_of(text);
    if (!dtype) return wrong("has dtype \"" + text + "\", which is not supported");
    tensor().dtype = *dtype;
    return go(Place::kTensor);
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::kShape && place_ != Place::kOffsets) return wrong("holds a list where none belongs");
    if (inside_list_) return wrong("holds a list in a list");
    inside_list_ = true;
    numbers_.clear();
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (!inside_list_) return wrong("holds a number where none belongs");
    if (numbers_.size() >= kTensorRankMax)
      return wrong("has more than " + std::to_string(kTensorRankMax) + " dimensions");
    numbers_.push_back(value);
    return true;
  }

  bool end_array() override {
    inside_list_ = false;
    if (place_ == Place::kShape) {
      tensor().shape.assign(numbers_.begin(), numbers_.end());
    } else {
      if (numbers_.size() != 2) return wrong("has data_offsets that are no pair");
      tensor().begin = numbers_[0];
      tensor().end = numbers_[1];
    }
    return go(Place::kTensor);
  }

  bool end_object() override {
    if (place_ == Place::kTop) return go(Place::kEnd);
    if (place_ == Place::kTensor && !std::all_of(seen_.begin(), seen_.end(), [](bool s) { return s; })) {
      return wrong("lacks dtype, shape or data_offsets");
    }
    return go(Place::kTop);
  }

  bool number_integer(std::int64_t) override { return wrong("holds a negative number"); }
  bool number_float(double, const std::string&) override { return wrong("holds a fraction"); }
  bool boolean(bool) override { return wrong("holds a truth value where none belongs"); }
  bool null() override { return wrong("holds null"); }
  bool binary(nlohmann::json::binary_t&) override { return wrong("holds binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    name_.clear();
    return wrong("header is no valid JSON at byte " + std::to_string(position));
  }

 private:
  enum class Place { kStart, kTop, kEntry, kMetadata, kTensor, kType, kShape, kOffsets, kEnd };

  bool go(Place place) {
    place_ = place;
    return true;
  }
  bool wrong(std::string message) {
    if (error_.message.empty()) error_ = Error{Code::kInvalid, name_, std::move(message)};
    return false;
  }
  TensorInfo& tensor() { return header_.tensors.back(); }

  Header& header_;
  Error error_;
  Place place_ = Place::kStart;
  std::string name_, metadata_key_;
  std::unordered_set<std::string> names_;
  std::array<bool, 3> seen_{};
  bool inside_list_ = false;
  std::vector<std::uint64_t> numbers_;
};

// shape's product times the type's size, or nothing if that does not fit.
std::optional<std::size_t> bytes_of(const TensorInfo& tensor) {
  std::size_t bytes = dtype_bytes(tensor.dtype);
  for (const std::size_t side : tensor.shape) {
    if (__builtin_mul_overflow(bytes, side, &bytes)) return std::nullopt;
  }
  return bytes;
}

}  // namespace

std::size_t dtype_bytes(DType dtype) { return kTypes[static_cast<std::size_t>(dtype)].bytes; }

std::string_view dtype_name(DType dtype) { return kTypes[static_cast<std::size_t>(dtype)].name; }

std::optional<DType> dtype_of(std::string_view name) {
  for (const Type& type : kTypes) {
    if (type.name == name) return type.dtype;
  }
  return std::nullopt;
}

Result<Header> parse_safetensors(std::span<const std::byte> file) {
  if (file.size() < 8) return invalid("", "is too short for a safetensors file");
  std::uint64_t size = 0;
  for (int i = 7; i >= 0; --i)
    size = (size << 8) | static_cast<std::uint64_t>(file[static_cast<std::size_t>(i)]);
  if (size > kHeaderBytesMax || size > file.size() - 8) {
    return invalid(
        "", "says that its header has " + std::to_string(size) + " bytes, more than there are or may be");
  }
  const auto* text = reinterpret_cast<const char*>(file.data()) + 8;
  if (size == 0 || text[0] != '{') return invalid("", "has a header that does not begin with '{'");
  Header header;
  header.data_begin = 8 + size;
  HeaderReader reader(header);
  if (!nlohmann::json::sax_parse(text, text + size, &reader)) return tl::unexpected(reader.error());

  std::sort(header.tensors.begin(), header.tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::size_t covered = 0;
  for (const TensorInfo& tensor : header.tensors) {
    if (tensor.begin != covered || tensor.end < tensor.begin) {
      return invalid(tensor.name,
                     "does not begin where the tensor before it ends (byte " + std::to_string(covered) + ")");
    }
    const auto bytes = bytes_of(tensor);
    if (!bytes || *bytes != tensor.end - tensor.begin) {
      return invalid(tensor.name, "has a range that does not fit its shape and type");
    }
    covered = tensor.end;
  }
  if (covered != file.size() - header.data_begin) {
    return invalid("", "has " + std::to_string(file.size() - header.data_begin) +
                           " bytes of data, but the header describes " + std::to_string(covered) +
                           "; the file may be cut or half downloaded");
  }
  return header;
}

}  // namespace tidegate::weights
