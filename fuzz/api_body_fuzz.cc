// Bodies of requests to the API server as protobuf, JSON and YAML. Besides not crashing: what was decoded can
// be written and read again, and a JSON body without a key twice is read the same by the strict and the
// lenient reader.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cluster/apiserver/media.h"
#include "cluster/schema/protobuf.h"
#include "cluster/store/rules.h"
#include "resource/json.h"
#include "resource/json_duplicates.h"

namespace {

using namespace tidegate;
using resource::Json;

void check_again(const Json& document) {
  const auto again = resource::parse_json(resource::to_text(document), 64 * resource::kObjectBytesMax);
  TG_CHECK(!again || cluster::same(*again, document));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The magic number is put before what has none, so that mutations reach what is behind it.
  const std::string wrapped =
      text.starts_with("k8s") ? std::string(text) : std::string("k8s\0", 4) + std::string(text);
  if (const auto document = schema::decode_protobuf(wrapped)) check_again(*document);
  for (const auto type : {apiserver::BodyType::kJson, apiserver::BodyType::kYaml}) {
    const auto document = apiserver::parse_body(type, text);
    if (document) check_again(*document);
    if (!document) TG_CHECK(document.error().code == 400 || document.error().code == 413);
  }
  std::vector<std::string> duplicates;
  const auto lenient = resource::parse_json_last_wins(text, duplicates);
  const auto strict = resource::parse_json(text);
  TG_CHECK(!strict || (lenient && duplicates.empty() && cluster::same(*lenient, *strict)));
  TG_CHECK(!lenient || strict || !duplicates.empty());
  return 0;
}
