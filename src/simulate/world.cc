#include "simulate/world.h"

#include <algorithm>
#include <deque>

namespace tidegate::simulate {
namespace {

class World {
 public:
  World(const WorldSpec& spec, const Workload& workload)
      : spec_(spec),
        workload_(workload),
        fleet_(spec.fleet, spec.seed),
        cluster_(spec.cluster, fleet_, run_.chronicle, spec.seed + 1),
        requests_(workload.arrivals.size()) {
    run_.served.resize(workload.arrivals.size());
    cluster_.on_killed = [this](EndpointId endpoint) { lose(endpoint); };
  }

  Outcome go() {
    const TimePoint over = TimePoint{} + spec_.lead + workload_.length;
    while (true) {
      const TimePoint arrival = next_arrival();
      const TimePoint engines = fleet_.next();
      const TimePoint control = cluster_.next();
      const TimePoint now = std::min({arrival, engines, control});
      if (now >= over && next_ == requests_.size() && open_ == 0) break;
      if (engines == now) {
        serve();
      } else if (control == now) {
        control_step(now);
      } else {
        arrive(static_cast<std::uint32_t>(next_++), now);
      }
      last_ = now;
    }
    last_ = std::max(last_, over);
    run_.bill = cluster_.bill(last_);
    run_.ended = last_ - TimePoint{} - spec_.lead;
    return std::move(run_);
  }

 private:
  struct Request {
    Job job;
    TimePoint first{};
    EndpointId endpoint = 0;
    bool open = false;
  };

  TimePoint arrival_of(std::size_t id) const { return TimePoint{} + spec_.lead + workload_.arrivals[id].at; }
  TimePoint next_arrival() const { return next_ < requests_.size() ? arrival_of(next_) : TimePoint::max(); }

  void arrive(std::uint32_t id, TimePoint now) {
    ++open_;
    requests_[id].job = job_of(id);
    if (held_.empty()) {
      dispatch(id, now);
    } else {
      hold(id);
    }
  }

  void hold(std::uint32_t id) {
    held_.push_back(id);
    run_.held_most = std::max(run_.held_most, held_.size());
    cluster_.set_held(held_.size());
  }

  Job job_of(std::uint32_t id) {
    const Arrival& arrival = workload_.arrivals[id];
    const auto most = static_cast<std::uint32_t>(spec_.fleet.engine.context_max());
    Job job{.id = id, .prompt = std::max(arrival.prompt, 1U), .answer = std::max(arrival.answer, 1U)};
    if (job.prompt + job.answer > most) {
      ++run_.clipped;
      job.prompt = std::min(job.prompt, most - 1);
      job.answer = std::min(job.answer, most - job.prompt);
    }
    return job;
  }

  void dispatch(std::uint32_t id, TimePoint now) {
    const Fleet::Dispatch went = fleet_.dispatch(requests_[id].job, now);
    if (went.endpoint) {
      requests_[id].endpoint = *went.endpoint;
      requests_[id].open = true;
    } else if (went.refused == admit::Reason::kNoEndpoints) {
      hold(id);
    } else {
      ++run_.refused;
      --open_;
    }
  }

  void serve() {
    news_.clear();
    const TimePoint now = fleet_.next();
    const EndpointId endpoint = fleet_.advance(news_);
    for (const News& news : news_) {
      Request& request = requests_[news.id];
      Served& served = run_.served[news.id];
      if (news.kind == News::Kind::kFirstToken) {
        request.first = now;
        served.ttft_s = static_cast<float>(seconds(now - arrival_of(news.id)));
        continue;
      }
      const std::uint32_t more = request.job.answer - 1;
      served.tpot_s = more == 0 ? 0 : static_cast<float>(seconds(now - request.first) / more);
      request.open = false;
      --open_;
    }
    if (fleet_.draining(endpoint) && fleet_.in_flight(endpoint) == 0) cluster_.drained(endpoint, now);
  }

  void control_step(TimePoint now) {
    cluster_.advance();
    run_.replicas_most = std::max(run_.replicas_most, cluster_.replicas());
    if (held_.empty() || fleet_.ready() == 0) return;
    std::deque<std::uint32_t> waiting;
    waiting.swap(held_);
    for (const std::uint32_t id : waiting) dispatch(id, now);
    cluster_.set_held(held_.size());
  }

  // A pod went before its streams had ended.
  void lose(EndpointId endpoint) {
    for (std::size_t id = 0; id < next_; ++id) {
      if (!requests_[id].open || requests_[id].endpoint != endpoint) continue;
      requests_[id].open = false;
      run_.served[id] = {};
      ++run_.lost;
      --open_;
    }
  }

  const WorldSpec& spec_;
  const Workload& workload_;
  Outcome run_;
  Fleet fleet_;
  Cluster cluster_;
  std::vector<Request> requests_;
  std::size_t next_ = 0;
  std::size_t open_ = 0;  // arrived and not ended
  std::deque<std::uint32_t> held_;
  std::vector<News> news_;
  TimePoint last_{};
};

}  // namespace

Outcome run(const WorldSpec& spec, const Workload& workload) { return World(spec, workload).go(); }

}  // namespace tidegate::simulate
