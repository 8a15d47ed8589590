#include "net/buffer_pool.h"

namespace tidegate::net {
namespace {

constexpr std::size_t class_size(std::size_t index) { return BufferPool::kSmallest << (2 * index); }

}  // namespace

void Buffer::release() {
  if (data_) pool_->give_back(std::exchange(data_, nullptr), size_);
}

BufferPool::~BufferPool() {
  for (const std::vector<char*>& list : free_) {
    for (char* data : list) ::operator delete(data);
  }
}

Buffer BufferPool::take(std::size_t size) {
  for (std::size_t index = 0; index < kClasses; ++index) {
    if (size > class_size(index)) continue;
    size = class_size(index);
    std::vector<char*>& list = free_[index];
    if (list.empty()) break;
    char* data = list.back();
    list.pop_back();
    kept_bytes_ -= size;
    return Buffer(this, data, size);
  }
  return Buffer(this, static_cast<char*>(::operator new(size)), size);
}

void BufferPool::give_back(char* data, std::size_t size) {
  for (std::size_t index = 0; index < kClasses; ++index) {
    if (size != class_size(index) || kept_bytes_ + size > kept_bytes_max_) continue;
    kept_bytes_ += size;
    free_[index].push_back(data);
    return;
  }
  ::operator delete(data);
}

}  // namespace tidegate::net
