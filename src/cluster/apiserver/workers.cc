#include "cluster/apiserver/workers.h"

namespace tidegate::apiserver {

Workers::Workers(net::Loop& loop, int threads, std::size_t waiting_max)
    : loop_(loop), waiting_max_(waiting_max) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
}

bool Workers::post(Run* run, std::coroutine_handle<> handle) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || waiting_.size() >= waiting_max_) return false;
    waiting_.push_back({run, handle});
  }
  changed_.notify_one();
  return true;
}

void Workers::work() {
  while (true) {
    Waiting next{};
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      next = waiting_.front();
      waiting_.pop_front();
    }
    next.run->work();
    loop_.post([handle = next.handle] { handle.resume(); });
  }
}

}  // namespace tidegate::apiserver
