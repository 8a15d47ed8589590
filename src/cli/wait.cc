// tidegate wait: until objects are as they should be.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/ascii.h"
#include "cli/targets.h"
#include "cli/verbs.h"
#include "gateway/config.h"
#include "resource/fields.h"
#include "resource/json_path.h"

namespace tidegate::cli {
namespace {

using resource::Json;
using resource::text;

struct Options {
  ServerFlags server;
  std::vector<std::string> words;
  std::string selector;
  bool all = false;
  std::string goal;
  std::string timeout = "30s";
};

// What --for says.
struct Goal {
  bool gone = false;
  std::string condition;                   // of this type
  std::optional<resource::JsonPath> path;  // or what this finds
  std::optional<std::string> value;        // is this; without: is there

  // Without an object: it is not there.
  bool reached(const Json* object) const;
};

Result<Goal> parse_goal(const std::string& text) {
  Goal goal;
  if (text == "delete") {
    goal.gone = true;
    return goal;
  }
  constexpr std::string_view kCondition = "condition=";
  constexpr std::string_view kPath = "jsonpath=";
  if (text.starts_with(kCondition)) {
    goal.condition = text.substr(kCondition.size());
    const std::size_t sign = goal.condition.find('=');
    goal.value = sign == std::string::npos ? "True" : goal.condition.substr(sign + 1);
    goal.condition.resize(std::min(sign, goal.condition.size()));
    if (!goal.condition.empty()) return goal;
  }
  if (text.starts_with(kPath)) {
    std::string path = text.substr(kPath.size());
    const std::size_t brace = path.rfind('}');
    const std::size_t sign = path.find('=', brace == std::string::npos ? 0 : brace);
    if (sign != std::string::npos) {
      goal.value = path.substr(sign + 1);
      path.resize(sign);
    }
    auto parsed = resource::JsonPath::parse(path);
    if (!parsed) return tl::unexpected(parsed.error());
    goal.path = *std::move(parsed);
    return goal;
  }
  return invalid("--for",
                 "is '" + text + "'; use condition=TYPE[=STATUS], delete or jsonpath={.FIELD}[=VALUE]");
}

bool Goal::reached(const Json* object) const {
  if (gone || object == nullptr) return gone && object == nullptr;
  if (path) {
    const auto found = path->find(*object);
    if (!value) return !found.empty();
    return !found.empty() && path->print(*object) == *value;
  }
  const Json* conditions = resource::find_array(*object, "status.conditions");
  for (std::size_t i = 0; conditions != nullptr && i < conditions->size(); ++i) {
    const Json& each = (*conditions)[i];
    if (ascii::to_lower(text(each, "type")) != ascii::to_lower(condition)) continue;
    // What was said of an older generation says nothing of this one.
    const auto seen = resource::number(each, "observedGeneration");
    if (seen > 0 && seen < resource::number(*object, "metadata.generation")) return false;
    return ascii::to_lower(text(each, "status")) == ascii::to_lower(*value);
  }
  return false;
}

// What an object that waits says of itself, for the message at the end of patience.
std::string state_of(const Json& object, const std::string& condition) {
  const Json* found = condition.empty() ? nullptr : resource::condition(object, condition);
  if (found == nullptr) return "";
  return "; it says " + condition + "=" + text(*found, "status") + " " + text(*found, "reason") + ": " +
         text(*found, "message");
}

Result<void> wait_for(Server& server, const Target& target, const Goal& goal, TimePoint deadline) {
  const std::string path = target.resource.path(server.namespace_(), target.name);
  while (true) {
    const auto object = server.fetch(path);
    if (!object && object.error().code != Code::kNotFound) return tl::unexpected(object.error());
    if (goal.reached(object ? &*object : nullptr)) return {};
    if (!object) return tl::unexpected(object.error());
    if (server.clock().now() >= deadline) {
      return fail(Code::kDeadline, "timed out waiting for " + target.resource.title(target.name) +
                                       state_of(*object, goal.condition));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

int run_wait(const Options& options) {
  const auto goal = parse_goal(options.goal);
  const auto timeout = gateway::parse_duration(options.timeout);
  if (!goal || !timeout) {
    report("wait", goal ? timeout.error() : goal.error());
    return 2;
  }
  const auto server = Server::reach(options.server);
  if (!server) return report("wait", server.error());
  auto targets = targets_of(**server, options.words);
  if (!targets) return report("wait", targets.error());
  if (targets->front().name.empty() && options.selector.empty() && !options.all)
    return report("wait", {Code::kInvalid, "", "name the objects, or say --all or -l LABELS"});
  targets = with_names(**server, *std::move(targets), options.selector);
  if (!targets) return report("wait", targets.error());
  if (targets->empty() && !goal->gone)
    return report("wait", {Code::kNotFound, "", "there are no such objects; make them first"});
  const TimePoint deadline = (*server)->clock().now() + *timeout;
  int status = 0;
  for (const Target& target : *targets) {
    const auto reached = wait_for(**server, target, *goal, deadline);
    if (reached) {
      std::cout << target.resource.title(target.name) << (goal->gone ? " deleted" : " condition met")
                << std::endl;
    } else {
      status = report("wait", reached.error());
    }
  }
  return status;
}

}  // namespace

void add_wait(Command app, int& status) {
  Command verb = app.add_subcommand("wait", "Waits until objects are as they should be");
  auto options = std::make_shared<Options>();
  verb.add_option("WHAT", options->words, "KIND NAME..., KIND/NAME..., KIND with -l or --all").required();
  add_server_flags(verb, options->server, Namespaces::kOne);
  verb.add_option("--for", options->goal, "condition=TYPE[=STATUS], delete, jsonpath={.FIELD}[=VALUE]")
      .required();
  verb.add_option("-l,--selector", options->selector, "Those with these labels: a=b,c!=d");
  verb.add_flag("--all", options->all, "All of the kind in the namespace");
  verb.add_option("--timeout", options->timeout, "How long at most, for all of them: 30s, 5m")
      .capture_default_str();
  verb.callback([options, &status] { status = run_wait(*options); });
}

}  // namespace tidegate::cli
