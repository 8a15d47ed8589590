#include "engine/ops/pool.h"

#include <signal.h>

#include <algorithm>

namespace tidegate::ops {
namespace {

// About ten microseconds of spinning before a thread sleeps.
constexpr int kSpins = 400;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Pool::Pool(std::size_t threads) : shares_(std::max<std::size_t>(threads, 1)) {
  threads = shares_.size();
  for (std::size_t i = 0; i < threads; ++i) scratch_.push_back(std::make_unique<Scratch>());
  // Threads inherit the mask: signals are for whoever waits for them, never for one of the team.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (std::size_t i = 1; i < threads; ++i) team_.emplace_back([this, i] { work(i); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Pool::~Pool() {
  ending_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& thread : team_) thread.join();
}

void Pool::dispatch(std::size_t count, std::size_t grain, void* context, Call call) {
  // Shares are whole pieces, so that callers find the cuts they chose.
  const std::size_t pieces = (count + grain - 1) / grain;
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    shares_[i].next.store(pieces * i / shares_.size() * grain, std::memory_order_relaxed);
    shares_[i].end = std::min(pieces * (i + 1) / shares_.size() * grain, count);
  }
  grain_ = grain;
  context_ = context;
  call_ = call;
  busy_.store(static_cast<std::uint32_t>(team_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  take_pieces(0);
  int spins = 0;
  for (std::uint32_t left = busy_.load(std::memory_order_acquire); left != 0;
       left = busy_.load(std::memory_order_acquire)) {
    if (++spins < kSpins) {
      relax();
    } else {
      busy_.wait(left, std::memory_order_acquire);
    }
  }
}

void Pool::take_pieces(std::size_t index) {
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    Share& share = shares_[(index + i) % shares_.size()];
    for (;;) {
      const std::size_t begin = share.next.fetch_add(grain_, std::memory_order_relaxed);
      if (begin >= share.end) break;
      call_(context_, begin, std::min(begin + grain_, share.end), *scratch_[index]);
    }
  }
}

void Pool::work(std::size_t index) {
  const FlushDenormals flush;
  std::uint32_t seen = 0;
  for (;;) {
    int spins = 0;
    while (epoch_.load(std::memory_order_acquire) == seen) {
      if (++spins < kSpins) {
        relax();
      } else {
        epoch_.wait(seen, std::memory_order_acquire);
      }
    }
    // A new task is never posted before all have finished the last one, so exactly one epoch has passed.
    ++seen;
    if (ending_.load(std::memory_order_relaxed)) return;
    take_pieces(index);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

}  // namespace tidegate::ops
