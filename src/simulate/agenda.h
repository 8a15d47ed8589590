// When each of some things has something to do: the soonest is found at once, and any of them may change its
// mind. Equal times go by index, so that a run can be repeated.
//
// Thread: one thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace tidegate::simulate {

class Agenda {
 public:
  // Of nobody: TimePoint::max().
  TimePoint soonest() const { return heap_.empty() ? TimePoint::max() : time_[heap_[0]]; }
  std::uint32_t who() const { return heap_[0]; }

  // New indices begin with TimePoint::max().
  void set(std::uint32_t index, TimePoint time) {
    while (index >= time_.size()) {
      time_.push_back(TimePoint::max());
      place_.push_back(static_cast<std::uint32_t>(heap_.size()));
      heap_.push_back(static_cast<std::uint32_t>(time_.size() - 1));
    }
    time_[index] = time;
    sink(rise(place_[index]));
  }

 private:
  bool before(std::uint32_t a, std::uint32_t b) const {
    return time_[a] != time_[b] ? time_[a] < time_[b] : a < b;
  }
  void swap(std::size_t a, std::size_t b) {
    std::swap(heap_[a], heap_[b]);
    place_[heap_[a]] = static_cast<std::uint32_t>(a);
    place_[heap_[b]] = static_cast<std::uint32_t>(b);
  }
  std::size_t rise(std::size_t at) {
    while (at > 0 && before(heap_[at], heap_[(at - 1) / 2])) {
      swap(at, (at - 1) / 2);
      at = (at - 1) / 2;
    }
    return at;
  }
  void sink(std::size_t at) {
    while (true) {
      std::size_t least = at;
      for (std::size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_.size(); ++child) {
        if (before(heap_[child], heap_[least])) least = child;
      }
      if (least == at) return;
      swap(at, least);
      at = least;
    }
  }

  std::vector<TimePoint> time_;       // by index
  std::vector<std::uint32_t> place_;  // by index: where it stands in the heap
  std::vector<std::uint32_t> heap_;   // of indices
};

}  // namespace tidegate::simulate
