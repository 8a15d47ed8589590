#include "cli/server.h"

#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "resource/json.h"

namespace tidegate::cli {
namespace {

constexpr std::size_t kAnswerMax = 64 * 1024 * 1024;

}  // namespace

void add_server_flags(Command verb, ServerFlags& flags, Namespaces namespaces) {
  verb.add_option("--kubeconfig", flags.kubeconfig, "How to reach the API server; else $KUBECONFIG says so")
      .type_name("FILE");
  verb.add_option("--context", flags.context, "Which of the kubeconfig's contexts; else its current one");
  const Flag one = verb.add_option("-n,--namespace", flags.namespace_, "The namespace; else the context's");
  if (namespaces == Namespaces::kOneOrAll) {
    verb.add_flag("-A,--all-namespaces", flags.all_namespaces, "In every namespace").excludes(one);
  }
}

Result<std::string> find_kubeconfig(const std::string& flag) {
  if (!flag.empty()) return flag;
  const char* set = std::getenv("KUBECONFIG");
  std::string file = set == nullptr ? "" : set;
  file = file.substr(0, file.find(':'));
  if (!file.empty()) return file;
  return fail(
      Code::kNotFound,
      "no API server is named; `tidegate up` writes DIR/kubeconfig into its --data folder: run `export "
      "KUBECONFIG=DIR/kubeconfig`, or give --kubeconfig FILE");
}

Server::Server(std::unique_ptr<remote::Api> api, const ServerFlags& flags)
    : api_(std::move(api)),
      client_(*api_),
      namespace__(flags.namespace_.empty() ? api_->access().namespace_ : flags.namespace_),
      all_(flags.all_namespaces) {}

Result<std::unique_ptr<Server>> Server::reach(const ServerFlags& flags, Fallback fallback,
                                              Duration call_timeout) {
  static const SystemClock clock;  // outlives every Api
  const auto file = find_kubeconfig(flags.kubeconfig);
  auto access = file ? remote::read_kubeconfig(*file, flags.context) : tl::unexpected(file.error());
  if (!file && fallback == Fallback::kInCluster) {
    auto around = remote::in_cluster();
    // Outside of pods it is the kubeconfig that is missed.
    if (around || around.error().code != Code::kNotFound) access = std::move(around);
  }
  if (!access) return tl::unexpected(access.error());
  remote::ApiOptions options;
  options.call_timeout = call_timeout;
  options.tries_max = 2;  // a person waits
  auto api = remote::Api::make(*access, clock, Random::from_system(), options);
  if (!api) return tl::unexpected(api.error());
  return std::unique_ptr<Server>(new Server(*std::move(api), flags));
}

Result<resource::Json> Server::fetch(const remote::ApiRequest& request) {
  const auto answer = api_->call(request);
  if (!answer) return tl::unexpected(answer.error());
  auto document = resource::parse_json(*answer, kAnswerMax);
  if (!document || !document->is_object())
    return fail(Code::kUnavailable, "the API server's answer is no JSON object");
  return document;
}

Result<resource::Json> Server::fetch(std::string target, std::string accept) {
  remote::ApiRequest request;
  request.target = std::move(target);
  request.accept = std::move(accept);
  return fetch(request);
}

int report(std::string_view verb, const Error& error) {
  std::cerr << "tidegate " << verb << ": " << describe(error);
  if (error.code == Code::kUnavailable) std::cerr << "; is the kubeconfig's API server running?";
  std::cerr << '\n';
  return 1;
}

std::string query_text(const std::vector<std::pair<std::string_view, std::string>>& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (value.empty()) continue;
    out += (out.empty() ? "?" : "&") + std::string(name) + "=" + remote::escaped(value);
  }
  return out;
}

}  // namespace tidegate::cli
