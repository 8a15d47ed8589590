#include "cluster/apiserver/computed.h"

#include <nlohmann/json.hpp>

#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::apiserver {

using resource::Json;

namespace {

constexpr const char* kUser = "tidegate-admin";

// A question about access asks about exactly one thing, and of somebody.
Answer<void> check_question(std::string_view kind, const Call& call, const Json& review) {
  if (!kind.ends_with("AccessReview")) return {};
  std::vector<Error> errors;
  const bool resource = resource::find(review, "spec.resourceAttributes") != nullptr;
  const bool other = resource::find(review, "spec.nonResourceAttributes") != nullptr;
  if (resource == other) {
    errors.push_back({Code::kInvalid, "spec.resourceAttributes",
                      "exactly one of nonResourceAttributes or resourceAttributes must be specified"});
  }
  const bool of_self = kind.starts_with("Self");
  if (!of_self && resource::text(review, "spec.user").empty() &&
      resource::find_array(review, "spec.groups") == nullptr) {
    errors.push_back({Code::kInvalid, "spec.user", "at least one of user or group must be specified"});
  }
  if (errors.empty()) return {};
  const resource::Kind asked{.group = call.path.group,
                             .kind = kind,
                             .plural = call.path.resource,
                             .singular = "",
                             .versions = {},
                             .short_names = {}};
  return tl::unexpected(invalid_object(asked, "", errors, review));
}

}  // namespace

Answer<Response> answer_review(std::string_view kind, const Call& call) {
  if (call.method != "POST") return method_not_allowed();
  auto review = body_of(call);
  if (!review) return tl::unexpected(review.error());
  if (auto right = check_question(kind, call, *review); !right) return tl::unexpected(right.error());
  (*review)["kind"] = std::string(kind);
  (*review)["apiVersion"] = group_version(call.path.group, call.path.version);
  Json& status = (*review)["status"];
  status = Json::object();
  if (kind == "SelfSubjectRulesReview") {
    const Json all = Json::array({"*"});
    status["resourceRules"] = Json::array({{{"verbs", all}, {"apiGroups", all}, {"resources", all}}});
    status["nonResourceRules"] = Json::array({{{"verbs", all}, {"nonResourceURLs", all}}});
    status["incomplete"] = false;
  } else if (kind == "SelfSubjectReview") {
    status["userInfo"] = {{"username", kUser}, {"groups", {"system:masters", "system:authenticated"}}};
  } else {
    // Whoever bears the token may do everything, and nobody else is known.
    const std::string user = resource::text(*review, "spec.user", kUser);
    status["allowed"] = user == kUser;
    if (user != kUser)
      status["reason"] = "only the bearer of the token, " + std::string(kUser) + ", may do anything";
  }
  return Response{201, resource::to_text(*review), {}};
}

}  // namespace tidegate::apiserver
