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

std::string empty_openapi_v2(bool protobuf) {
  // Document{swagger = 1: "2.0", info = 2: Info{title = 1: "Tidegate", version = 2: "v1"}} of gnostic's openapiv2.proto.
  if (protobuf) return std::string("\x0a\x03" "2.0" "\x12\x0e" "\x0a\x08" "Tidegate" "\x12\x02" "v1");
  return R"({"swagger":"2.0","info":{"title":"Tidegate","version":"v1"},"paths":{}})";
}

}  // namespace tidegate::apiserver
