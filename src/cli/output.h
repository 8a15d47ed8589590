// -o: how a verb shows objects.
//
// Thread: a value.

#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "resource/json_path.h"
#include "resource/object.h"

namespace tidegate::cli {

struct Output {
  enum class Form { kTable, kWide, kYaml, kJson, kName, kJsonPath };
  Form form = Form::kTable;
  std::optional<resource::JsonPath> path = {};  // of kJsonPath

  // "", "wide", "yaml", "json", "name", "jsonpath=TEMPLATE". Errors: kInvalid.
  static Result<Output> parse(const std::string& text);

  bool is_table() const { return form == Form::kTable || form == Form::kWide; }
  // Requires: no table and no name. managedFields, which nobody reads, are left out.
  std::string print(resource::Json document) const;
};

inline constexpr const char* kOutputHelp = "wide, yaml, json, name or jsonpath=TEMPLATE";

}  // namespace tidegate::cli
