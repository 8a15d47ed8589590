#include "gateway/remarks.h"

#include <utility>

#include "base/log.h"

namespace tidegate::gateway {

void Remarks::tell(std::span<const Remark> remarks) {
  std::set<std::string> told;
  for (const Remark& remark : remarks) {
    const std::string title = remark.object->title();
    const std::string key = title + "\n" + remark.object->metadata().uid + "\n" + remark.text;
    if (!told.insert(key).second || told_.contains(key)) continue;
    if (!remark.is_problem) {
      log::info("gateway", "means nothing here", {{"object", title}, {"what", remark.text}});
      continue;
    }
    log::warning("gateway", "cannot be read", {{"object", title}, {"why", remark.text}});
    if (!events_) events_ = std::make_unique<cluster::EventRecorder>(client_, clock_);
    events_->note(cluster::warning(*remark.object, "Unreadable", remark.text).from("tidegate-gateway"));
  }
  told_ = std::move(told);
}

}  // namespace tidegate::gateway
