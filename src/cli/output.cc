#include "cli/output.h"

#include <nlohmann/json.hpp>

#include "cli/show/yaml_text.h"

namespace tidegate::cli {
namespace {

using resource::Json;

void leave_out_managed_fields(Json& document) {
  const auto metadata = document.find("metadata");
  if (metadata != document.end() && metadata->is_object()) metadata->erase("managedFields");
  const auto items = document.find("items");
  if (items == document.end() || !items->is_array()) return;
  for (Json& item : *items) {
    if (item.is_object()) leave_out_managed_fields(item);
  }
}

}  // namespace

Result<Output> Output::parse(const std::string& text) {
  constexpr std::string_view kPath = "jsonpath=";
  if (text.starts_with(kPath)) {
    auto path = resource::JsonPath::parse(std::string_view(text).substr(kPath.size()));
    if (!path) return tl::unexpected(path.error());
    return Output{Form::kJsonPath, *std::move(path)};
  }
  const std::pair<const char*, Form> forms[] = {{"", Form::kTable},
                                                {"wide", Form::kWide},
                                                {"yaml", Form::kYaml},
                                                {"json", Form::kJson},
                                                {"name", Form::kName}};
  for (const auto& [name, form] : forms) {
    if (text == name) return Output{form};
  }
  return invalid("-o", "is '" + text + "'; use " + kOutputHelp);
}

std::string Output::print(Json document) const {
  leave_out_managed_fields(document);
  if (form == Form::kJsonPath) return path->print(document);
  if (form == Form::kYaml) return show::to_yaml(document);
  return document.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tidegate::cli
