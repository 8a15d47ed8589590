// labelSelector and fieldSelector of a request.
//
// Thread: immutable once parsed; any thread.
// Source: Kubernetes, "Field Selectors"; k8s.io/apimachinery fields.ParseSelector.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/kind.h"
#include "resource/object.h"
#include "resource/selector_text.h"

namespace tidegate::apiserver {

struct FieldTest {
  std::string path;  // "spec.nodeName"
  std::string value;
  bool equal = true;  // else: differs
};

struct Selector {
  resource::LabelQuery labels;
  std::vector<FieldTest> fields;

  bool empty() const { return labels.empty() && fields.empty(); }
  bool matches(const resource::Object& object) const;
};

// Errors: kInvalid with what cannot be understood; a field that the kind is not indexed by.
Result<Selector> parse_selector(const resource::Kind& kind, std::string_view labels, std::string_view fields);

}  // namespace tidegate::apiserver
