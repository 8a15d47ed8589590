#include "cli/serve_parts.h"

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::cli {
namespace {

const std::chrono::steady_clock::time_point kBegan = std::chrono::steady_clock::now();

Result<void> read_all(Server& server, const char* version, const char* kind, std::string_view namespace_,
                      std::vector<resource::Json>& into) {
  const auto list = server.client().list(*resource::find_kind(version, kind), namespace_);
  if (!list) return tl::unexpected(list.error());
  for (const resource::ObjectPtr& object : list->items) into.push_back(object->json());
  return {};
}

}  // namespace

void ServeGlobals::add_to(arena::FlagSet& set) {
  set.text("config", 0, config, "path to a kubeconfig; else $KUBECONFIG says so");
  set.text("kubeconfig", 0, config, "the same as --config");
  set.text("context", 0, context, "which of the kubeconfig's contexts");
  set.text("namespace", 'n', namespace_, "the namespace of the job");
  set.text("arena-namespace", 0, arena_namespace, "accepted; nothing of arena's own is kept here");
  set.text("loglevel", 0, log_level, "accepted");
  set.boolean("help", 'h', help, "this text");
}

Result<std::unique_ptr<Server>> ServeGlobals::reach() const {
  ServerFlags flags;
  flags.kubeconfig = config;
  flags.context = context;
  flags.namespace_ = namespace_;
  return Server::reach(flags);
}

Parsed parse_command(arena::FlagSet& set, ServeGlobals& globals, std::span<const std::string> arguments,
                     const std::string& usage_line) {
  globals.add_to(set);
  Parsed parsed;
  auto words = set.parse(arguments);
  if (globals.help) {
    std::cout << "Usage:\n  " << usage_line << "\n\nFlags:\n" << set.usage();
    parsed.done = true;
  } else if (!words) {
    parsed.status = report_usage(describe(words.error()));
    parsed.done = true;
  } else {
    parsed.words = *std::move(words);
  }
  return parsed;
}

void log_info(const std::string& text) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - kBegan).count();
  char head[32];
  std::snprintf(head, sizeof head, "INFO[%04lld] ", static_cast<long long>(seconds));
  std::cerr << head << text << '\n';
}

int report_usage(const std::string& why) {
  std::cerr << "Error: " << why << '\n';
  return 2;
}

int report_failure(const std::string& why) {
  std::cerr << "Error: " << why << '\n';
  return 1;
}

Result<Cluster> read_cluster(Server& server, std::string_view namespace_) {
  Cluster cluster;
  Result<void> read =
      read_all(server, "serving.kserve.io/v1beta1", "InferenceService", namespace_, cluster.services);
  if (read) read = read_all(server, "apps/v1", "Deployment", namespace_, cluster.deployments);
  if (read) read = read_all(server, "v1", "Pod", namespace_, cluster.pods);
  if (!read) return tl::unexpected(read.error());
  return cluster;
}

Result<arena::ServingJob> find_job(Server& server, const std::string& name, const std::string& version) {
  const auto cluster = read_cluster(server, server.namespace_());
  if (!cluster) return tl::unexpected(cluster.error());
  for (const resource::Json& service : cluster->services) {
    if (resource::text(service, "metadata.name") != name) continue;
    arena::ServingJob job =
        arena::job_of(service, cluster->deployments, cluster->pods, server.clock().wall());
    if (version.empty() || version == job.version) return job;
  }
  return fail(Code::kNotFound, "Not found serving job " + name +
                                   ", please check it with `arena serve list | grep " + name + "`");
}

}  // namespace tidegate::cli
