// kubectl's JSONPath: a template of text and of expressions in braces.
//
//   {.metadata.name}  {.items[*].metadata.name}  {.items[0]}  {.items[-1:]}  {.metadata.labels['a.b']}
//   {.status.conditions[?(@.type=="Ready")].status}  {..image}
//   {range .items[*]}{.metadata.name}{"\n"}{end}
//
// What is not there prints as nothing. Several results of one expression are joined with blanks.
//
// Thread: immutable once parsed.
// Source: Kubernetes, "JSONPath Support".

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/object.h"

namespace tidegate::resource {

class JsonPath {
 public:
  // Without any braces the whole text is one expression: ".spec.replicas". Errors: kInvalid, with the place.
  static Result<JsonPath> parse(std::string_view text);

  std::string print(const Json& root) const;
  // What the first expression finds. The pointers point into `root`.
  std::vector<const Json*> find(const Json& root) const;

  struct Step {
    enum class Kind { kField, kDescend, kAll, kSlice, kFilter };
    Kind kind = Kind::kField;
    std::string name = {};                   // kField, kDescend
    std::optional<long> from = {}, to = {};  // kSlice
    bool single = false;                     // kSlice: one item
    std::vector<Step> path = {};             // kFilter: what is compared
    std::string op = {};                     // kFilter: == != < <= > >=; empty: it is there
    std::string literal = {};
  };
  struct Part {
    enum class Kind { kText, kPath, kRange };
    Kind kind = Kind::kText;
    std::string text = {};
    std::vector<Step> path = {};
    std::vector<Part> body = {};  // kRange
  };

 private:
  std::vector<Part> parts_;
};

}  // namespace tidegate::resource
