// tidegate describe: objects told to a person, with their conditions and events.

#include "cli/show/describe.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/targets.h"
#include "cli/verbs.h"
#include "resource/fields.h"

namespace tidegate::cli {
namespace {

using resource::Json;
using resource::text;

struct Options {
  ServerFlags server;
  std::vector<std::string> words;
  std::string selector;
};

// Events are help, not the matter: without them the rest is told all the same.
Json events_about(Server& server, const Json& object) {
  const std::string space = text(object, "metadata.namespace");
  const std::string uid = text(object, "metadata.uid");
  const std::string fields = "involvedObject.name=" + text(object, "metadata.name") +
                             (uid.empty() ? "" : ",involvedObject.uid=" + uid);
  auto events = server.fetch(remote::collection_path("", "v1", "events", space) +
                             query_text({{"fieldSelector", fields}}));
  return events ? *std::move(events) : Json::object();
}

int run_describe(const Options& options) {
  const auto server = Server::reach(options.server);
  if (!server) return report("describe", server.error());
  auto targets = targets_of(**server, options.words);
  if (!targets) return report("describe", targets.error());
  targets = with_names(**server, *std::move(targets), options.selector);
  if (!targets) return report("describe", targets.error());
  if (targets->empty()) std::cerr << "No resources found in " << (*server)->namespace_() << " namespace\n";
  int status = 0;
  bool first = true;
  for (const Target& target : *targets) {
    const auto object = (*server)->fetch(target.resource.path((*server)->namespace_(), target.name));
    if (!object) {
      status = report("describe", object.error());
      continue;
    }
    if (!std::exchange(first, false)) std::cout << "\n\n";
    std::cout << show::describe_object(*object, events_about(**server, *object), (*server)->clock().wall());
  }
  return status;
}

}  // namespace

void add_describe(Command app, int& status) {
  Command verb = app.add_subcommand("describe", "Tells all about objects: fields, conditions, events");
  auto options = std::make_shared<Options>();
  verb.add_option("WHAT", options->words, "KIND, KIND NAME..., KIND/NAME...").required();
  add_server_flags(verb, options->server, Namespaces::kOne);
  verb.add_option("-l,--selector", options->selector, "Only those with these labels: a=b,c!=d");
  verb.callback([options, &status] { status = run_describe(*options); });
}

}  // namespace tidegate::cli
