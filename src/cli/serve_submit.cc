// arena serve kserve: makes a KServe job.

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/arena/kserve_documents.h"
#include "cli/serve_parts.h"
#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::cli {
namespace {

using resource::Json;

constexpr std::size_t kConfigFileMax = 1024 * 1024;  // as a ConfigMap has it

Result<std::vector<std::string>> read_config_files(const arena::Job& job) {
  std::vector<std::string> contents;
  for (const arena::ConfigFile& file : job.config_files) {
    std::ifstream stream(file.host, std::ios::binary);
    if (!stream) return fail(Code::kNotFound, "stat " + file.host + ": no such file or directory");
    std::string text(kConfigFileMax + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    if (text.size() > kConfigFileMax) return fail(Code::kTooLarge, file.host + " is larger than 1 MiB");
    contents.push_back(std::move(text));
  }
  return contents;
}

const resource::Kind* kind_of(const Json& document) {
  return resource::find_kind(resource::text(document, "apiVersion"), resource::text(document, "kind"));
}

std::string title_of(const Json& document) {
  const resource::Kind& kind = *kind_of(document);
  const std::string group = kind.group.empty() ? "" : "." + std::string(kind.group);
  return std::string(kind.singular) + group + "/" + resource::text(document, "metadata.name");
}

// Nothing is made unless everything can be.
Result<void> rehearse(Server& server, const std::vector<Json>& documents) {
  for (const Json& document : documents) {
    const auto made = server.client().create(*kind_of(document), document, {.dry_run = true});
    if (!made) return fail(made.error().code, title_of(document) + ": " + describe(made.error()));
  }
  return {};
}

// What stands beside the service goes with it.
Json owned_by(Json document, const resource::Object& service) {
  document["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", service.api_version()},
                                                          {"kind", service.kind()},
                                                          {"name", service.name()},
                                                          {"uid", service.metadata().uid}}});
  return document;
}

// The InferenceService comes first: it owns the rest.
Result<void> make_all(Server& server, const std::vector<Json>& documents) {
  resource::ObjectPtr service;
  for (const Json& document : documents) {
    const auto made = server.client().create(*kind_of(document),
                                             service == nullptr ? document : owned_by(document, *service));
    if (!made) return fail(made.error().code, title_of(document) + ": " + describe(made.error()));
    if (service == nullptr) service = *made;
    std::cout << title_of(document) << " created" << std::endl;
  }
  return {};
}

int submit(const ServeGlobals& globals, const arena::Job& job) {
  const std::string& name = job.flags.name;
  const auto contents = read_config_files(job);
  if (!contents) return report_usage("failed to validate command args: " + describe(contents.error()));
  const auto server = globals.reach();
  if (!server) return report_failure(describe(server.error()));
  const std::string& namespace_ = (*server)->namespace_();
  const std::vector<Json> documents = arena::documents_of(job, namespace_, *contents);

  const auto there = (*server)->client().get(*kind_of(documents.front()), {namespace_, name});
  if (there) {
    return report_failure("the job " + name +
                          " is already exist, please delete it first. use 'arena serve delete " + name + "'");
  }
  if (there.error().code != Code::kNotFound) return report_failure(describe(there.error()));
  if (auto good = rehearse(**server, documents); !good) return report_failure(describe(good.error()));
  if (auto made = make_all(**server, documents); !made) return report_failure(describe(made.error()));
  log_info("The Job " + name + " has been submitted successfully");
  log_info("You can run `arena serve get " + name + " --type kserve -n " + namespace_ +
           "` to check the job status");
  return 0;
}

}  // namespace

int serve_submit(std::span<const std::string> arguments) {
  ServeGlobals globals;
  arena::KserveFlags flags;
  arena::FlagSet set;
  arena::add_kserve_flags(set, flags);
  const Parsed parsed = parse_command(set, globals, arguments,
                                      "arena serve kserve --name=NAME --image=IMAGE [flags] \"COMMAND\"");
  if (parsed.done) return parsed.status;
  if (auto good = set.require({"name"}); !good) return report_usage(describe(good.error()));
  const auto job = arena::make_job(flags, parsed.words);
  if (!job) return report_usage("failed to validate command args: " + describe(job.error()));
  return submit(globals, *job);
}

}  // namespace tidegate::cli
