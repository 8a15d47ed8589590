// A large run of zeroed memory whose pages are taken from the system only when they are touched.
//
// Thread: a value; not synchronised.

#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace tidegate::model {

class Buffer {
 public:
  Buffer() = default;

  // Errors: kExhausted if the machine cannot give that much.
  static Result<Buffer> make(std::size_t bytes);

  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  void* data() const { return data_; }
  float* floats() const { return static_cast<float*>(data_); }
  std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// Gives back the memory of a mapped file's pages that lie wholly in `bytes`; they are read again if touched.
void forget_pages(std::span<const std::byte> bytes);

// Bytes of memory the machine has, or its control group may use.
std::size_t memory_limit();

// Bytes that can be had without pushing others out, as the kernel reckons.
std::size_t available_memory();

}  // namespace tidegate::model
