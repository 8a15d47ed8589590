#include "gateway/dialect/edit.h"

#include "base/check.h"

namespace tidegate::dialect {
namespace {

// By what is wanted (bit 0 include_usage, bit 1 continuous_usage_stats).
constexpr std::string_view kMembers[4] = {"", "\"include_usage\":true", "\"continuous_usage_stats\":true",
                                          "\"include_usage\":true,\"continuous_usage_stats\":true"};
constexpr std::string_view kMembersBeforeOthers[4] = {
    "", "\"include_usage\":true,", "\"continuous_usage_stats\":true,",
    "\"include_usage\":true,\"continuous_usage_stats\":true,"};
constexpr std::string_view kObject[4] = {"", "{\"include_usage\":true}", "{\"continuous_usage_stats\":true}",
                                         "{\"include_usage\":true,\"continuous_usage_stats\":true}"};
constexpr std::string_view kOptions[4] = {
    "", "\"stream_options\":{\"include_usage\":true},",
    "\"stream_options\":{\"continuous_usage_stats\":true},",
    "\"stream_options\":{\"include_usage\":true,\"continuous_usage_stats\":true},"};

}  // namespace

std::string Pieces::text() const {
  std::string result;
  for (const std::string_view part : view()) result += part;
  return result;
}

void EditList::add(Range range, std::string_view with) {
  TG_CHECK(count_ < kMax);
  std::size_t place = count_++;
  while (place > 0 && edits_[place - 1].range.begin > range.begin) {
    edits_[place] = edits_[place - 1];
    --place;
  }
  edits_[place] = {range, with};
}

void EditList::replace_model(const BodyFacts& facts, std::string_view token) {
  if (!facts.model_token.empty()) add(facts.model_token, token);
}

void EditList::choose_adapter(const BodyFacts& facts, AdapterField field, std::string_view value) {
  const bool by_path = field == AdapterField::kLoraPath;
  const Range own = by_path ? facts.lora_path : facts.lora;
  if (!own.empty()) return add(own, value);
  const Range here{facts.open, facts.open};
  add(here, by_path ? "\"lora_path\":" : "\"lora\":");
  add(here, value);
  add(here, facts.is_empty ? "" : ",");
}

void EditList::ask_for_usage(const BodyFacts& facts, const EngineTraits& traits) {
  const Injected wanted = injected_by(facts, traits);
  if (!wanted.any()) return;
  const unsigned bits = (wanted.include_usage ? 1 : 0) | (wanted.continuous_usage ? 2 : 0);
  if (facts.stream_options.empty()) {
    add({facts.open, facts.open}, kOptions[bits]);  // a body that streams has a member, so a comma follows
    return;
  }
  if (!facts.stream_options_is_object) {
    add(facts.stream_options, kObject[bits]);
    return;
  }
  unsigned missing = bits;
  if (wanted.include_usage && facts.include_usage != Flag::kAbsent) {
    add(facts.include_usage_token, "true");
    missing &= ~1U;
  }
  if (wanted.continuous_usage && facts.continuous_usage != Flag::kAbsent) {
    add(facts.continuous_usage_token, "true");
    missing &= ~2U;
  }
  if (missing != 0) {
    const std::size_t inside = facts.stream_options.begin + 1;
    add({inside, inside}, facts.stream_options_is_empty ? kMembers[missing] : kMembersBeforeOthers[missing]);
  }
}

Pieces EditList::apply(std::string_view text) const {
  Pieces pieces;
  const auto put = [&pieces](std::string_view part) {
    if (part.empty()) return;
    pieces.parts[pieces.count++] = part;
    pieces.total += part.size();
  };
  std::size_t at = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    const Edit& edit = edits_[i];
    put(text.substr(at, edit.range.begin - at));
    put(edit.with);
    at = edit.range.end;
  }
  put(text.substr(at));
  return pieces;
}

}  // namespace tidegate::dialect
