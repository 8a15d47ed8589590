// The thread that steps. Everything the HTTP side wants reaches it through a mailbox; what it makes goes out
// in one batch per step.
//
// It sleeps while there is nothing to step: an idle engine costs nothing. With a model that only says how
// long a step would have taken, it waits that long; steps that follow each other are timed from where the
// last one should have ended, so late wake-ups do not add up. When the receiver falls behind by some batches,
// it waits for it.
//
// Adapters of a simulated model are read at once on this thread; real files are read by a thread of their
// own, so that no step waits for a disk.
//
// Thread: construct, start() and stop() on one thread; submit(), cancel(), call(), stats() and delivered() on
// any.

#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "engine/batch/stepper.h"

namespace tidegate::serve {

class EngineThread {
 public:
  // Called on the engine thread with what one step brought; call delivered() once it has been dealt with.
  using Deliver = std::function<void(std::vector<batch::Output>)>;

  // The model and the clock outlive this.
  EngineThread(std::unique_ptr<batch::Stepper> stepper, batch::Model& model, const Clock& clock,
               Deliver deliver);
  ~EngineThread();

  // From now on told what became of cached blocks, on the engine thread, before the outputs of the same step.
  using CacheNews = std::function<void(const std::vector<batch::CacheEvent>&)>;
  void tell_cache_events(CacheNews news);  // before start()

  void start();
  // Ends the thread after the step under way; nothing is delivered afterwards.
  void stop();

  void submit(std::vector<batch::Submission> submissions);
  void cancel(std::vector<std::uint64_t> ids);
  void delivered();

  // Runs `work` on the engine thread between two steps.
  struct Inside {
    batch::Stepper& stepper;
    TimePoint now;
    std::vector<batch::Output>& outputs;
  };
  void call(std::function<void(Inside&)> work);

  // Makes an adapter known: reads it first, so that a bad one is refused now. `done` runs on the engine
  // thread.
  void load_adapter(batch::AdapterSpec spec, std::function<void(Result<lora::AdapterId>)> done);
  // Known without being read; read early if memory has room.
  lora::AdapterId add_adapter(batch::AdapterSpec spec);  // before start()
  void remove_adapter(lora::AdapterId id);

  // No steps while asleep; requests wait.
  void sleep(bool asleep);

  std::size_t context_max() const { return stepper_->context_max(); }
  bool simulated() const { return model_.facts().simulated; }  // modelled, not computed

  struct Snapshot {
    batch::Stats stats;
    WallTime last_step{};
    Duration busy{0};  // modelled time spent in steps since the start; zero for a model that computes
    std::optional<Error> broken;  // the model failed; nothing will be served again
  };
  Snapshot snapshot() const;

 private:
  struct Mail {
    std::vector<batch::Submission> submissions;
    std::vector<std::uint64_t> cancels;
    std::vector<std::function<void(Inside&)>> calls;
    bool empty() const { return submissions.empty() && cancels.empty() && calls.empty(); }
  };
  struct Read {
    batch::AdapterSpec spec;
    std::function<void(Result<std::unique_ptr<const batch::Adapter>>)> done;  // on the reading thread
  };

  void run();
  void take_mail(std::vector<batch::Output>& outputs);
  bool step(std::vector<batch::Output>& outputs);
  // True if some were finished at once, so that there may be more to do.
  bool start_reads(std::vector<batch::Output>& outputs);
  void finish_read(lora::AdapterId id, Result<std::shared_ptr<const batch::Adapter>> adapter,
                   std::vector<batch::Output>& outputs);
  void wait_for_work();
  void wait_until(TimePoint when);
  void tell_cache_news();
  void hand_over(std::vector<batch::Output>& outputs);
  void publish(bool now_or_never);
  void read_aside(Read read);
  void run_reader();

  std::unique_ptr<batch::Stepper> stepper_;
  batch::Model& model_;
  const Clock& clock_;
  Deliver deliver_;
  CacheNews cache_news_;  // null: nobody wants it
  std::vector<batch::AdapterSpec> specs_;  // by adapter id; engine thread once started

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Mail mail_;
  bool stopping_ = false;
  bool asleep_ = false;
  int undelivered_ = 0;

  std::optional<TimePoint> step_began_at_;  // where the last modelled step should have ended
  Duration busy_{0};
  bool broken_ = false;
  TimePoint published_at_;

  mutable std::mutex snapshot_mutex_;
  Snapshot snapshot_;

  std::mutex reader_mutex_;
  std::condition_variable reader_changed_;
  std::vector<Read> reads_;
  bool reader_stopping_ = false;
  std::thread reader_;  // started with the first read
  std::thread thread_;
};

}  // namespace tidegate::serve
