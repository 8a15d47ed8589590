// Two JSON documents, the second on the second line: as patches of all three kinds to each other under the
// schema of the first, and as an applied configuration. Besides not crashing: a patch of nothing changes
// nothing, what a patch leaves can be written and read again, and applying the same twice is applying it
// once.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/check.h"
#include "cluster/ownership/apply.h"
#include "cluster/schema/catalog.h"
#include "cluster/schema/fields.h"
#include "cluster/store/patch.h"
#include "cluster/store/rules.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace {

using namespace tidegate;
using cluster::PatchType;
using resource::Json;

constexpr std::size_t kOnceMoreMax = 16 * 1024;

void check_patch(PatchType type, const Json& document, const Json& patch, const resource::Schema* schema) {
  const auto after = cluster::apply_patch(type, document, patch, schema);
  if (!after) {
    TG_CHECK(!describe(after.error()).empty());
    return;
  }
  const auto again = resource::parse_json(resource::to_text(*after), 64 * resource::kObjectBytesMax);
  TG_CHECK(!again || cluster::same(*again, *after));
}

void check_apply(const Json& live, const Json& config, const resource::Schema& schema) {
  const ownership::Writer writer{
      .manager = "fuzz", .subresource = "", .api_version = "v1", .time = "2026-01-01T00:00:00Z"};
  const auto first = ownership::apply(schema, &live, config, writer, true);
  if (!first || !first->object) return;
  const auto second = ownership::apply(schema, &*first->object, config, writer, true);
  TG_CHECK(second.has_value() && second->conflicts.empty());
  TG_CHECK(cluster::same(*second->object, *first->object));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return 0;
  const auto document = resource::parse_json(text.substr(0, end));
  const auto patch = resource::parse_json(text.substr(end + 1));
  if (!document || !patch || !document->is_object()) return 0;
  const resource::Schema* schema =
      schema::find_schema(resource::text(*document, "apiVersion"), resource::text(*document, "kind"));
  for (const PatchType type : {PatchType::kMerge, PatchType::kStrategic}) {
    const auto same = cluster::apply_patch(type, *document, Json::object(), schema);
    TG_CHECK(same && cluster::same(*same, *document));
    check_patch(type, *document, *patch, schema);
  }
  check_patch(PatchType::kJson, *document, *patch, schema);
  if (schema == nullptr || !patch->is_object()) return 0;
  Json pruned = *patch;
  (void)schema::drop_unknown(*schema, pruned);
  TG_CHECK(schema::drop_unknown(*schema, pruned).empty());
  if (text.size() <= kOnceMoreMax) check_apply(*document, pruned, *schema);
  return 0;
}
