// A kind that a CustomResourceDefinition makes: a Kind as all others, and what its definition says beside that.
//
// A definition that changes makes a new CustomKind; who works with the old one keeps it alive by its KindSet
// (kind_set.h). What is stored under a kind outlives them all, so storage knows them by their anchor(): a Kind that lives
// as long as the process that made it, and is the same for all CustomKinds of one group, kind, plural and scope.
//
// Thread: immutable; any thread.
// Source: apiextensions.k8s.io/v1 CustomResourceDefinition.

#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resource/json_path.h"
#include "resource/kind.h"
#include "resource/scale.h"
#include "resource/schema.h"
#include "resource/structural.h"

namespace tidegate::resource {

// A column of `kubectl get`: additionalPrinterColumns.
struct PrinterColumn {
  std::string name;
  std::string type;  // "integer", "number", "string", "boolean" or "date"
  std::string format;
  std::string about;
  int priority = 0;
  JsonPath path;
};

struct CustomVersion {
  std::string name;
  bool served = false;
  bool stored = false;
  bool has_status = false;
  std::string deprecation{};  // a warning for whoever uses it; empty: none
  std::optional<ScalePaths> scale{};
  std::vector<PrinterColumn> columns{};
  std::vector<std::string> selectable{};  // for field selectors, without a dot in front
  std::shared_ptr<const Structural> structural{};
  SchemaPtr schema{};  // of whole documents
};

class CustomKind : public Kind {
 public:
  // Null if the document is not a definition that admission would take. `metadata`: the schema of objects' metadata.
  // The anchor must outlive it.
  static std::shared_ptr<const CustomKind> make(const Json& definition, const SchemaPtr& metadata, const Kind& anchor);

  CustomKind() = default;
  CustomKind(const CustomKind&) = delete;
  CustomKind& operator=(const CustomKind&) = delete;

  const Kind& anchor() const { return *anchor_; }
  const Json& definition() const { return *definition_; }
  const std::string& definition_name() const { return definition_name_; }
  const std::vector<std::string>& categories() const { return categories_; }

  // Null if there is none of that name, or it is not served.
  const CustomVersion* version(std::string_view name) const;
  // The one a document is in; the stored one if it is in none.
  const CustomVersion& version_of(const Json& document) const;

  // Whether a field selector may name this path, in some version.
  bool selects(std::string_view path) const;

  // As resource::admit(), which comes here for kinds like this one: defaults, then what is wrong.
  void set_defaults_of(Json& document) const;
  void validate_all(const Json& document, std::vector<Error>& errors) const;
  // What rules say of a change from one document, which was right, to another.
  void validate_change(const Json& before, const Json& after, std::vector<Error>& errors) const;

 private:
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }
  void read(const Json& definition, const SchemaPtr& metadata);

  const Kind* anchor_ = nullptr;
  std::deque<std::string> texts_;  // what the views of Kind look at
  std::shared_ptr<const Json> definition_;
  std::string definition_name_;
  std::vector<std::string> categories_;
  std::vector<CustomVersion> versions_;  // all, in the definition's order
};

// Null for a kind that is built in.
const CustomKind* as_custom(const Kind& kind);

// What storage knows a kind by: its anchor, or the kind itself where it is built in.
const Kind& stored_as(const Kind& kind);

}  // namespace tidegate::resource
