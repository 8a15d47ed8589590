#include "cluster/apiserver/computed.h"

#include <nlohmann/json.hpp>

#include "resource/json.h"

namespace tidegate::apiserver {

using resource::Json;

Answer<Response> answer_review(std::string_view kind, const Call& call) {
  if (call.method != "POST") return method_not_allowed();
  // Whoever bears the token may do everything, so what is asked need not be read; typed clients ask in protobuf.
  Answer<Json> review = Json::object();
  if (body_type(call.content_type) != BodyType::kProtobuf) review = body_of(call);
  if (!review) return tl::unexpected(review.error());
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
    status["userInfo"] = {{"username", "tidegate-admin"},
                          {"groups", {"system:masters", "system:authenticated"}}};
  } else {
    status["allowed"] = true;
  }
  return Response{201, resource::to_text(*review), {}};
}

}  // namespace tidegate::apiserver
