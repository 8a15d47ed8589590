#include "cli/show/describe.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/show/table.h"
#include "resource/fields.h"

namespace tidegate::show {
namespace {

using resource::Json;
using resource::text;

bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool lower(char c) { return c >= 'a' && c <= 'z'; }

std::string shown(const Json& value) {
  std::string out;
  if (value.is_string()) {
    out = value.get<std::string>();
  } else if (value.is_array()) {
    for (const Json& item : value) out += (out.empty() ? "" : ", ") + shown(item);
  } else if (value.is_null() || (value.is_structured() && value.empty())) {
    return "<none>";
  } else {
    out = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  for (char& c : out) {
    if (c != '\n' && (static_cast<unsigned char>(c) < 32 || c == 127)) c = ' ';
  }
  return out.empty() ? "<none>" : out;
}

bool is_short(const Json& value) {
  if (!value.is_structured() || value.empty()) return true;
  if (!value.is_array()) return false;
  return std::none_of(value.begin(), value.end(), [](const Json& item) { return item.is_structured(); });
}

std::string indented(const std::string& block, std::size_t indent) {
  std::string out;
  for (std::size_t at = 0; at < block.size();) {
    const std::size_t end = std::min(block.find('\n', at), block.size());
    out.append(indent, ' ').append(block, at, end - at).append(1, '\n');
    at = end + 1;
  }
  return out;
}

std::string conditions(const Json& list, WallTime now) {
  Table table{{"Type", "Status", "Since", "Reason", "Message"}, {}};
  for (const Json& each : list) {
    table.rows.push_back({text(each, "type"), text(each, "status"),
                          age_of(text(each, "lastTransitionTime"), now), text(each, "reason"),
                          text(each, "message")});
  }
  return Columns().print(table, true);
}

// Names are data of the user: labels, resources, selectors keep theirs.
bool names_are_data(std::string_view field, const Json& value) {
  constexpr std::string_view kMaps[] = {"labels",   "annotations", "matchLabels", "nodeSelector",
                                        "capacity", "allocatable", "limits",      "requests",
                                        "data",     "selector"};
  const bool flat =
      std::none_of(value.begin(), value.end(), [](const Json& each) { return each.is_structured(); });
  return flat && std::find(std::begin(kMaps), std::end(kMaps), field) != std::end(kMaps);
}

class Writer {
 public:
  explicit Writer(WallTime now) : now_(now) {}

  void members(const Json& object, std::size_t indent, bool words) {
    std::size_t width = 0;
    for (const auto& [key, value] : object.items()) {
      if (is_short(value)) width = std::max(width, title(key, words).size());
    }
    for (const auto& [key, value] : object.items()) member(key, value, indent, words, width);
  }

  void line(std::string_view title, const std::string& value, std::size_t width, std::size_t indent) {
    std::string head = std::string(title) + ":";
    if (head.size() < width + 3) head.resize(width + 3, ' ');
    const std::size_t first = value.find('\n');
    if (first == std::string::npos) {
      out_.append(indent, ' ').append(head).append(value).append(1, '\n');
    } else {
      out_.append(indent, ' ').append(title).append(":\n").append(indented(value, indent + 2));
    }
  }

  void heading(std::string_view title, std::size_t indent) {
    out_.append(indent, ' ').append(title).append(":\n");
  }
  void block(const std::string& text, std::size_t indent) { out_ += indented(text, indent); }
  std::string take() { return std::move(out_); }

 private:
  static std::string title(const std::string& key, bool words) { return words ? title_words(key) : key; }

  void member(const std::string& key, const Json& value, std::size_t indent, bool words, std::size_t width) {
    if (is_short(value)) return line(title(key, words), shown(value), width, indent);
    heading(title(key, words), indent);
    if (key == "conditions" && value.is_array()) return block(conditions(value, now_), indent + 2);
    if (value.is_object()) return members(value, indent + 2, !names_are_data(key, value));
    for (const Json& item : value) {
      if (item.is_object()) {
        const std::size_t begin = out_.size();
        members(item, indent + 4, true);
        if (out_.size() > begin + indent + 2) out_[begin + indent + 2] = '-';
      } else {
        out_.append(indent + 2, ' ').append("- ").append(shown(item)).append(1, '\n');
      }
    }
  }

  const WallTime now_;
  std::string out_;
};

std::string last_seen(const Json& event) {
  for (const char* field : {"series.lastObservedTime", "lastTimestamp", "eventTime", "firstTimestamp"}) {
    if (std::string time = text(event, field); !time.empty()) return time;
  }
  return text(event, "metadata.creationTimestamp");
}

std::string events_table(const Json& events, WallTime now) {
  const Json* items = resource::find_array(events, "items");
  if (items == nullptr || items->empty()) return "";
  std::vector<const Json*> sorted;
  for (const Json& item : *items) sorted.push_back(&item);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Json* a, const Json* b) { return last_seen(*a) < last_seen(*b); });
  Table table{{"Type", "Reason", "Age", "From", "Message"}, {}};
  for (const Json* event : sorted) {
    std::string age = age_of(last_seen(*event), now);
    const auto count = std::max(resource::number(*event, "count"), resource::number(*event, "series.count"));
    if (count > 1) {
      age += " (x" + std::to_string(count) + " over " + age_of(text(*event, "firstTimestamp"), now) + ")";
    }
    const std::string from = text(*event, "source.component", text(*event, "reportingComponent"));
    table.rows.push_back(
        {text(*event, "type"), text(*event, "reason"), age, from, shown(Json(text(*event, "message")))});
  }
  return Columns().print(table, true);
}

void head(const Json& object, Writer& out) {
  constexpr std::size_t kWidth = 12;
  out.line("Name", text(object, "metadata.name"), kWidth, 0);
  if (const std::string space = text(object, "metadata.namespace"); !space.empty())
    out.line("Namespace", space, kWidth, 0);
  out.line("Kind", text(object, "kind") + " (" + text(object, "apiVersion") + ")", kWidth, 0);
  out.line("Created", text(object, "metadata.creationTimestamp", "<unknown>"), kWidth, 0);
  if (const std::string leaving = text(object, "metadata.deletionTimestamp"); !leaving.empty())
    out.line("Terminating", "since " + leaving, kWidth, 0);
  for (const auto& [field, title] :
       {std::pair("metadata.labels", "Labels"), {"metadata.annotations", "Annotations"}}) {
    std::string lines;
    for (const auto& [key, value] : resource::text_map(object, field)) {
      if (key == "kubectl.kubernetes.io/last-applied-configuration") continue;
      lines += (lines.empty() ? "" : "\n") + key + "=" + shown(Json(value));
    }
    if (!lines.empty()) out.line(title, lines, kWidth, 0);
  }
  const Json* owners = resource::find_array(object, "metadata.ownerReferences");
  for (std::size_t i = 0; owners != nullptr && i < owners->size(); ++i) {
    out.line("Owned By", text((*owners)[i], "kind") + "/" + text((*owners)[i], "name"), kWidth, 0);
  }
}

}  // namespace

std::string title_words(std::string_view field) {
  std::string out;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const char c = field[i];
    // "podIP" is two words, "targetPortNumber" three, "clusterIPs" two: an s at the end starts none.
    const bool before_small = i + 2 < field.size() && lower(field[i + 1]) && lower(field[i + 2]);
    const bool starts = i > 0 && upper(c) && (lower(field[i - 1]) || before_small);
    if (starts) out += ' ';
    out += i == 0 && lower(c) ? static_cast<char>(c - 32) : c;
  }
  return out;
}

std::string describe_object(const Json& object, const Json& events, WallTime now) {
  Writer out(now);
  head(object, out);
  for (const auto& [key, value] : object.items()) {
    if (key == "apiVersion" || key == "kind" || key == "metadata") continue;
    if (is_short(value)) {
      out.line(title_words(key), shown(value), 12, 0);
    } else {
      out.heading(title_words(key), 0);
      if (value.is_object()) out.members(value, 2, !names_are_data(key, value));
      if (value.is_array()) out.members(Json{{key, value}}, 2, true);
    }
  }
  const std::string table = events_table(events, now);
  if (table.empty()) {
    out.line("Events", "<none>", 12, 0);
  } else {
    out.heading("Events", 0);
    out.block(table, 2);
  }
  return out.take();
}

}  // namespace tidegate::show
