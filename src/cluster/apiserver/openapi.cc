#include "cluster/apiserver/openapi.h"

#include "cluster/schema/openapi.h"

namespace tidegate::apiserver {

std::optional<std::string> openapi(std::string_view path, const resource::KindSet& kinds) {
  constexpr std::string_view kRoot = "/openapi/v3";
  if (!path.starts_with(kRoot)) return std::nullopt;
  path.remove_prefix(kRoot.size());
  if (path.empty() || path == "/") return schema::openapi_index(kinds);
  if (path.front() != '/') return std::nullopt;
  auto document = schema::openapi_document(path.substr(1), kinds);
  if (!document) return std::nullopt;
  return *std::move(document);
}

}  // namespace tidegate::apiserver
