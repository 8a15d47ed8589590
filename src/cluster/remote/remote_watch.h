// A watch over an API server that outlives its connections: one that ends is opened again from the last
// revision seen, with a growing delay; what cannot be opened for long is an error, after which the caller
// lists anew.
//
// Thread: one, except cancel().

#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "cluster/client.h"
#include "cluster/remote/api.h"

namespace tidegate::remote {

class RemoteWatch final : public cluster::Watch {
 public:
  // `path`: the collection's. The Api and the kind outlive the watch.
  RemoteWatch(Api& api, const resource::Kind& kind, std::string version, std::string path,
              std::uint64_t revision, cluster::WatchOptions options);

  Result<std::optional<cluster::Event>> next(Duration timeout) override;
  void cancel() override;

 private:
  // True if a stream is there.
  Result<bool> reach(TimePoint deadline);
  Result<void> open();
  void lose(bool failed);
  Result<std::optional<cluster::Event>> take_line();
  Result<std::optional<cluster::Event>> decode(std::string_view line);
  std::optional<cluster::Event> nothing_new();

  Api& api_;
  const resource::Kind& kind_;
  const std::string version_;
  const std::string path_;
  const cluster::WatchOptions options_;
  std::uint64_t revision_;
  std::uint64_t told_;  // the revision the caller knows
  std::string text_;    // read and not yet used, from used_ on
  std::size_t used_ = 0;
  int failures_ = 0;
  TimePoint not_before_{};  // of the next try to open

  std::mutex mutex_;  // guards what cancel() needs
  std::shared_ptr<ApiStream> stream_;
  bool cancelled_ = false;
};

// For a kind that the server does not know: nothing comes, until it is time to ask again (kGone).
class AbsentWatch final : public cluster::Watch {
 public:
  AbsentWatch(const Clock& clock, TimePoint ask_again) : clock_(clock), ask_again_(ask_again) {}
  Result<std::optional<cluster::Event>> next(Duration timeout) override;
  void cancel() override;

 private:
  const Clock& clock_;
  const TimePoint ask_again_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false;
};

}  // namespace tidegate::remote
