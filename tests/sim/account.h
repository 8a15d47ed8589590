// Accounts of a run that are kept apart from the code that made it: what stands where, how many there are,
// which way replicas went. Reads the chronicle from the beginning and reports every breach as a failed test.

#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "simulate/scenario.h"

namespace tidegate::simulate {

struct Step {
  TimePoint at;
  std::int64_t from;
  std::int64_t to;
};

class Account {
 public:
  explicit Account(const WorldSpec& spec);

  void read(const Chronicle& chronicle);

  // How often replicas turned from growing to shrinking or back in [begin, end).
  int turns(TimePoint begin, TimePoint end) const;
  const std::vector<Step>& steps() const { return steps_; }
  std::int64_t replicas() const { return replicas_; }
  std::size_t pods() const { return pods_.size(); }
  std::size_t machines(const std::string& pool) const;
  std::size_t bound_to(const std::string& pool) const {
    return bound_to_.contains(pool) ? bound_to_.at(pool) : 0;
  }

 private:
  struct Node {
    std::string pool;
    bool cordoned = false;
    std::set<std::string> pods;
  };
  void one(const Happening& happening);
  void bind(const Happening& happening);
  std::int64_t room(const Node& node) const;

  const WorldSpec& spec_;
  std::int64_t gpus_per_machine_ = 0;
  std::map<std::string, Node> nodes_;
  std::map<std::string, std::string> machines_;  // to their pool
  std::map<std::string, std::string> pods_;      // to their node
  std::set<std::string> leaving_;
  std::map<std::string, std::size_t> bound_to_;  // pods ever, by pool
  std::vector<Step> steps_;
  std::int64_t replicas_ = 0;
};

}  // namespace tidegate::simulate
