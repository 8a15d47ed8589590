// EndpointPickerConfig: how endpoints are picked, in the words of the Gateway API's endpoint picker, for the
// plugins that mean here what they mean there.
//
// A scorer that is listed counts with its weight (1 if it has none), one that is not listed counts nothing.
// Their formulas are ours (pick/scorers): they never herd between two scrapes, and affinity ends at the load
// bound. Plugins that stand for what this gateway does anyway (parsers, producers, profile handlers) are
// accepted and named in `notes`; anything else is an error that says what there is.
//
// Thread: pure; a PickerConfig is a value.
// Source: llm-d inference scheduler and Gateway API Inference Extension, apix/config/v1alpha1.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/pick/settings.h"

namespace tidegate::gateway {

struct PickerConfig {
  pick::Weights weights;
  pick::Choice choice = pick::Choice::kBest;
  pick::Session session;
  std::uint32_t endpoints_max = 0;
  std::uint16_t kv_events_port = 0;  // of the precise prefix cache; 0: the approximate one
  std::vector<std::string> notes;

  void apply(pick::Settings& settings) const;
};

// `source` is what messages begin with: "picker.yaml:7: plugins[1].type is ...". Errors: kInvalid.
Result<PickerConfig> read_picker_config(std::string_view source, std::string_view text);
Result<PickerConfig> load_picker_config(const std::string& path);

// "none", "header", "header=X-My-Session", "cookie", "cookie=NAME" or "id=X-Session-Id". Errors: kInvalid.
Result<pick::Session> parse_session(std::string_view text);

}  // namespace tidegate::gateway
