#include "telemetry/cells.h"

#include <algorithm>
#include <new>

#include "base/check.h"

namespace tidegate::telemetry {
namespace {

constexpr std::size_t kLineBytes = 64;

}  // namespace

void CellArena::Freed::operator()(Word* slab) const {
  ::operator delete[](slab, std::align_val_t{kLineBytes});  // words are trivially destructible
}

Word* CellArena::allocate(std::size_t words) {
  TG_CHECK(words > 0);
  Word* run = nullptr;
  if (auto freed = free_.find(words); freed != free_.end() && !freed->second.empty()) {
    run = freed->second.back();
    freed->second.pop_back();
    for (std::size_t i = 0; i < words; ++i) run[i].store(0, std::memory_order_relaxed);
    return run;
  }
  if (capacity_ - used_ < words) {
    // Whole lines, so that the next slab of another shard starts on a line of its own.
    const std::size_t line_words = kLineBytes / sizeof(Word);
    capacity_ = (std::max(kSlabWords, words) + line_words - 1) / line_words * line_words;
    auto* slab = static_cast<Word*>(::operator new[](capacity_ * sizeof(Word), std::align_val_t{kLineBytes}));
    for (std::size_t i = 0; i < capacity_; ++i) new (slab + i) Word(0);
    slabs_.emplace_back(slab);
    bytes_ += capacity_ * sizeof(Word);
    used_ = 0;
  }
  run = slabs_.back().get() + used_;
  used_ += words;
  return run;
}

void CellArena::release(Word* run, std::size_t words) { free_[words].push_back(run); }

}  // namespace tidegate::telemetry
