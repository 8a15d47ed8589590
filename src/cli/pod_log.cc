#include "cli/pod_log.h"

#include <chrono>
#include <iostream>

namespace tidegate::cli {

Result<void> copy_log(Server& server, const std::string& pod, const PodLogOptions& options) {
  const auto yes = [](bool set) { return std::string(set ? "true" : ""); };
  remote::ApiRequest request;
  request.accept = "text/plain, application/json";
  request.target = remote::collection_path("", "v1", "pods", server.namespace_()) + "/" +
                   remote::escaped(pod) + "/log" +
                   query_text({{"container", options.container},
                               {"follow", yes(options.follow)},
                               {"previous", yes(options.previous)},
                               {"timestamps", yes(options.timestamps)},
                               {"tailLines", options.tail ? std::to_string(*options.tail) : ""},
                               {"sinceSeconds", options.since_seconds},
                               {"sinceTime", options.since_time}});
  const auto stream = server.api().open(request, std::chrono::hours(24));
  if (!stream) return tl::unexpected(stream.error());
  while (true) {
    const auto piece = (*stream)->read(std::chrono::seconds(10));
    if (!piece) return tl::unexpected(piece.error());
    if (!*piece) continue;
    if ((*piece)->empty()) return {};
    std::cout << **piece << std::flush;
  }
}

}  // namespace tidegate::cli
