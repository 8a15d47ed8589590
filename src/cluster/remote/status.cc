#include "cluster/remote/status.h"

#include <nlohmann/json.hpp>

#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::remote {
namespace {

constexpr std::size_t kMessageMax = 2000;

Code code_of(int status) {
  switch (status) {
    case 401:
      return Code::kUnauthorized;
    case 403:
      return Code::kForbidden;
    case 404:
      return Code::kNotFound;
    case 409:
      return Code::kConflict;
    case 410:
      return Code::kGone;
    case 413:
      return Code::kTooLarge;
    case 429:
      return Code::kExhausted;
    case 408:
    case 504:
      return Code::kDeadline;
    case 500:
      return Code::kInternal;
    default:
      return status >= 500 ? Code::kUnavailable : Code::kInvalid;
  }
}

// One line, of bounded length, of printable characters.
std::string tamed(std::string text) {
  if (text.size() > kMessageMax) text.resize(kMessageMax);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
  }
  return text;
}

}  // namespace

Error error_of(const resource::Json& status) {
  const int number = static_cast<int>(resource::number(status, "code"));
  const std::string reason = resource::text(status, "reason");
  Error error{code_of(number), "", tamed(resource::text(status, "message"))};
  if (reason == "Expired" || reason == "Gone") error.code = Code::kGone;
  if (error.message.empty())
    error.message = tamed(reason.empty() ? "the API server gives no reason" : reason);
  // One cause says the field better than the sentence that holds all of them.
  const resource::Json* causes = resource::find_array(status, "details.causes");
  if (causes && causes->size() == 1) {
    const std::string field = tamed(resource::text(causes->front(), "field"));
    const std::string why = tamed(resource::text(causes->front(), "message"));
    if (!field.empty() && field != "<nil>" && !why.empty()) {
      error.field = field;
      error.message = why;
    }
  }
  return error;
}

Error error_of(int http_status, std::string_view body) {
  const auto parsed = resource::parse_json(body);
  if (parsed && parsed->is_object() && resource::text(*parsed, "kind") == "Status") {
    Error error = error_of(*parsed);
    // A 410 in the status line counts, whatever the body thinks.
    if (resource::number(*parsed, "code") == 0) error.code = code_of(http_status);
    return error;
  }
  return {code_of(http_status), "", "the API server answered with status " + std::to_string(http_status)};
}

}  // namespace tidegate::remote
