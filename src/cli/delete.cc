// tidegate delete: removes objects, by name, label or file, and waits until they are gone.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "cli/manifests.h"
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
  std::vector<std::string> words;
  std::vector<std::string> paths;
  std::string selector;
  bool all = false;
  bool ignore_not_found = false;
  bool wait = true;
  std::string timeout = "5m";
  std::string cascade = "background";
  std::optional<std::int64_t> grace_s;
};

struct Doomed {
  std::string path;
  std::string title;
  std::string uid;
};

std::string delete_options(const Options& options) {
  Json body{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  std::string policy = options.cascade;
  policy[0] = static_cast<char>(policy[0] - 32);
  body["propagationPolicy"] = policy;
  if (options.grace_s) body["gracePeriodSeconds"] = *options.grace_s;
  return body.dump();
}

// What -f, or the words, name. Errors of files are told with their place.
Result<std::vector<Doomed>> find_all(Server& server, const Options& options) {
  std::vector<Doomed> doomed;
  const auto add = [&](const Target& target, std::string_view space) {
    doomed.push_back({target.resource.path(space, target.name), target.resource.title(target.name), ""});
  };
  if (!options.paths.empty()) {
    const Manifests manifests = read_manifests(options.paths);
    if (!manifests.errors.empty()) return fail(Code::kInvalid, manifests.errors.front());
    for (const resource::Document& document : manifests.documents) {
      const auto target = target_of(server, *document.json);
      if (!target) return fail(target.error().code, resource::locate(document, target.error()));
      add(*target, text(*document.json, "metadata.namespace", server.namespace_()));
    }
    return doomed;
  }
  auto targets = targets_of(server, options.words);
  if (!targets) return tl::unexpected(targets.error());
  if (targets->front().name.empty() && options.selector.empty() && !options.all)
    return invalid("", "name the objects, or say --all or -l LABELS");
  targets = with_names(server, *std::move(targets), options.selector);
  if (!targets) return tl::unexpected(targets.error());
  for (const Target& target : *targets) add(target, server.namespace_());
  return doomed;
}

// Until there is no such object, or another one of that name.
Result<void> wait_until_gone(Server& server, const Doomed& doomed, TimePoint deadline) {
  while (true) {
    const auto object = server.fetch(doomed.path);
    if (!object && object.error().code == Code::kNotFound) return {};
    if (!object) return tl::unexpected(object.error());
    if (!doomed.uid.empty() && text(*object, "metadata.uid") != doomed.uid) return {};
    if (server.clock().now() >= deadline) {
      const Json* finalizers = resource::find_array(*object, "metadata.finalizers");
      return fail(Code::kDeadline, doomed.title + " is still there" +
                                       (finalizers != nullptr && !finalizers->empty()
                                            ? "; it waits for its finalizers " + finalizers->dump()
                                            : std::string()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

int run_delete(const Options& options) {
  const auto timeout = gateway::parse_duration(options.timeout);
  if (!timeout) {
    report("delete", timeout.error());
    return 2;
  }
  const auto server = Server::reach(options.server);
  if (!server) return report("delete", server.error());
  auto doomed = find_all(**server, options);
  if (!doomed) return report("delete", doomed.error());
  if (doomed->empty()) std::cerr << "No resources found\n";
  int status = 0;
  std::vector<Doomed> leaving;
  for (Doomed& each : *doomed) {
    const remote::ApiRequest request{.method = "DELETE",
                                     .target = each.path,
                                     .content_type = "application/json",
                                     .body = delete_options(options)};
    const auto answer = (*server)->fetch(request);
    if (!answer && answer.error().code == Code::kNotFound && options.ignore_not_found) continue;
    if (!answer) {
      status = report("delete", answer.error());
      continue;
    }
    std::cout << each.title << " deleted" << std::endl;
    // A Status names what it speaks of; everything else is the object.
    each.uid = text(*answer, text(*answer, "kind") == "Status" ? "details.uid" : "metadata.uid");
    leaving.push_back(std::move(each));
  }
  const TimePoint deadline = (*server)->clock().now() + *timeout;
  for (const Doomed& each : leaving) {
    if (!options.wait) break;
    const auto gone = wait_until_gone(**server, each, deadline);
    if (!gone) status = report("delete", gone.error());
  }
  return status;
}

}  // namespace

void add_delete(Command app, int& status) {
  Command verb = app.add_subcommand("delete", "Removes objects of an API server");
  auto options = std::make_shared<Options>();
  const Flag words =
      verb.add_option("WHAT", options->words, "KIND NAME..., KIND/NAME..., KIND with -l or --all");
  verb.add_option("-f,--filename", options->paths, "The objects in these manifests; - for standard input")
      .excludes(words);
  add_server_flags(verb, options->server, Namespaces::kOne);
  verb.add_option("-l,--selector", options->selector, "Those with these labels: a=b,c!=d");
  verb.add_flag("--all", options->all, "All of the kind in the namespace");
  verb.add_flag("--ignore-not-found", options->ignore_not_found, "What is not there counts as removed");
  verb.add_flag("--wait,!--no-wait", options->wait, "Waits until they are gone; the default");
  verb.add_option("--timeout", options->timeout, "How long to wait: 30s, 5m").capture_default_str();
  verb.add_option("--cascade", options->cascade, "What happens to what they own")
      .one_of({"background", "foreground", "orphan"})
      .capture_default_str();
  verb.add_option("--grace-period", options->grace_s, "Seconds that a pod gets to end; 0: none")
      .not_negative();
  verb.callback([options, &status] { status = run_delete(*options); });
}

}  // namespace tidegate::cli
