#include "engine/serve/engine_thread.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace tidegate::serve {
namespace {

// Batches that may be on their way to the receiver at once.
constexpr int kUndeliveredMax = 4;
// Statistics are copied out at most this often while the engine is busy.
constexpr Duration kPublishEvery = std::chrono::milliseconds(2);
// How far behind its modelled time a busy engine may fall before the lost time is forgotten.
constexpr Duration kLagMax = std::chrono::milliseconds(50);

}  // namespace

EngineThread::EngineThread(std::unique_ptr<batch::Stepper> stepper, batch::Model& model, const Clock& clock,
                           Deliver deliver)
    : stepper_(std::move(stepper)),
      model_(model),
      clock_(clock),
      deliver_(std::move(deliver)),
      specs_(1),
      snapshot_{stepper_->stats(), {}, {}, {}} {}

EngineThread::~EngineThread() { stop(); }

void EngineThread::tell_cache_events(CacheNews news) {
  TG_CHECK(!thread_.joinable());
  cache_news_ = std::move(news);
  stepper_->record_cache_events(true);
}

void EngineThread::tell_cache_news() {
  if (!cache_news_) return;
  const std::vector<batch::CacheEvent> events = stepper_->take_cache_events();
  if (!events.empty()) cache_news_(events);
}

void EngineThread::start() {
  thread_ = std::thread([this] { run(); });
}

void EngineThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  {
    const std::lock_guard lock(reader_mutex_);
    reader_stopping_ = true;
  }
  reader_changed_.notify_all();
  if (reader_.joinable()) reader_.join();
}

void EngineThread::submit(std::vector<batch::Submission> submissions) {
  {
    const std::lock_guard lock(mutex_);
    std::move(submissions.begin(), submissions.end(), std::back_inserter(mail_.submissions));
  }
  changed_.notify_all();
}

void EngineThread::cancel(std::vector<std::uint64_t> ids) {
  {
    const std::lock_guard lock(mutex_);
    mail_.cancels.insert(mail_.cancels.end(), ids.begin(), ids.end());
  }
  changed_.notify_all();
}

void EngineThread::call(std::function<void(Inside&)> work) {
  {
    const std::lock_guard lock(mutex_);
    mail_.calls.push_back(std::move(work));
  }
  changed_.notify_all();
}

void EngineThread::delivered() {
  bool waited = false;
  {
    const std::lock_guard lock(mutex_);
    waited = undelivered_-- >= kUndeliveredMax;
  }
  if (waited) changed_.notify_all();
}

void EngineThread::sleep(bool asleep) {
  {
    const std::lock_guard lock(mutex_);
    asleep_ = asleep;
  }
  changed_.notify_all();
}

lora::AdapterId EngineThread::add_adapter(batch::AdapterSpec spec) {
  TG_CHECK(!thread_.joinable());
  const lora::AdapterId id = stepper_->add_adapter(spec.name);
  specs_.resize(id + 1);
  specs_[id] = std::move(spec);
  stepper_->prefetch_adapter(id);
  return id;
}

void EngineThread::remove_adapter(lora::AdapterId id) {
  call([id](Inside& inside) { inside.stepper.remove_adapter(id); });
}

void EngineThread::load_adapter(batch::AdapterSpec spec, std::function<void(Result<lora::AdapterId>)> done) {
  Read read;
  read.spec = spec;
  read.done = [this, spec, done = std::move(done)](Result<std::unique_ptr<const batch::Adapter>> adapter) {
    // std::function must be copyable, so the adapter travels shared.
    auto shared = adapter ? Result<std::shared_ptr<const batch::Adapter>>(*std::move(adapter))
                          : Result<std::shared_ptr<const batch::Adapter>>(tl::unexpected(adapter.error()));
    call([this, spec, done, shared](Inside& inside) {
      if (!shared) {
        done(tl::unexpected(shared.error()));
        return;
      }
      const lora::AdapterId id = inside.stepper.add_adapter(spec.name);
      specs_.resize(id + 1);
      specs_[id] = spec;
      if (inside.stepper.prefetch_adapter(id)) {
        // The read that this asks for has just been done. Nothing else is asked for: reads start before mail
        // is taken.
        TG_CHECK(inside.stepper.take_load() == id);
        inside.stepper.adapter_loaded(id, shared, inside.now, inside.outputs);
      }
      done(id);
    });
  };
  if (model_.facts().simulated) {
    read.done(model_.load_adapter(read.spec));
  } else {
    read_aside(std::move(read));
  }
}

void EngineThread::run() {
  std::vector<batch::Output> outputs;
  while (true) {
    outputs.clear();
    start_reads(outputs);
    take_mail(outputs);
    bool stepped = false;
    bool asleep = false;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      asleep = asleep_;
    }
    if (!broken_ && !asleep && !stepper_->idle()) stepped = step(outputs);
    const bool read = start_reads(outputs);
    const bool idle = !stepped && !read && outputs.empty();
    // Before handing over: who has its answer finds it counted.
    const bool ended =
        std::any_of(outputs.begin(), outputs.end(), [](const batch::Output& o) { return o.end != nullptr; });
    publish(idle || ended || stepper_->idle());
    tell_cache_news();
    hand_over(outputs);
    if (idle) {
      step_began_at_.reset();
      wait_for_work();
    }
  }
}

void EngineThread::take_mail(std::vector<batch::Output>& outputs) {
  Mail mail;
  {
    const std::lock_guard lock(mutex_);
    std::swap(mail, mail_);
  }
  if (mail.empty()) return;
  const TimePoint now = clock_.now();
  for (batch::Submission& submission : mail.submissions) {
    if (broken_) {
      batch::Output output;
      output.id = submission.id;
      output.end = std::make_unique<batch::End>();
      output.end->finish = batch::Finish::kError;
      output.end->error = *snapshot().broken;
      outputs.push_back(std::move(output));
    } else {
      stepper_->submit(std::move(submission), now);
    }
  }
  for (const std::uint64_t id : mail.cancels) stepper_->cancel(id, now);
  Inside inside{*stepper_, now, outputs};
  for (const auto& work : mail.calls) work(inside);
}

bool EngineThread::step(std::vector<batch::Output>& outputs) {
  const TimePoint now = clock_.now();
  const auto begun = stepper_->begin(now);
  if (!begun) {
    log::error("engine", "the model failed; nothing more will be served",
               {{"error", describe(begun.error())}});
    broken_ = true;
    stepper_->abort_all(&begun.error(), now, outputs);
    const std::lock_guard lock(snapshot_mutex_);
    snapshot_.broken = begun.error();
    return false;
  }
  if (!begun->stepped) return false;
  if (begun->modelled > Duration::zero()) {
    const TimePoint from = step_began_at_ && now - *step_began_at_ < kLagMax ? *step_began_at_ : now;
    const TimePoint until = from + begun->modelled;
    wait_until(until);
    step_began_at_ = until;
    busy_ += begun->modelled;
  }
  stepper_->end(clock_.now(), outputs);
  return true;
}

// Waits for a modelled step to end; only stop() cuts it short.
void EngineThread::wait_until(TimePoint when) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, when, [this] { return stopping_; });
}

void EngineThread::wait_for_work() {
  const auto wake_at = stepper_->wake_at();
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return stopping_ || !mail_.empty(); };
  if (asleep_ && !stopping_) {
    changed_.wait(lock, [&] { return ready() || !asleep_; });
  } else if (wake_at) {
    changed_.wait_until(lock, *wake_at, ready);
  } else {
    changed_.wait(lock, ready);
  }
}

void EngineThread::hand_over(std::vector<batch::Output>& outputs) {
  if (outputs.empty()) return;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || undelivered_ < kUndeliveredMax; });
    if (stopping_) return;
    ++undelivered_;
  }
  deliver_(std::exchange(outputs, {}));
}

void EngineThread::publish(bool now_or_never) {
  const TimePoint now = clock_.now();
  if (!now_or_never && now - published_at_ < kPublishEvery) return;
  published_at_ = now;
  const batch::Stats& stats = stepper_->stats();
  const std::lock_guard lock(snapshot_mutex_);
  if (stats.steps != snapshot_.stats.steps) snapshot_.last_step = clock_.wall();
  snapshot_.stats = stats;
  snapshot_.busy = busy_;
}

EngineThread::Snapshot EngineThread::snapshot() const {
  const std::lock_guard lock(snapshot_mutex_);
  return snapshot_;
}

bool EngineThread::start_reads(std::vector<batch::Output>& outputs) {
  bool finished = false;
  while (const auto id = stepper_->take_load()) {
    if (model_.facts().simulated) {
      finish_read(*id, model_.load_adapter(specs_[*id]), outputs);
      finished = true;
      continue;
    }
    Read read;
    read.spec = specs_[*id];
    read.done = [this, id = *id](Result<std::unique_ptr<const batch::Adapter>> adapter) {
      auto shared = adapter ? Result<std::shared_ptr<const batch::Adapter>>(*std::move(adapter))
                            : Result<std::shared_ptr<const batch::Adapter>>(tl::unexpected(adapter.error()));
      call([this, id, shared](Inside& inside) { finish_read(id, shared, inside.outputs); });
    };
    read_aside(std::move(read));
  }
  return finished;
}

void EngineThread::finish_read(lora::AdapterId id, Result<std::shared_ptr<const batch::Adapter>> adapter,
                               std::vector<batch::Output>& outputs) {
  if (!adapter) {
    log::warning("engine", "an adapter could not be loaded",
                 {{"adapter", specs_[id].name}, {"error", describe(adapter.error())}});
  }
  stepper_->adapter_loaded(id, std::move(adapter), clock_.now(), outputs);
}

void EngineThread::read_aside(Read read) {
  {
    const std::lock_guard lock(reader_mutex_);
    if (reader_stopping_) return;
    reads_.push_back(std::move(read));
    if (!reader_.joinable()) reader_ = std::thread([this] { run_reader(); });
  }
  reader_changed_.notify_all();
}

void EngineThread::run_reader() {
  std::unique_lock lock(reader_mutex_);
  while (true) {
    reader_changed_.wait(lock, [this] { return reader_stopping_ || !reads_.empty(); });
    if (reader_stopping_) return;
    Read read = std::move(reads_.front());
    reads_.erase(reads_.begin());
    lock.unlock();
    read.done(model_.load_adapter(read.spec));
    lock.lock();
  }
}

}  // namespace tidegate::serve
