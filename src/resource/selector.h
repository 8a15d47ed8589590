// Label selectors: which objects a Deployment, a Service or an InferencePool means.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes, "Labels and Selectors", meta/v1 LabelSelector.

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "resource/reader.h"

namespace tidegate::resource {

using Labels = std::map<std::string, std::string>;

enum class Operator { kIn, kNotIn, kExists, kDoesNotExist };

struct Requirement {
  std::string key;
  Operator op = Operator::kExists;
  std::vector<std::string> values;
  bool operator==(const Requirement&) const = default;
};

struct LabelSelector {
  Labels match_labels;
  std::vector<Requirement> match_expressions;

  bool empty() const { return match_labels.empty() && match_expressions.empty(); }
  // All requirements hold. An empty selector matches everything.
  bool matches(const Labels& labels) const;
  bool operator==(const LabelSelector&) const = default;
};

// The flat form of Services and old pools: every pair must be there. An empty one matches nothing.
bool selects(const Labels& selector, const Labels& labels);

// Reads a list of requirements, such as matchExpressions.
std::vector<Requirement> read_requirements(Reader& parent, std::string_view field);

// Reads the LabelSelector in `field` of `parent`.
LabelSelector read_selector(Reader& parent, std::string_view field, Need need = Need::kOptional);

}  // namespace tidegate::resource
