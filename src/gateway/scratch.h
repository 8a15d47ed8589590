// Strings that keep their memory from one request to the next.
//
// As many heads are written at once as there are requests under way, which is more than malloc keeps at hand
// of one size; without this each request pays its slow way twice.
//
// Thread: one worker's. A Scratch must not outlive its Scratches.

#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace tidegate::gateway {

class Scratches {
 public:
  Scratches() { free_.reserve(kKeptMax); }

 private:
  friend class Scratch;
  static constexpr std::size_t kKeptMax = 256;
  static constexpr std::size_t kKeptBytesMax = 4096;
  std::vector<std::string> free_;
};

// An empty string for one request.
class Scratch {
 public:
  explicit Scratch(Scratches& from) : from_(from) {
    if (from.free_.empty()) return;
    text_ = std::move(from.free_.back());
    from.free_.pop_back();
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (from_.free_.size() >= Scratches::kKeptMax || text_.capacity() > Scratches::kKeptBytesMax) return;
    text_.clear();
    from_.free_.push_back(std::move(text_));
  }

  std::string& operator*() { return text_; }
  std::string* operator->() { return &text_; }

 private:
  Scratches& from_;
  std::string text_;
};

}  // namespace tidegate::gateway
