// The measurements of a calibration: which loads are put on the server, and what is seen of them.
//
// Points are measured in rounds until time is up; of each point the median counts. A load that the server
// does not take (fewer sequences at once, a shorter context) ends its row of points and nothing else.
//
// Thread: the loop's own.

#pragma once

#include <map>
#include <vector>

#include "base/random.h"
#include "cli/calibrate_client.h"
#include "engine/latency/fit.h"

namespace tidegate::cli {

// A request of which a model must say when it gives its first token and its last.
struct HeldOut {
  std::size_t prompt = 1;
  std::size_t answer = 1;
  double sent_ms = 0;
  double first_ms = 0;  // from there
  double whole_ms = 0;
};

class CalibrationMeasure {
 public:
  CalibrationMeasure(net::Loop& loop, CalibrationClient& client, ServerFacts facts, std::size_t step_tokens_max);

  // Rounds until `until_ms` of the client's clock; the first is finished whatever it takes.
  net::Task<Result<void>> rounds(double until_ms);
  // Adapters beside the same load without; whatever the fit says of that load is divided by.
  net::Task<Result<void>> adapters(const latency::Profile& base);
  // Requests of all sizes that come at random, `gap_ms` apart on the average.
  net::Task<Result<std::vector<HeldOut>>> burst(double gap_ms);

  latency::Seen seen() const;
  std::vector<double> single_steps_ms() const { return single_steps_; }
  std::optional<double> cold_adapter_ms() const { return cold_ms_; }
  std::size_t rounds_done() const { return rounds_; }

 private:
  struct Point {
    std::size_t sequences;
    std::size_t prompt;
  };
  struct Window {
    double step_ms = 0;
    double context = 0;
  };

  std::vector<std::int32_t> random_prompt(std::size_t tokens);
  net::Task<Result<std::vector<CalibrationTold>>> together(std::vector<CalibrationAsk> asks);
  net::Task<void> ask_one(const CalibrationAsk& ask, Result<CalibrationTold>& told);
  net::Task<Result<bool>> decode(Point point);
  net::Task<Result<void>> warm_up();
  net::Task<Result<void>> prefill(std::size_t tokens);
  net::Task<Result<double>> first_token_ms(std::string model, std::size_t tokens);
  std::optional<Window> window_of(const std::vector<CalibrationTold>& told, std::size_t prompt) const;
  std::size_t longest() const { return facts_.context_max - 1; }

  net::Loop& loop_;
  CalibrationClient& client_;
  ServerFacts facts_;
  std::size_t step_tokens_max_;
  Random random_{20261125};
  std::map<std::pair<std::size_t, std::size_t>, std::vector<Window>> decodes_;
  std::map<std::size_t, std::vector<double>> prefills_;
  std::vector<latency::AdapterSeen> adapters_;
  std::vector<double> single_steps_;
  std::optional<double> cold_ms_;
  std::size_t sequences_max_;  // what the server was seen not to take lowers it
  std::size_t answer_;         // tokens that a decoding request makes
  std::size_t rounds_ = 0;
};

}  // namespace tidegate::cli
