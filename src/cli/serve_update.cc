// arena serve update kserve: changes a KServe job that runs.

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/arena/kserve_documents.h"
#include "cli/serve_parts.h"
#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::cli {
namespace {

bool changes_scaling(const arena::KserveFlags& flags) {
  return flags.min_replicas >= 0 || flags.max_replicas > 0 || flags.scale_target > 0 ||
         !flags.scale_metric.empty();
}

Result<void> update_service(Server& server, const arena::Job& job) {
  const resource::Kind& kind = *resource::find_kind("serving.kserve.io/v1beta1", "InferenceService");
  const auto present = server.client().get(kind, {server.namespace_(), job.flags.name});
  if (!present) return tl::unexpected(present.error());
  const auto written = server.client().update(kind, arena::updated((*present)->json(), job));
  if (!written) return tl::unexpected(written.error());
  const auto annotations = (*present)->metadata().annotations;
  const auto scaled_by = annotations.find("serving.kserve.io/autoscalerClass");
  const bool external = scaled_by != annotations.end() && scaled_by->second == "external";
  if (!external || !changes_scaling(job.flags)) return {};

  const resource::Kind& scaler = *resource::find_kind("autoscaling/v2", "HorizontalPodAutoscaler");
  const auto beside =
      server.client().get(scaler, {server.namespace_(), arena::autoscaler_name(job.flags.name)});
  if (!beside) return tl::unexpected(beside.error());
  const auto scaled = server.client().update(scaler, arena::updated_autoscaler((*beside)->json(), job));
  if (!scaled) return tl::unexpected(scaled.error());
  return {};
}

}  // namespace

int serve_update(std::span<const std::string> arguments) {
  ServeGlobals globals;
  arena::KserveFlags flags = arena::update_defaults();
  arena::FlagSet set;
  arena::add_update_flags(set, flags);
  const Parsed parsed =
      parse_command(set, globals, arguments, "arena serve update kserve --name=NAME [flags] [\"COMMAND\"]");
  if (parsed.done) return parsed.status;
  if (parsed.words.empty() || parsed.words.front() != "kserve")
    return report_usage("only KServe jobs are served here: arena serve update kserve --name=NAME [flags]");
  const auto job = arena::make_update(flags, {parsed.words.begin() + 1, parsed.words.end()});
  if (!job) return report_usage("failed to validate command args: " + describe(job.error()));
  const auto server = globals.reach();
  if (!server) return report_failure(describe(server.error()));
  const auto before = find_job(**server, job->flags.name, job->flags.version);
  if (!before) return report_failure(describe(before.error()));
  if (auto done = update_service(**server, *job); !done) {
    return report_failure("The serving job " + before->name + " with version " + before->version +
                          " update failed: " + describe(done.error()));
  }
  log_info("The serving job " + before->name + " with version " + before->version +
           " has been updated successfully");
  return 0;
}

}  // namespace tidegate::cli
