// A fixed team of threads for one computation at a time.
//
// run() gives each thread, the caller among them, an even share of a range, which it takes piece by piece in
// order, so that what is read ahead at the end of a piece is the next one's; who is done helps the others. It
// returns when all are done. Between calls the others spin for a moment and then sleep, so that a stream of
// small matrix products costs no wake-ups and an idle engine costs no processor.
//
// Thread: run() from one thread at a time, always the same one. A piece must not call run().

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "engine/ops/kernels.h"

namespace tidegate::ops {

class Pool {
 public:
  // `threads` counts the caller; at least 1. Members of the team flush denormals; the caller sees to that
  // itself.
  explicit Pool(std::size_t threads);
  ~Pool();

  std::size_t threads() const { return scratch_.size(); }

  // Calls piece(begin, end, scratch) over [0, count) in pieces of `grain` (the last may be shorter). With at
  // most one piece, or a team of one, nobody else is asked. Requires: grain > 0.
  template <typename Piece>
  void run(std::size_t count, std::size_t grain, Piece&& piece) {
    if (count == 0) return;
    if (count <= grain || threads() == 1) return piece(std::size_t{0}, count, *scratch_[0]);
    using Plain = std::remove_reference_t<Piece>;
    dispatch(count, grain, const_cast<std::remove_const_t<Plain>*>(&piece),
             [](void* context, std::size_t begin, std::size_t end, Scratch& scratch) {
               (*static_cast<Plain*>(context))(begin, end, scratch);
             });
  }

 private:
  using Call = void (*)(void* context, std::size_t begin, std::size_t end, Scratch& scratch);

  void dispatch(std::size_t count, std::size_t grain, void* context, Call call);
  void work(std::size_t index);
  void take_pieces(std::size_t index);

  // One thread's share of the task.
  struct alignas(64) Share {
    std::atomic<std::size_t> next{0};  // first piece nobody has taken
    std::size_t end = 0;
  };

  // The task, written by run() before `epoch_` moves and read by the others after it did.
  std::size_t grain_ = 1;
  void* context_ = nullptr;
  Call call_ = nullptr;

  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // moves when there is a task, or the end
  alignas(64) std::atomic<std::uint32_t> busy_{0};   // others that have not finished the task
  std::atomic<bool> ending_{false};
  std::vector<Share> shares_;
  std::vector<std::unique_ptr<Scratch>> scratch_;  // one per thread, the caller's first
  std::vector<std::thread> team_;
};

}  // namespace tidegate::ops
