// A whole file, mapped read-only. Engines on one machine that serve the same model share its pages.
//
// The file must not be cut while it is mapped: reading past a new end ends the process (SIGBUS). Model files
// are replaced by renaming, never rewritten.
//
// Thread: any, once opened.

#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace tidegate::weights {

class MappedFile {
 public:
  // Errors: kNotFound, kInvalid (not a regular file), kInternal; the path is the error's field.
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace tidegate::weights
