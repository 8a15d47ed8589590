#include <charconv>

#include "gateway/dialect/json_text.h"
#include "gateway/dialect/usage.h"

namespace tidegate::dialect {
namespace {

// Inside a JSON string every quote is escaped, so these bytes are always a member's name, at some depth.
constexpr std::string_view kUsage = "\"usage\"";
constexpr std::string_view kError = "\"error\"";
constexpr std::size_t kNone = std::string_view::npos;

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

std::uint32_t number_at(std::string_view text) {
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The members of one event that matter.
struct Members {
  bool has_usage = false;  // there is an object of that name
  std::optional<Usage> usage;
  Range cut;  // the member with one comma
  bool choices_empty = false;
  std::uint32_t choice = 0;
  bool has_choices = false;
  std::optional<Usage> response;  // of Responses: the usage within "response"
  std::optional<Usage> message;   // of Messages: within "message"
};

// As vLLM writes it, nearly always: compact, choices before usage, usage last, index first in a choice. False
// if the data looks otherwise; then walk() decides.
bool glance(std::string_view data, std::size_t usage, Members& members) {
  constexpr std::string_view kChoices = "\"choices\":[";
  constexpr std::string_view kIndex = "{\"index\":";
  const std::size_t begin = usage + kUsage.size() + 1;
  if (begin >= data.size() || data[begin - 1] != ':' || data[begin] != '{' || data[usage - 1] != ',')
    return false;
  // The object and the data's own closing bracket are all there is to the end.
  const auto found = read_usage_at(data.substr(begin));
  if (!found) return false;
  const std::size_t end = begin + found->end;
  if (end + 1 != data.size() || data[end] != '}') return false;
  const std::size_t choices = find_word(data.substr(0, usage), kChoices);
  if (choices == kNone) return false;
  const std::string_view inside = data.substr(choices + kChoices.size());
  members.choices_empty = inside.starts_with(']');
  if (!members.choices_empty) {
    if (!inside.starts_with(kIndex)) return false;
    members.choice = number_at(inside.substr(kIndex.size()));
  }
  members.has_usage = members.has_choices = true;
  members.usage = found->usage;
  members.cut = {usage - 1, end};
  return true;
}

// Running usage stands within the last bytes of nearly every event.
bool glance_at_end(std::string_view data, Members& members) {
  constexpr std::size_t kEnd = 160;
  const std::size_t from = data.size() > kEnd ? data.size() - kEnd : 0;
  const std::size_t usage = find_word(data.substr(from), kUsage);
  return usage != kNone && from + usage > 0 && glance(data, from + usage, members);
}

std::uint32_t first_index(std::string_view choices) {
  std::uint32_t index = 0;
  JsonCursor cursor(choices);
  if (!cursor.take('[')) return 0;
  cursor.each_member([&](std::string_view key) {
    const std::string_view value = cursor.value();
    if (key == "index") index = number_at(value);
  });
  return index;
}

std::optional<Usage> usage_within(std::string_view object) {
  std::optional<Usage> usage;
  JsonCursor cursor(object);
  cursor.each_member([&](std::string_view key) {
    const std::string_view value = cursor.value();
    if (key == "usage" && value.starts_with('{')) usage = read_usage(value);
  });
  return usage;
}

// Any JSON object, member by member.
bool walk(std::string_view data, Members& members) {
  JsonCursor cursor(data);
  std::size_t behind_last = 0;  // the end of the member before
  Range usage_member;
  bool usage_is_first = false;
  cursor.each_member([&](std::string_view key) {
    const auto key_begin = static_cast<std::size_t>(key.data() - data.data()) - 1;
    const std::string_view value = cursor.value();
    const std::size_t end = cursor.at();
    if (key == "usage" && value.starts_with('{')) {
      members.has_usage = true;
      members.usage = read_usage(value);
      usage_is_first = behind_last == 0;
      usage_member = {usage_is_first ? key_begin : behind_last, end};
    } else if (key == "response") {
      members.response = usage_within(value);
    } else if (key == "message") {
      members.message = usage_within(value);
    } else if (key == "choices") {
      members.has_choices = true;
      JsonCursor list(value);
      members.choices_empty = list.take('[') && list.take(']');
      if (!members.choices_empty) members.choice = first_index(value);
    }
    behind_last = end;
  });
  if (!cursor.at_end()) return false;
  // A member behind another takes the comma before it along, the first one the comma after it.
  if (usage_is_first) {
    std::size_t next = usage_member.end;
    while (next < data.size() && is_blank(data[next])) ++next;
    if (next < data.size() && data[next] == ',') usage_member.end = next + 1;
  }
  members.cut = usage_member;
  return true;
}

// {"error": ...} or vLLM's older {"object":"error", ...}.
bool is_error(std::string_view data) {
  if (find_word(data, kError) == kNone) return false;
  bool error = false;
  JsonCursor cursor(data);
  cursor.each_member([&](std::string_view key) {
    const std::string_view value = cursor.value();
    if (key == "error" && value != "null") error = true;
    if (key == "object" && value == kError) error = true;
  });
  return error;
}

}  // namespace

UsageSse::UsageSse(Injected injected)
    // Without include_usage an engine ignores the client's own continuous_usage_stats, so once we ask for the
    // former all that comes is ours.
    : hide_final_(injected.include_usage), hide_running_(injected.any()) {}

UsageSse::Verdict UsageSse::look(std::string_view data) const {
  Verdict verdict;
  if (data.starts_with("[DONE]")) {
    verdict.done = true;
    return verdict;
  }
  Members members;
  if (!glance_at_end(data, members)) {
    const std::size_t usage = find_word(data, kUsage);
    if (usage == kNone) {
      verdict.error = is_error(data);
      return verdict;
    }
    members = {};
    if (!walk(data, members)) return verdict;  // not JSON: no business of ours
    verdict.error = is_error(data);
  }
  if (!members.has_usage) {
    verdict.usage = members.response ? members.response : members.message;
    verdict.is_final = members.response.has_value();
    return verdict;
  }
  verdict.usage = members.usage;
  verdict.is_final = members.choices_empty;
  verdict.choice = members.choice;
  verdict.adds = !members.has_choices;
  if (verdict.is_final) {
    if (hide_final_) verdict.action = Action::kDrop;
  } else if (hide_running_) {
    verdict.action = Action::kCut;
    verdict.cut = members.cut;
  }
  return verdict;
}

}  // namespace tidegate::dialect
