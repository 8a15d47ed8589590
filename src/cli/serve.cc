#include "cli/serve.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/arena/kserve_documents.h"
#include "cli/pod_log.h"
#include "cli/serve_parts.h"
#include "cli/verbs.h"
#include "gateway/config.h"
#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::cli {
namespace {

using Arguments = std::span<const std::string>;

constexpr const char* kUsage =
    "Usage:\n"
    "  arena serve kserve --name=NAME --image=IMAGE [flags] \"COMMAND\"   make a job\n"
    "  arena serve list [-A] [-o wide|json|yaml]\n"
    "  arena serve get NAME [-o wide|json|yaml]\n"
    "  arena serve logs NAME [-i INSTANCE] [-f] [-t LINES]\n"
    "  arena serve update kserve --name=NAME [flags] [\"COMMAND\"]\n"
    "  arena serve delete NAME...\n"
    "\n"
    "`tidegate serve` is the same. Which API server: --config FILE, else $KUBECONFIG. -n names the "
    "namespace.\n"
    "All flags of a command: arena serve COMMAND --help\n";

// Flags of those commands that deal with jobs by name.
struct JobFlags {
  std::string type, version, format;

  void add_to(arena::FlagSet& set, bool formatted) {
    set.text("type", 'T', type, "the serving type; kserve is the only one here");
    set.text("version", 'v', version, "the job's version");
    if (formatted) set.text("output", 'o', format, "wide, json or yaml");
  }
  // Empty if all is well.
  std::string wrong() const {
    if (!type.empty() && type != "kserve") return "Unknown serving job type,arena only supports: [kserve]";
    if (format.empty() || format == "wide" || format == "json" || format == "yaml") return {};
    return "Unknown output format, only support: json|yaml|wide";
  }
};

int serve_list(Arguments arguments) {
  ServeGlobals globals;
  JobFlags flags;
  bool all = false;
  arena::FlagSet set;
  flags.add_to(set, true);
  set.boolean("all-namespaces", 'A', all, "the jobs of all namespaces");
  const Parsed parsed = parse_command(set, globals, arguments, "arena serve list [flags]");
  if (parsed.done) return parsed.status;
  if (const std::string wrong = flags.wrong(); !wrong.empty()) return report_usage(wrong);
  const auto server = globals.reach();
  if (!server) return report_failure(describe(server.error()));
  const auto cluster = read_cluster(**server, all ? std::string_view() : (*server)->namespace_());
  if (!cluster) return report_failure(describe(cluster.error()));
  std::vector<arena::ServingJob> jobs;
  for (const resource::Json& service : cluster->services) {
    if (resource::text_map(service, "metadata.labels")[arena::kTypeLabel] != arena::kServingType) continue;
    jobs.push_back(arena::job_of(service, cluster->deployments, cluster->pods, (*server)->clock().wall()));
  }
  std::cout << arena::list_text(jobs, all, flags.format) << std::flush;
  return 0;
}

int serve_get(Arguments arguments) {
  ServeGlobals globals;
  JobFlags flags;
  arena::FlagSet set;
  flags.add_to(set, true);
  const Parsed parsed = parse_command(set, globals, arguments, "arena serve get JOB [flags]");
  if (parsed.done) return parsed.status;
  if (parsed.words.empty()) return report_usage("not set job name,please set it");
  if (const std::string wrong = flags.wrong(); !wrong.empty()) return report_usage(wrong);
  const auto server = globals.reach();
  if (!server) return report_failure(describe(server.error()));
  const auto job = find_job(**server, parsed.words.front(), flags.version);
  if (!job) return report_failure(describe(job.error()));
  std::cout << arena::get_text(*job, flags.format) << std::flush;
  return 0;
}

// The instance whose log is meant. Errors: kInvalid, with what there is to choose from.
Result<std::string> instance_of(const arena::ServingJob& job, const std::string& wanted) {
  std::string names;
  for (const arena::Instance& instance : job.instances) {
    if (instance.name == wanted) return wanted;
    names += instance.name + "\n";
  }
  if (!wanted.empty())
    return fail(Code::kNotFound, "invalid instance name: " + wanted + " in serving job " + job.name);
  if (job.instances.empty()) return fail(Code::kNotFound, "not found instances of serving job " + job.name);
  if (job.instances.size() == 1) return job.instances.front().name;
  return invalid("", "There is " + std::to_string(job.instances.size()) + " instances have been found:\n\n" +
                         names + "\nplease use '-i' or '--instance' to filter.");
}

int serve_logs(Arguments arguments) {
  ServeGlobals globals;
  JobFlags flags;
  PodLogOptions log;
  std::string instance, since;
  std::int64_t tail = -1;
  arena::FlagSet set;
  flags.add_to(set, false);
  set.text("instance", 'i', instance, "which instance of the job");
  set.text("container", 'c', log.container, "which container of the instance");
  set.boolean("follow", 'f', log.follow, "goes on with what is written from now on");
  set.integer("tail", 't', tail, "only the last lines");
  set.text("since", 0, since, "only what is younger: 30s, 5m");
  set.text("since-time", 0, log.since_time, "only what is younger than this time (RFC 3339)");
  set.boolean("timestamps", 0, log.timestamps, "each line with its time");
  const Parsed parsed = parse_command(set, globals, arguments, "arena serve logs JOB [flags]");
  if (parsed.done) return parsed.status;
  if (parsed.words.empty()) return report_usage("not set job name,please set it");
  if (const std::string wrong = flags.wrong(); !wrong.empty()) return report_usage(wrong);
  if (tail >= 0) log.tail = tail;
  if (!since.empty()) {
    const auto age = gateway::parse_duration(since);
    if (!age) return report_usage("failed to validate log args: " + describe(age.error()));
    log.since_seconds = std::to_string(std::chrono::ceil<std::chrono::seconds>(*age).count());
  }
  const auto server = globals.reach();
  if (!server) return report_failure(describe(server.error()));
  const auto job = find_job(**server, parsed.words.front(), flags.version);
  if (!job) return report_failure(describe(job.error()));
  const auto pod = instance_of(*job, instance);
  if (!pod) return report_failure(describe(pod.error()));
  const auto copied = copy_log(**server, *pod, log);
  return copied ? 0 : report_failure(describe(copied.error()));
}

int serve_delete(Arguments arguments) {
  ServeGlobals globals;
  JobFlags flags;
  arena::FlagSet set;
  flags.add_to(set, false);
  const Parsed parsed = parse_command(set, globals, arguments, "arena serve delete JOB... [flags]");
  if (parsed.done) return parsed.status;
  if (parsed.words.empty()) return report_usage("not set serving job name,please set it");
  if (const std::string wrong = flags.wrong(); !wrong.empty()) return report_usage(wrong);
  const auto server = globals.reach();
  if (!server) return report_failure(describe(server.error()));
  const resource::Kind& kind = *resource::find_kind("serving.kserve.io/v1beta1", "InferenceService");
  int status = 0;
  for (const std::string& name : parsed.words) {
    const auto job = find_job(**server, name, flags.version);
    if (!job && job.error().code == Code::kNotFound) {
      log_info("The serving job '" + name + "' doest not exist,skip to delete it.");
      continue;
    }
    const auto removed = job ? (*server)->client().remove(kind, {job->namespace_, name})
                             : Result<cluster::Removed>(tl::unexpected(job.error()));
    if (!removed) {
      status = report_failure(describe(removed.error()));
      continue;
    }
    std::cout << "inferenceservice.serving.kserve.io \"" << name << "\" deleted" << std::endl;
    log_info("The serving job " + name + " with version " + job->version + " has been deleted successfully");
  }
  return status;
}

int serve_traffic(Arguments) {
  return report_usage(
      "traffic-split writes Istio objects for other types of jobs; for KServe jobs use: arena serve update "
      "kserve "
      "--name NAME --canary-traffic-percent N");
}

struct Subcommand {
  std::vector<const char*> names;
  int (*run)(Arguments);
};

const std::vector<Subcommand>& commands() {
  static const std::vector<Subcommand> kCommands = {
      {{"kserve"}, serve_submit},        {{"list", "ls"}, serve_list},      {{"get"}, serve_get},
      {{"logs", "log"}, serve_logs},     {{"delete", "del"}, serve_delete}, {{"update"}, serve_update},
      {{"traffic-split"}, serve_traffic}};
  return kCommands;
}

// The first word that is no flag and no flag's value: before a command only global flags can stand, and all
// but
// --help take a value.
std::optional<std::size_t> find_command(Arguments arguments) {
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& word = arguments[at];
    if (word.empty() || word[0] != '-') return at;
    const bool alone = word == "-h" || word == "--help" || word.find('=') != std::string::npos ||
                       (word[1] != '-' && word.size() > 2);
    if (!alone) ++at;
  }
  return std::nullopt;
}

}  // namespace

int run_serve(Arguments arguments) {
  const auto at = find_command(arguments);
  if (!at) {
    std::cout << kUsage;
    return 0;
  }
  const std::string name = arguments[*at];
  std::vector<std::string> rest(arguments.begin(), arguments.end());
  rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(*at));
  for (const Subcommand& command : commands()) {
    const bool meant = std::any_of(command.names.begin(), command.names.end(),
                                   [&](const char* known) { return name == known; });
    if (meant) return command.run(rest);
  }
  return report_usage("unknown command \"" + name +
                      "\" for \"arena serve\"; only KServe jobs are served here\n" + kUsage);
}

int run_arena(Arguments arguments) {
  const auto at = find_command(arguments);
  if (!at) {
    std::cout << kUsage;
    return 0;
  }
  if (arguments[*at] == "version") {
    std::cout << "arena: tidegate " << TIDEGATE_VERSION << '\n';
    return 0;
  }
  if (arguments[*at] != "serve")
    return report_usage("unknown command \"" + arguments[*at] + "\" for \"arena\"\n" + kUsage);
  std::vector<std::string> rest(arguments.begin(), arguments.end());
  rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(*at));
  return run_serve(rest);
}

bool called_as_arena(const std::string& program) { return program.substr(program.rfind('/') + 1) == "arena"; }

void add_serve(Command app, int& status) {
  // Only so that --help lists it: what stands behind it is read by arena's rules (bin/main.cc).
  Command verb = app.add_subcommand(
      "serve", "arena's commands for KServe jobs: kserve, list, get, logs, update, delete");
  verb.callback([&status] { status = run_serve({}); });
}

}  // namespace tidegate::cli
