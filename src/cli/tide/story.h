// What happened in one walk, and whether it was the tide: scenes and Events go in as they come, a timeline
// and a verdict come out.
//
// Thread: a value.

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/tide/scene.h"

namespace tidegate::tide {

class Story {
 public:
  // `most`: the replicas that the walk has to reach.
  explicit Story(std::int64_t most) : most_(most) {}

  void look(const Scene& scene);
  // An Event of the API. Each is told once, at the time it was first seen here; what is no part of the story
  // is left out.
  void hear(const resource::Json& event, double at_s);
  // What is there before the walk begins is no part of it.
  void skip(const resource::Json& event);
  void load_stops(double at_s);

  bool risen() const { return ready_at_.contains(most_); }
  // Nothing is left of the flood: one replica, no machine rented.
  bool back() const { return back_at_.has_value(); }

  std::string timeline() const;

  // Empty if all went as it should; else one sentence each.
  std::vector<std::string> complaints() const;

  // First time that so many replicas were wanted; were ready.
  std::optional<double> wanted_at(std::int64_t replicas) const { return at(wanted_at_, replicas); }
  std::optional<double> ready_at(std::int64_t replicas) const { return at(ready_at_, replicas); }
  std::optional<double> back_at() const { return back_at_; }
  std::optional<double> load_stopped_at() const { return stopped_at_; }
  std::int64_t pending_most() const { return pending_most_; }
  double cost() const { return cost_; }  // what the rented machines have cost
  const Traffic& traffic() const { return last_.traffic; }

 private:
  struct Line {
    double at_s;
    std::string about, what;
  };
  static std::optional<double> at(const std::map<std::int64_t, double>& times, std::int64_t replicas);
  void tell(double at_s, std::string about, std::string what);
  void compare(const Scene& scene);
  static std::string key_of(const resource::Json& event);

  std::int64_t most_;
  bool first_ = true;
  Scene last_;
  std::vector<Line> lines_;
  std::set<std::string> heard_;
  std::set<std::string> said_;  // texts that a pod repeats while it waits
  std::map<std::int64_t, double> wanted_at_, ready_at_;
  std::optional<double> stopped_at_, back_at_;
  std::int64_t pending_most_ = 0;
  std::int64_t rented_most_ = 0;  // pods ready there
  bool owned_pod_left_ = false;   // while a rented one stayed
  double cost_ = 0;
};

// Two walks side by side.
std::string compare_text(const std::vector<std::pair<std::string, const Story*>>& walks, std::int64_t most);

}  // namespace tidegate::tide
