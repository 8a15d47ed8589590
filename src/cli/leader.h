// One of several `tidegate controller` leads: its flags, and its standing for election.
//
// Thread: the main thread.

#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "cli/command.h"
#include "cli/server.h"
#include "control/election/elector.h"

namespace tidegate::cli {

struct LeaderFlags {
  bool elect = true;
  election::Settings settings;  // without the times, which are
  std::string lease = "15s";
  std::string renew_deadline = "10s";
  std::string retry = "2s";
};

void add_leader_flags(Command verb, LeaderFlags& flags);

// Errors: kInvalid, with the flag.
Result<void> check(const LeaderFlags& flags);

class Candidacy {
 public:
  // Requires: check(flags). With a connection of its own: a renewal must not wait behind the loops' calls.
  static Result<std::unique_ptr<Candidacy>> stand(const LeaderFlags& flags, const ServerFlags& where);

  // Always, without an election.
  bool leads() const { return elector_ == nullptr || elector_->leads(); }

  // When nothing acts any more. `lost`: it is over already, and there is nothing to give back.
  void end(bool lost);

 private:
  std::unique_ptr<Server> server_;  // null without an election
  std::unique_ptr<election::Elector> elector_;
};

}  // namespace tidegate::cli
