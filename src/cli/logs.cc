// tidegate logs: what a container has written, whole or as it grows.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/pod_log.h"
#include "cli/targets.h"
#include "cli/verbs.h"
#include "gateway/config.h"
#include "resource/fields.h"

namespace tidegate::cli {
namespace {

using resource::Json;
using resource::text;

struct Options {
  ServerFlags server;
  std::string what;
  std::string selector;
  PodLogOptions log;
  std::string since;
};

Result<std::vector<std::string>> pods_with(Server& server, const std::string& selector) {
  const auto list = server.fetch(remote::collection_path("", "v1", "pods", server.namespace_()) +
                                 query_text({{"labelSelector", selector}}));
  if (!list) return tl::unexpected(list.error());
  std::vector<std::string> names;
  const Json* items = resource::find_array(*list, "items");
  for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
    names.push_back(text((*items)[i], "metadata.name"));
  }
  if (names.empty()) {
    return fail(Code::kNotFound, "no pods with " + selector + " in namespace " + server.namespace_());
  }
  return names;
}

// A pod's name, or KIND/NAME of something with a selector: then one of its pods, as kubectl does.
Result<std::vector<std::string>> pods_of(Server& server, const Options& options) {
  if (!options.selector.empty()) return pods_with(server, options.selector);
  if (options.what.empty()) return invalid("", "name a pod, KIND/NAME, or pods with -l LABELS");
  if (options.what.find('/') == std::string::npos) return std::vector{options.what};
  const auto targets = targets_of(server, {options.what});
  if (!targets) return tl::unexpected(targets.error());
  const Target& target = targets->front();
  if (target.resource.kind == "Pod") return std::vector{target.name};
  const auto owner = server.fetch(target.resource.path(server.namespace_(), target.name));
  if (!owner) return tl::unexpected(owner.error());
  std::string selector;
  for (const auto& [key, value] : resource::text_map(*owner, "spec.selector.matchLabels")) {
    selector += (selector.empty() ? "" : ",") + key + "=" + value;
  }
  if (selector.empty())
    return invalid("", target.resource.title(target.name) + " selects no pods; name a pod");
  auto names = pods_with(server, selector);
  if (names && names->size() > 1) {
    std::cerr << "Found " << names->size() << " pods, using pod/" << names->front() << '\n';
    names->resize(1);
  }
  return names;
}

int run_logs(Options& options) {
  if (!options.since.empty()) {
    const auto since = gateway::parse_duration(options.since);
    if (!since) {
      report("logs", since.error());
      return 2;
    }
    options.log.since_seconds = std::to_string(std::chrono::ceil<std::chrono::seconds>(*since).count());
  }
  const auto server = Server::reach(options.server);
  if (!server) return report("logs", server.error());
  const auto pods = pods_of(**server, options);
  if (!pods) return report("logs", pods.error());
  if (options.log.follow && pods->size() > 1) {
    report("logs",
           {Code::kInvalid, "", std::to_string(pods->size()) + " pods match, and -f follows one; name it"});
    return 2;
  }
  int status = 0;
  for (const std::string& pod : *pods) {
    const auto copied = copy_log(**server, pod, options.log);
    if (!copied) status = report("logs", copied.error());
  }
  return status;
}

}  // namespace

void add_logs(Command app, int& status) {
  Command verb = app.add_subcommand("logs", "Shows what a container has written");
  auto options = std::make_shared<Options>();
  verb.add_option("POD", options->what, "A pod, or KIND/NAME of what owns pods");
  add_server_flags(verb, options->server, Namespaces::kOne);
  verb.add_option("-l,--selector", options->selector, "Of all pods with these labels, one after the other");
  verb.add_option("-c,--container", options->log.container, "Which container of the pod");
  verb.add_flag("-f,--follow", options->log.follow, "Goes on with what is written from now on");
  verb.add_flag("-p,--previous", options->log.previous, "Of the container before its last restart");
  verb.add_flag("--timestamps", options->log.timestamps, "Each line with its time");
  verb.add_option("--tail", options->log.tail, "Only the last lines").not_negative();
  verb.add_option("--since", options->since, "Only what is younger: 30s, 5m");
  verb.callback([options, &status] { status = run_logs(*options); });
}

}  // namespace tidegate::cli
