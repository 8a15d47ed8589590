#include "engine/batch/text.h"

#include <algorithm>

namespace tidegate::batch {

// Length of the longest end of held_ that is a proper beginning of a stop string.
std::size_t OutputText::could_begin_stop() const {
  std::size_t longest = 0;
  for (const std::string& stop : stop_.strings) {
    for (std::size_t size = std::min(stop.size() - 1, held_.size()); size > longest; --size) {
      if (std::string_view(held_).substr(held_.size() - size) == std::string_view(stop).substr(0, size)) {
        longest = size;
        break;
      }
    }
  }
  return longest;
}

const std::string* OutputText::push(Token token, bool search, std::string& shown) {
  if (stop_.strings.empty()) {
    decoder_->push(token, shown);
    return nullptr;
  }
  decoder_->push(token, held_);
  if (!search) {
    shown += held_;
    held_.clear();
    return nullptr;
  }
  const std::string* first = nullptr;
  std::size_t where = std::string::npos;
  for (const std::string& stop : stop_.strings) {
    const std::size_t found = held_.find(stop);
    if (found < where) {
      where = found;
      first = &stop;
    }
  }
  if (first != nullptr) {
    shown.append(held_, 0, where + (stop_.include_in_output ? first->size() : 0));
    held_.clear();
    return first;
  }
  const std::size_t keep = could_begin_stop();
  shown.append(held_, 0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return nullptr;
}

void OutputText::finish(std::string& shown) {
  decoder_->finish(held_);
  shown += held_;
  held_.clear();
}

}  // namespace tidegate::batch
