#include "control/externalgrpc/workers.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"

namespace tidegate::externalgrpc {
namespace {

constexpr Duration kBusyLook = std::chrono::milliseconds(200);
constexpr Duration kDetails = std::chrono::minutes(10);  // how old template, label and price may be
constexpr Duration kRemovalKept = std::chrono::minutes(10);

}  // namespace

class Workers::Worker {
 public:
  Worker(const Module* module, const std::string& missing, Setting setting)
      : module_(module), setting_(std::move(setting)) {
    if (module_ == nullptr) {
      view_.error = missing;
      return;
    }
    session_ = module_->open(setting_.service);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  ~Worker() {
    if (session_ == nullptr) return;
    thread_.request_stop();
    module_->cancel(session_);
    wake_.notify_all();
    thread_.join();
    module_->close(session_);
  }

  const Setting& setting() const { return setting_; }

  void clean_up() {
    if (session_ != nullptr) module_->clean_up(session_);
  }

  // False if a turn is under way.
  bool begin(Order order, WallTime now) {
    const std::lock_guard held(mutex_);
    if (module_ == nullptr) view_.failed = now;
    if (module_ == nullptr || view_.busy) return false;
    order.details = !detailed_ || now - *detailed_ >= kDetails;
    view_.busy = true;
    began_ = now;
    order_ = std::move(order);
    wake_.notify_all();
    return true;
  }

  Duration due_in(WallTime now) const {
    const std::lock_guard held(mutex_);
    if (view_.busy) return kBusyLook;
    return began_ ? std::max(Duration::zero(), *began_ + setting_.refresh - now) : Duration::zero();
  }

  View view() const {
    const std::lock_guard held(mutex_);
    return view_;
  }

 private:
  void run(const std::stop_token& stop) {
    std::unique_lock held(mutex_);
    while (true) {
      wake_.wait(held, [&] { return stop.stop_requested() || order_; });
      if (stop.stop_requested()) return;
      const Order order = std::move(*order_);
      order_.reset();
      held.unlock();
      Answer answer;
      module_->talk(session_, order, answer);
      if (answer.error.empty()) answer.error = impossible(answer.group);
      held.lock();
      take(order, std::move(answer));
    }
  }

  std::string impossible(const Group& group) const {
    const std::string what = flaw(group);
    return what.empty() ? what : "node group " + setting_.service.group + " is said to have " + what;
  }

  // With mutex_ held.
  void take(const Order& order, Answer answer) {
    view_.busy = false;
    if (!answer.grow_error.empty()) {
      view_.grow_failed = began_;
      view_.grow_error = std::move(answer.grow_error);
    }
    std::erase_if(view_.removals, [&](const auto& each) { return *began_ - each.second.at > kRemovalKept; });
    for (auto& [id, error] : answer.removed) view_.removals[id] = {*began_, std::move(error)};
    view_.error = std::move(answer.error);
    if (!view_.error.empty()) {
      view_.failed = began_;
      return;
    }
    if (order.details) {
      detailed_ = began_;
    } else {
      answer.group.node = std::move(view_.group.node);
      answer.group.gpu_label = std::move(view_.group.gpu_label);
      answer.group.price = view_.group.price;
    }
    view_.failed.reset();
    view_.seen = began_;
    view_.group = std::move(answer.group);
  }

  const Module* const module_;
  const Setting setting_;
  Session* session_ = nullptr;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  View view_;                         // this and below: guarded by mutex_
  std::optional<Order> order_;        // not taken up yet
  std::optional<WallTime> began_;     // the latest turn
  std::optional<WallTime> detailed_;  // the latest with details
  std::jthread thread_;
};

Workers::Workers(const Module* module) : module_(module) {}

Workers::~Workers() {
  std::set<std::string> told;
  for (auto& [name, worker] : workers_) {
    if (told.insert(worker->setting().service.address).second) worker->clean_up();
  }
}

void Workers::keep(const std::map<std::string, Setting>& pools) {
  std::erase_if(workers_, [&](const auto& entry) {
    const auto wanted = pools.find(entry.first);
    return wanted == pools.end() || !(wanted->second == entry.second->setting());
  });
  for (const auto& [name, setting] : pools) {
    if (workers_.contains(name)) continue;
    if (module_ == nullptr) {
      const auto loaded = load_module();
      if (loaded) module_ = *loaded;
      missing_ = loaded ? std::string() : loaded.error().message;
      if (!loaded) log::error("externalgrpc", "no gRPC", {{"error", missing_}});
    }
    workers_.emplace(name, std::make_unique<Worker>(module_, missing_, setting));
  }
}

std::optional<Duration> Workers::look(const std::vector<Node>& strangers, WallTime now) {
  std::optional<Duration> next;
  for (auto& [name, worker] : workers_) {
    Duration due = worker->due_in(now);
    if (due == Duration::zero()) {
      Order order;
      order.strangers = strangers;
      due = worker->begin(std::move(order), now) ? kBusyLook : worker->setting().refresh;
    }
    next = std::min(next.value_or(due), due);
  }
  return next;
}

void Workers::order(const std::string& pool, Order order, WallTime now) {
  const auto found = workers_.find(pool);
  if (found != workers_.end()) found->second->begin(std::move(order), now);
}

std::map<std::string, View> Workers::views() const {
  std::map<std::string, View> views;
  for (const auto& [name, worker] : workers_) views[name] = worker->view();
  return views;
}

}  // namespace tidegate::externalgrpc
