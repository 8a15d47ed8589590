#include "engine/model/buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

namespace tidegate::model {

Result<Buffer> Buffer::make(std::size_t bytes) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  void* data = MAP_FAILED;
  if (bytes <= memory_limit()) {
    data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  if (data == MAP_FAILED) {
    return fail(Code::kExhausted, std::to_string(bytes >> 20) + " MiB of memory cannot be had");
  }
  ::madvise(data, bytes, MADV_HUGEPAGE);  // fewer address translations; harmless where it is not known
  buffer.data_ = data;
  buffer.bytes_ = bytes;
  return buffer;
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Buffer::~Buffer() {
  if (data_) ::munmap(data_, bytes_);
}

void forget_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<std::uintptr_t>(std::max(::sysconf(_SC_PAGESIZE), 1L));
  const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::size_t memory_limit() {
  const auto pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  std::size_t limit =
      static_cast<std::size_t>(std::max(pages, 1L)) * static_cast<std::size_t>(std::max(page, 1L));
  std::ifstream group("/sys/fs/cgroup/memory.max");
  std::size_t most = 0;
  if (group >> most && most > 0) limit = std::min(limit, most);  // "max" is no number
  return limit;
}

std::size_t available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("MemAvailable:"))
      return std::min<std::size_t>(std::stoull(line.substr(13)) << 10, memory_limit());
  }
  return 0;
}

}  // namespace tidegate::model
