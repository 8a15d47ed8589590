#include "simulate/picking.h"

#include <algorithm>
#include <unordered_set>

#include "simulate/report.h"

namespace tidegate::simulate {
namespace {

std::span<const ContentId> content_of(const Workload& workload, const Arrival& arrival) {
  const std::size_t full = arrival.prompt / workload.content_tokens;
  return std::span(workload.content)
      .subspan(arrival.content_begin, std::min<std::size_t>(arrival.content_count, full));
}

double busiest(std::span<const double> loads) {
  double sum = 0;
  double most = 0;
  for (const double load : loads) {
    sum += load;
    most = std::max(most, load);
  }
  return sum > 0 ? most * static_cast<double>(loads.size()) / sum : 0;
}

class Replay {
 public:
  Replay(const PickingSpec& spec, Router router, const Workload& workload)
      : workload_(workload),
        most_(static_cast<std::uint32_t>(spec.engine.context_max())),
        fleet_(fleet_spec(spec, router, workload), spec.seed),
        first_(workload.arrivals.size()),
        jobs_(spec.endpoints) {
    for (std::size_t i = 0; i < spec.endpoints; ++i) endpoints_.push_back(fleet_.add(TimePoint{}));
  }

  PickingResult go() {
    for (std::uint32_t id = 0; id < workload_.arrivals.size(); ++id) {
      const TimePoint now = TimePoint{} + workload_.arrivals[id].at;
      while (fleet_.next() <= now) serve();
      const Fleet::Dispatch went = fleet_.dispatch(job_of(id), now);
      if (went.endpoint) jobs_[*went.endpoint] += 1;
    }
    while (fleet_.next() != TimePoint::max()) serve();
    return result();
  }

 private:
  static FleetSpec fleet_spec(const PickingSpec& spec, Router router, const Workload& workload) {
    FleetSpec fleet;
    fleet.engine = spec.engine;
    fleet.pick = spec.settings;
    fleet.router = router;
    fleet.content_tokens = workload.content_tokens;
    fleet.limits.in_flight_max = 0;
    return fleet;
  }

  Job job_of(std::uint32_t id) const {
    const Arrival& arrival = workload_.arrivals[id];
    Job job{.id = id, .prompt = std::min(arrival.prompt, most_ - 1)};
    job.answer = std::clamp(arrival.answer, 1U, most_ - job.prompt);
    job.content = content_of(workload_, arrival);
    return job;
  }

  void serve() {
    news_.clear();
    const TimePoint now = fleet_.next();
    fleet_.advance(news_);
    for (const News& news : news_) {
      const TimePoint arrived = TimePoint{} + workload_.arrivals[news.id].at;
      if (news.kind == News::Kind::kFirstToken) {
        first_[news.id] = now;
        ttft_.push_back(static_cast<float>(seconds(now - arrived)));
      } else if (workload_.arrivals[news.id].answer > 1) {
        tpot_.push_back(
            static_cast<float>(seconds(now - first_[news.id]) / (workload_.arrivals[news.id].answer - 1)));
      }
    }
  }

  PickingResult result() {
    PickingResult result;
    result.ttft_p50_s = percentile(ttft_, .5);
    result.ttft_p99_s = percentile(ttft_, .99);
    result.tpot_p50_s = percentile(tpot_, .5);
    double cached = 0;
    std::vector<double> work;
    for (const EndpointId id : endpoints_) {
      cached += static_cast<double>(fleet_.engine(id).cached_tokens());
      work.push_back(static_cast<double>(fleet_.engine(id).prefilled_tokens()));
    }
    const auto endless = static_cast<double>(endless_hits(workload_));
    result.hits = endless > 0 ? cached / endless : 0;
    result.busiest_count = busiest(jobs_);
    result.busiest_work = busiest(work);
    return result;
  }

  const Workload& workload_;
  const std::uint32_t most_;
  Fleet fleet_;
  std::vector<EndpointId> endpoints_;
  std::vector<TimePoint> first_;
  std::vector<double> jobs_;
  std::vector<News> news_;
  std::vector<float> ttft_;
  std::vector<float> tpot_;
};

}  // namespace

PickingResult replay(const PickingSpec& spec, Router router, const Workload& workload) {
  PickingResult result = Replay(spec, router, workload).go();
  result.title = name_of(router);
  return result;
}

std::uint64_t endless_hits(const Workload& workload) {
  std::unordered_set<ContentId> held;
  std::uint64_t tokens = 0;
  for (const Arrival& arrival : workload.arrivals) {
    const auto content = content_of(workload, arrival);
    // As in an engine, the last token is always computed.
    const std::size_t usable =
        std::min<std::size_t>(content.size(), (arrival.prompt - 1) / workload.content_tokens);
    std::size_t found = 0;
    while (found < usable && held.contains(content[found])) ++found;
    tokens += found * workload.content_tokens;
    held.insert(content.begin(), content.end());
  }
  return tokens;
}

std::string table_of(std::span<const PickingResult> results) {
  std::vector<std::vector<std::string>> rows = {{"way of choosing", "TTFT p50", "TTFT p99", "TPOT p50",
                                                 "hits / endless", "busiest / mean", "the same by work"}};
  for (const PickingResult& r : results) {
    rows.push_back({r.title, fixed(r.ttft_p50_s, 3), fixed(r.ttft_p99_s, 2), fixed(r.tpot_p50_s * 1000, 1),
                    fixed(r.hits, 3), fixed(r.busiest_count, 2), fixed(r.busiest_work, 2)});
  }
  return aligned(rows) +
         "TTFT in seconds, TPOT in milliseconds; hits: prompt tokens found in the engines' caches over those "
         "that one endless cache\nwould have found; busiest: requests of the endpoint that got most; by "
         "work: "
         "prompt tokens that had to be computed\n";
}

}  // namespace tidegate::simulate
