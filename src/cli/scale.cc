// tidegate scale: sets how many replicas something has, through its scale subresource.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/targets.h"
#include "cli/verbs.h"
#include "resource/fields.h"

namespace tidegate::cli {
namespace {

using resource::Json;

struct Options {
  ServerFlags server;
  std::vector<std::string> words;
  std::int64_t replicas = 0;
  std::optional<std::int64_t> current;
};

Result<void> scale(Server& server, const Target& target, const Options& options) {
  remote::ApiRequest request;
  request.target = target.resource.path(server.namespace_(), target.name) + "/scale";
  Json patch{{"spec", {{"replicas", options.replicas}}}};
  if (options.current) {
    const auto before = server.fetch(request);
    if (!before) return tl::unexpected(before.error());
    const auto there = resource::number(*before, "spec.replicas");
    if (there != *options.current) {
      return fail(Code::kConflict, target.resource.title(target.name) + " has " + std::to_string(there) +
                                       " replicas, not the " + std::to_string(*options.current) +
                                       " of --current-replicas");
    }
    // Whoever comes between makes the patch fail.
    patch["metadata"]["resourceVersion"] = resource::text(*before, "metadata.resourceVersion");
  }
  request.method = "PATCH";
  request.content_type = "application/merge-patch+json";
  request.body = patch.dump();
  const auto scaled = server.fetch(request);
  if (!scaled) return tl::unexpected(scaled.error());
  std::cout << target.resource.title(target.name) << " scaled" << std::endl;
  return {};
}

int run_scale(const Options& options) {
  const auto server = Server::reach(options.server);
  if (!server) return report("scale", server.error());
  const auto targets = targets_of(**server, options.words);
  if (!targets) return report("scale", targets.error());
  int status = 0;
  for (const Target& target : *targets) {
    if (target.name.empty()) return report("scale", {Code::kInvalid, "", "name what to scale: KIND/NAME"});
    const auto scaled = scale(**server, target, options);
    if (!scaled) status = report("scale", scaled.error());
  }
  return status;
}

}  // namespace

void add_scale(Command app, int& status) {
  Command verb = app.add_subcommand("scale", "Sets how many replicas something has");
  auto options = std::make_shared<Options>();
  verb.add_option("WHAT", options->words, "KIND/NAME..., KIND NAME...").required();
  add_server_flags(verb, options->server, Namespaces::kOne);
  verb.add_option("--replicas", options->replicas, "How many").required().not_negative();
  verb.add_option("--current-replicas", options->current, "Only if it has this many now");
  verb.callback([options, &status] { status = run_scale(*options); });
}

}  // namespace tidegate::cli
