// What a request to the API server says before its body: path, query, Accept, label and field selectors, one
// a line. Besides not crashing: what names a resource has no empty part, and a selector that was understood
// says the same of an object however often it is asked.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cluster/apiserver/discovery.h"
#include "cluster/apiserver/media.h"
#include "cluster/apiserver/options.h"
#include "cluster/apiserver/resource_path.h"
#include "cluster/apiserver/selectors.h"

namespace {

using namespace tidegate;

std::string_view line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

resource::ObjectPtr pod() {
  static const resource::ObjectPtr kPod = *resource::Object::make(
      {{"apiVersion", "v1"},
       {"kind", "Pod"},
       {"metadata", {{"name", "p"}, {"namespace", "default"}, {"labels", {{"app", "web"}, {"n", "3"}}}}},
       {"spec", {{"nodeName", "home"}}},
       {"status", {{"phase", "Running"}}}});
  return kPod;
}

void check_selector(std::string_view labels, std::string_view fields) {
  const auto selector = apiserver::parse_selector(*resource::find_kind("v1", "Pod"), labels, fields);
  if (!selector) {
    TG_CHECK(!selector.error().message.empty());
    return;
  }
  const bool matches = selector->matches(*pod());
  TG_CHECK(selector->matches(*pod()) == matches);
  if (selector->empty()) TG_CHECK(matches);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view path = line(text);
  static const resource::KindSet kinds;
  if (const auto parsed = apiserver::parse_resource_path(path)) {
    TG_CHECK(!parsed->version.empty());
    TG_CHECK(parsed->subresource.empty() || !parsed->name.empty());
    if (const resource::Kind* kind = apiserver::find_resource(*parsed, kinds))
      TG_CHECK(kind->plural == parsed->resource);
  }
  const auto options = apiserver::parse_options(line(text));
  if (!options) TG_CHECK(options.error().code == 400 || options.error().code == 422);
  const auto form = apiserver::accepted_form(line(text));
  (void)apiserver::discovery(path, form.value_or(apiserver::Form::kObject), kinds);
  const std::string_view labels = line(text);
  check_selector(labels, line(text));
  if (options) check_selector(options->label_selector, options->field_selector);
  return 0;
}
