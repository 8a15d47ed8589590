// Label selectors in one line, as requests and scale subresources write them: "app=web,tier in (a,b),!old".
//
// Thread: immutable once parsed; any thread.
// Source: Kubernetes, "Labels and Selectors"; k8s.io/apimachinery labels.Parse.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/selector.h"

namespace tidegate::resource {

// key>number, key<number
struct LabelBound {
  std::string key;
  long long number = 0;
  bool above = true;
};

struct LabelQuery {
  LabelSelector labels;
  std::vector<LabelBound> bounds{};

  bool empty() const { return labels.empty() && bounds.empty(); }
  // An empty one matches everything.
  bool matches(const Labels& own) const;
};

// Errors: kInvalid with what cannot be understood.
Result<LabelQuery> parse_label_query(std::string_view text);

std::string selector_text(const LabelSelector& selector);

}  // namespace tidegate::resource
