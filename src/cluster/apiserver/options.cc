#include "cluster/apiserver/options.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "http/target.h"

namespace tidegate::apiserver {
namespace {

constexpr std::size_t kManagerMax = 128;

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::string shown(std::string_view text) { return "\"" + std::string(text.substr(0, 100)) + "\""; }

// 422 about the options themselves, as Kubernetes says it.
tl::unexpected<Status> wrong_option(const char* options, const char* field, const char* reason, const std::string& message) {
  Status status =
      plain_status(422, std::string(options) + ".meta.k8s.io \"\" is invalid: " + std::string(field) + ": " + message);
  status.reason = "Invalid";
  status.group = "meta.k8s.io";
  status.kind = options;
  status.causes.push_back({reason, message, field});
  return tl::unexpected(status);
}

tl::unexpected<Status> wrong_list_option(const char* field, const char* reason, const std::string& message) {
  return wrong_option("ListOptions", field, reason, message);
}

tl::unexpected<Status> wrong_write_option(const Options& options, const char* field, const char* reason,
                                          const std::string& message) {
  const std::string& method = options.method;
  return wrong_option(method == "PUT"      ? "UpdateOptions"
                      : method == "PATCH"  ? "PatchOptions"
                      : method == "DELETE" ? "DeleteOptions"
                                           : "CreateOptions",
                      field, reason, message);
}

Answer<void> read_versions(Options& options) {
  const std::string_view text = options.get("resourceVersion");
  if (text.empty()) return {};
  const auto version = whole(text);
  if (!version || *version < 0) {
    return bad_request("resourceVersion: Invalid value: " + shown(text) + ": must be a whole number");
  }
  if (*version > 0) options.resource_version = static_cast<std::uint64_t>(*version);
  return {};
}

Answer<void> read_writes(Options& options) {
  for (const auto& [name, value] : options.all) {
    if (name != "dryRun" || value.empty()) continue;
    if (value != "All") {
      return wrong_write_option(options, "dryRun", "FieldValueNotSupported",
                                "Unsupported value: [" + shown(value) + "]: supported values: \"All\"");
    }
    options.dry_run = true;
  }
  const std::string_view validation = options.get("fieldValidation");
  if (validation == "Strict") {
    options.validation = Validation::kStrict;
  } else if (validation == "Ignore") {
    options.validation = Validation::kIgnore;
  } else if (!validation.empty() && validation != "Warn") {
    return wrong_write_option(options, "fieldValidation", "FieldValueNotSupported",
                              "Unsupported value: " + shown(validation) +
                                  ": supported values: \"Ignore\", \"Strict\", \"Warn\"");
  }
  options.field_manager = options.get("fieldManager");
  const auto printable = [](char c) { return c >= 0x20 && c != 0x7f; };
  if (options.field_manager.size() > kManagerMax ||
      !std::all_of(options.field_manager.begin(), options.field_manager.end(), printable)) {
    return wrong_write_option(options, "fieldManager", "FieldValueInvalid",
                              "Invalid value: " + shown(options.field_manager) +
                                  ": must be at most 128 printable letters");
  }
  options.propagation = options.get("propagationPolicy");
  return {};
}

Answer<void> read_match(Options& options) {
  constexpr const char* kField = "resourceVersionMatch";
  const std::string_view match = options.get(kField);
  options.resource_version_match = match;
  const auto forbidden = [&](const std::string& why) {
    return wrong_list_option(kField, "FieldValueForbidden", "Forbidden: " + why);
  };
  if (options.send_initial_events && match != "NotOlderThan") {
    return forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  }
  if (options.send_initial_events && !options.watch) {
    return wrong_list_option("sendInitialEvents", "FieldValueForbidden",
                             "Forbidden: sendInitialEvents is forbidden for list");
  }
  if (match.empty()) return {};
  if (options.watch && !options.send_initial_events) {
    return forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  }
  if (options.send_initial_events) return {};
  const std::string_view version = options.get("resourceVersion");
  if (version.empty())
    return forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (!options.continue_.empty())
    return forbidden("resourceVersionMatch is forbidden when continue is provided");
  if (match != "Exact" && match != "NotOlderThan") {
    return wrong_list_option(
        kField, "FieldValueNotSupported",
        "Unsupported value: " + shown(match) + ": supported values: \"Exact\", \"NotOlderThan\"");
  }
  if (match == "Exact" && version == "0") {
    return forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  }
  return {};
}

Answer<void> read_collection(Options& options) {
  const auto limit = options.number("limit");
  if (!limit) return tl::unexpected(limit.error());
  if (limit->value_or(0) < 0) return bad_request("limit: Invalid value: must not be negative");
  options.limit = static_cast<std::size_t>(limit->value_or(0));
  options.continue_ = options.get("continue");
  options.label_selector = options.get("labelSelector");
  options.field_selector = options.get("fieldSelector");
  const std::string_view include = options.get("includeObject");
  options.include_object = include == "Object";
  options.no_object = include == "None";
  options.watch = options.flag("watch");
  options.bookmarks = options.flag("allowWatchBookmarks");
  options.send_initial_events = options.flag("sendInitialEvents");
  const auto timeout = options.number("timeoutSeconds");
  if (!timeout) return tl::unexpected(timeout.error());
  options.timeout_s = *timeout;
  if (auto fits = read_match(options); !fits) return fits;
  const auto grace = options.number("gracePeriodSeconds");
  if (!grace) return tl::unexpected(grace.error());
  options.grace_s = *grace;
  return {};
}

}  // namespace

std::string_view Options::get(std::string_view name) const {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& parameter) { return parameter.first == name; });
  return found == all.end() ? std::string_view() : std::string_view(found->second);
}

Answer<std::optional<std::int64_t>> Options::number(std::string_view name) const {
  const std::string_view text = get(name);
  if (text.empty()) return std::optional<std::int64_t>();
  const auto value = whole(text);
  if (!value)
    return bad_request(std::string(name) + ": Invalid value: " + shown(text) + ": must be a number");
  return value;
}

bool Options::flag(std::string_view name) const {
  const auto is_set = [&](const auto& parameter) {
    return parameter.first == name && parameter.second != "0" &&
           !ascii::equals_ignoring_case(parameter.second, "false");
  };
  return std::any_of(all.begin(), all.end(), is_set);
}

Answer<Options> parse_options(std::string_view query, std::string_view method) {
  auto parameters = http::query_parameters(query);
  if (!parameters) return bad_request("the query cannot be read: " + describe(parameters.error()));
  Options options;
  options.method = method;
  options.all = *std::move(parameters);
  for (const auto read : {read_versions, read_collection, read_writes}) {
    if (auto done = read(options); !done) return tl::unexpected(done.error());
  }
  options.force = options.flag("force");
  return options;
}

}  // namespace tidegate::apiserver
