#include "resource/yaml.h"

#include <yaml.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "resource/json.h"
#include "resource/json_duplicates.h"

namespace tidegate::resource {
namespace {

constexpr std::size_t kDocumentsMax = 10'000;
constexpr std::size_t kDuplicatesMax = 100;

struct YamlEvent {
  yaml_event_t event{};
  ~YamlEvent() { yaml_event_delete(&event); }
  std::size_t line() const { return event.start_mark.line + 1; }
};

// A value, with what it costs: an alias pays for all it brings, so a small text cannot become a huge
// document.
struct Value {
  Json json;
  std::size_t bytes = 2;
  std::size_t height = 1;
};

std::string_view view(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

bool is_json_number(std::string_view text, bool& whole) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t start = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i - start;
  };
  if (i < text.size() && text[i] == '-') ++i;
  const std::size_t first = i;
  const std::size_t count = digits();
  if (count == 0 || (count > 1 && text[first] == '0')) return false;
  whole = true;
  if (i < text.size() && text[i] == '.') {
    whole = false;
    ++i;
    if (digits() == 0) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    whole = false;
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (digits() == 0) return false;
  }
  return i == text.size();
}

Result<Json> number_of(std::string_view text, bool whole) {
  const char* end = text.data() + text.size();
  if (whole) {
    std::int64_t number = 0;
    if (std::from_chars(text.data(), end, number).ec == std::errc()) {
      // Like the JSON parser: what is not negative is unsigned.
      if (number >= 0) return Json(static_cast<std::uint64_t>(number));
      return Json(number);
    }
    std::uint64_t large = 0;
    if (std::from_chars(text.data(), end, large).ec == std::errc()) return Json(large);
    return fail(Code::kInvalid,
                "the number " + std::string(text.substr(0, 40)) + " is too large; put it in quotes");
  }
  double number = 0;
  if (std::from_chars(text.data(), end, number).ec == std::errc()) return Json(number);
  return fail(Code::kInvalid,
              "the number " + std::string(text.substr(0, 40)) + " is out of range; put it in quotes");
}

Result<Json> resolve_plain(std::string_view text) {
  if (text.empty() || text == "~" || text == "null") return Json(nullptr);
  if (text == "true") return Json(true);
  if (text == "false") return Json(false);
  bool whole = false;
  if (is_json_number(text, whole)) return number_of(text, whole);
  return Json(std::string(text));
}

class Parser {
 public:
  // With `duplicates` a key that is there twice is noted, not refused.
  Parser(std::string_view file, std::string_view text, std::vector<std::string>* duplicates)
      : file_(file), duplicates_(duplicates), last_line_(1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'))) {
    if (text.ends_with('\n') && last_line_ > 1) --last_line_;
    ready_ = yaml_parser_initialize(&parser_) == 1;
    if (!ready_) return;
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Parser() {
    if (ready_) yaml_parser_delete(&parser_);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  Result<std::vector<Document>> run() {
    std::vector<Document> documents;
    if (!ready_) return fail(Code::kInternal, "no memory for the YAML parser");
    while (true) {
      YamlEvent event;
      if (auto read = next(event); !read) return tl::unexpected(read.error());
      if (event.event.type == YAML_STREAM_END_EVENT) return documents;
      if (event.event.type != YAML_DOCUMENT_START_EVENT) continue;
      if (documents.size() >= kDocumentsMax) {
        return refuse(event.line(), "has more than " + std::to_string(kDocumentsMax) + " documents");
      }
      auto document = read_document();
      if (!document) return tl::unexpected(document.error());
      if (!document->json->is_null()) documents.push_back(*std::move(document));
    }
  }

 private:
  Result<void> next(YamlEvent& event) {
    if (yaml_parser_parse(&parser_, &event.event) == 1) return {};
    std::string problem = parser_.problem == nullptr ? "cannot be read" : parser_.problem;
    if (problem.find("cannot start any token") != std::string::npos) {
      problem += "; indent with spaces, not tabs, and put text with special letters in quotes";
    }
    if (parser_.context != nullptr) problem += " (" + std::string(parser_.context) + ")";
    // A reader error (bad UTF-8) has an offset and no line.
    // What is missing at the end is missed behind the last line.
    const std::size_t line = std::min(std::max(parser_.problem_mark.line, parser_.mark.line) + 1, last_line_);
    return refuse(line, "is not YAML: " + problem);
  }

  tl::unexpected<Error> refuse(std::size_t line, const std::string& message) const {
    return fail(Code::kInvalid, file_ + ":" + std::to_string(line) + ": " + message);
  }

  Result<Document> read_document() {
    anchors_.clear();
    alias_bytes_ = 0;
    auto lines = std::make_shared<LineTree>();
    lines_ = lines.get();
    YamlEvent event;
    if (auto read = next(event); !read) return tl::unexpected(read.error());
    const LineTree::Id root = lines->add_root(event.line());
    const std::size_t line = event.line();
    auto value = node(event, root, 0);
    if (!value) return tl::unexpected(value.error());
    if (!value->json.is_object() && !value->json.is_null()) {
      return refuse(line, "the document is no object; begin it with apiVersion, kind and metadata");
    }
    YamlEvent end;
    if (auto read = next(end); !read) return tl::unexpected(read.error());
    return Document{file_, std::make_shared<Json>(std::move(value->json)), std::move(lines), root};
  }

  Result<Value> node(YamlEvent& event, LineTree::Id id, std::size_t depth) {
    if (depth > kDepthMax) {
      return refuse(event.line(), "is nested deeper than " + std::to_string(kDepthMax) + " levels");
    }
    std::string_view anchor;
    Result<Value> value = Value{};
    switch (event.event.type) {
      case YAML_ALIAS_EVENT:
        return alias(event, depth);
      case YAML_SCALAR_EVENT:
        anchor = view(event.event.data.scalar.anchor);
        value = scalar(event);
        break;
      case YAML_SEQUENCE_START_EVENT:
        anchor = view(event.event.data.sequence_start.anchor);
        value = sequence(event, id, depth);
        break;
      case YAML_MAPPING_START_EVENT:
        anchor = view(event.event.data.mapping_start.anchor);
        value = mapping(event, id, depth);
        break;
      default:
        return refuse(event.line(), "is not YAML: a value is missing");
    }
    if (value && !anchor.empty()) {
      // Keeping a copy costs as much as an alias to it.
      if (auto paid = pay(event.line(), value->bytes); !paid) return tl::unexpected(paid.error());
      anchors_.insert_or_assign(std::string(anchor), *value);
    }
    return value;
  }

  Result<void> pay(std::size_t line, std::size_t bytes) {
    alias_bytes_ += bytes;
    if (alias_bytes_ <= 2 * kObjectBytesMax) return {};
    return refuse(line, "aliases expand to more than " + std::to_string(2 * kObjectBytesMax) +
                            " bytes; write the values out or use fewer");
  }

  Result<Value> alias(YamlEvent& event, std::size_t depth) {
    const std::string name(view(event.event.data.alias.anchor));
    const auto found = anchors_.find(name);
    if (found == anchors_.end()) {
      return refuse(event.line(), "the alias *" + name.substr(0, 80) + " has no anchor before it");
    }
    if (depth + found->second.height > kDepthMax) {
      return refuse(event.line(), "is nested deeper than " + std::to_string(kDepthMax) + " levels");
    }
    if (auto paid = pay(event.line(), found->second.bytes); !paid) return tl::unexpected(paid.error());
    return found->second;
  }

  Result<Value> scalar(const YamlEvent& event) const {
    const auto& data = event.event.data.scalar;
    const std::string_view text(reinterpret_cast<const char*>(data.value), data.length);
    const std::string_view tag = view(data.tag);
    const bool plain = data.style == YAML_PLAIN_SCALAR_STYLE;
    Value value;
    value.bytes = text.size() + 3;
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    const bool quoted = tag.empty() && !plain;
    if (quoted || tag == "!" || tag == "tag:yaml.org,2002:str") {
      value.json = std::string(text);
      return value;
    }
    const bool resolved =
        tag.empty() || (tag.starts_with(kCore) && (tag.ends_with(":int") || tag.ends_with(":float") ||
                                                   tag.ends_with(":bool") || tag.ends_with(":null")));
    if (!resolved) {
      return refuse(event.line(),
                    "the tag " + std::string(tag.substr(0, 80)) + " is not supported; leave it out");
    }
    auto json = resolve_plain(text);
    if (!json) return refuse(event.line(), json.error().message);
    value.json = *std::move(json);
    return value;
  }

  Result<Value> sequence(const YamlEvent& start, LineTree::Id id, std::size_t depth) {
    if (auto right =
            collection_tag(start, view(start.event.data.sequence_start.tag), "tag:yaml.org,2002:seq");
        !right) {
      return tl::unexpected(right.error());
    }
    Value list;
    list.json = Json::array();
    while (true) {
      YamlEvent event;
      if (auto read = next(event); !read) return tl::unexpected(read.error());
      if (event.event.type == YAML_SEQUENCE_END_EVENT) return list;
      auto item = node(event, lines_->add_item(id, list.json.size(), event.line()), depth + 1);
      if (!item) return item;
      list.bytes += item->bytes + 1;
      list.height = std::max(list.height, item->height + 1);
      list.json.push_back(std::move(item->json));
    }
  }

  Result<void> collection_tag(const YamlEvent& event, std::string_view tag, std::string_view allowed) const {
    if (tag.empty() || tag == "!" || tag == allowed) return {};
    return refuse(event.line(),
                  "the tag " + std::string(tag.substr(0, 80)) + " is not supported; leave it out");
  }

  Result<Value> mapping(const YamlEvent& start, LineTree::Id id, std::size_t depth) {
    if (auto right = collection_tag(start, view(start.event.data.mapping_start.tag), "tag:yaml.org,2002:map");
        !right) {
      return tl::unexpected(right.error());
    }
    Value map;
    map.json = Json::object();
    auto& members = static_cast<Json::object_t::Container&>(map.json.get_ref<Json::object_t&>());
    std::unordered_set<std::string> keys;
    std::vector<Value> merged;
    while (true) {
      YamlEvent event;
      if (auto read = next(event); !read) return tl::unexpected(read.error());
      if (event.event.type == YAML_MAPPING_END_EVENT) break;
      auto key = key_of(event, depth);
      if (!key) return tl::unexpected(key.error());
      const std::size_t line = event.line();
      const bool is_merge = *key == "<<" && event.event.type == YAML_SCALAR_EVENT &&
                            event.event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
      const bool again = !is_merge && !keys.insert(*key).second;
      if (again && (duplicates_ == nullptr || duplicates_->size() == kDuplicatesMax)) {
        return refuse(line, "the key \"" + key->substr(0, 80) + "\" is there twice; keep one of them");
      }
      if (again) {
        duplicates_->push_back("line " + std::to_string(line) + ": key \"" + key->substr(0, 80) +
                               "\" already set in map");
      }
      if (keys.size() > kFieldsMax) {
        return refuse(line, "an object has more than " + std::to_string(kFieldsMax) + " fields");
      }
      YamlEvent value_event;
      if (auto read = next(value_event); !read) return tl::unexpected(read.error());
      auto value =
          node(value_event, is_merge ? LineTree::kNone : lines_->add_field(id, *key, line), depth + 1);
      if (!value) return value;
      map.height = std::max(map.height, value->height + 1);
      if (is_merge) {
        if (auto taken = take_merge(line, *std::move(value), merged); !taken)
          return tl::unexpected(taken.error());
        continue;
      }
      map.bytes += key->size() + 3 + value->bytes;
      if (again) {
        map.json[*key] = std::move(value->json);
        continue;
      }
      members.emplace_back(*std::move(key), std::move(value->json));
    }
    // What stands in the mapping itself wins over what is merged, and earlier merges over later ones.
    for (Value& source : merged) {
      map.bytes += source.bytes;
      for (auto& member : source.json.get_ref<Json::object_t&>()) {
        if (keys.insert(member.first).second) members.emplace_back(member.first, std::move(member.second));
      }
    }
    if (members.size() > kFieldsMax) {
      return refuse(start.line(), "an object has more than " + std::to_string(kFieldsMax) + " fields");
    }
    return map;
  }

  Result<std::string> key_of(YamlEvent& event, std::size_t depth) {
    if (event.event.type == YAML_ALIAS_EVENT) {
      auto value = alias(event, depth);
      if (!value) return tl::unexpected(value.error());
      if (value->json.is_string()) return value->json.get<std::string>();
    } else if (event.event.type == YAML_SCALAR_EVENT) {
      const auto& data = event.event.data.scalar;
      std::string key(reinterpret_cast<const char*>(data.value), data.length);
      if (data.anchor != nullptr) {
        if (auto paid = pay(event.line(), key.size() + 3); !paid) return tl::unexpected(paid.error());
        anchors_.insert_or_assign(std::string(view(data.anchor)), Value{Json(key), key.size() + 3, 1});
      }
      return key;
    }
    return refuse(event.line(), "a key is no text; use a word or a quoted string");
  }

  Result<void> take_merge(std::size_t line, Value value, std::vector<Value>& merged) const {
    if (value.json.is_object()) {
      merged.push_back(std::move(value));
      return {};
    }
    const bool all_objects =
        value.json.is_array() &&
        std::all_of(value.json.begin(), value.json.end(), [](const Json& item) { return item.is_object(); });
    if (!all_objects) return refuse(line, "the merge key << takes an object or a list of objects");
    for (Json& item : value.json) merged.push_back({std::move(item), 0, 1});
    if (!merged.empty()) merged.back().bytes += value.bytes;
    return {};
  }

  std::string file_;
  std::vector<std::string>* duplicates_;
  std::size_t last_line_;
  yaml_parser_t parser_{};
  bool ready_ = false;
  LineTree* lines_ = nullptr;
  std::map<std::string, Value> anchors_;
  std::size_t alias_bytes_ = 0;
};

Result<std::vector<Document>> parse_json_documents(std::string_view file, std::string_view text) {
  std::vector<Document> documents;
  std::size_t line = 1;
  while (!text.empty()) {
    auto lines = std::make_shared<LineTree>();
    auto json = parse_json_prefix(text, line, lines.get());
    const auto refuse = [&](const std::string& message) {
      return fail(Code::kInvalid, std::string(file) + ":" + std::to_string(line) + ": " + message);
    };
    if (!json) return refuse(json.error().message);
    if (!json->is_object())
      return refuse("the document is no object; use { } with apiVersion, kind and metadata");
    if (documents.size() >= kDocumentsMax) return refuse("has too many documents");
    documents.push_back({std::string(file), std::make_shared<Json>(*std::move(json)), std::move(lines), 0});
  }
  return documents;
}

std::string field_text(const Json& object, const char* field) {
  if (!object.is_object()) return {};
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>().substr(0, 253)
                                                     : std::string();
}

bool is_list(const Json& document) {
  const auto items = document.find("items");
  return field_text(document, "kind").ends_with("List") && items != document.end() && items->is_array();
}

// Lists become their items, and every object is held to the size limit.
Result<std::vector<Document>> flatten(std::vector<Document> documents) {
  std::vector<Document> result;
  for (Document& document : documents) {
    if (!is_list(*document.json)) {
      result.push_back(std::move(document));
      continue;
    }
    Json& items = (*document.json)["items"];
    for (std::size_t i = 0; i < items.size(); ++i) {
      const LineTree::Id root = document.lines->find(document.root, "items[" + std::to_string(i) + "]");
      if (!items[i].is_object()) {
        return fail(Code::kInvalid, document.file + ":" + std::to_string(document.lines->line(root)) +
                                        ": an item of the list is no object");
      }
      result.push_back({document.file, std::make_shared<Json>(std::move(items[i])), document.lines, root});
    }
  }
  for (const Document& document : result) {
    const std::size_t bytes = to_text(*document.json).size();
    if (bytes > kObjectBytesMax) {
      return fail(Code::kTooLarge, document.file + ":" + std::to_string(document.line()) + ": " +
                                       title_of(*document.json) + " has " + std::to_string(bytes) +
                                       " bytes as JSON; use at most " + std::to_string(kObjectBytesMax));
    }
  }
  return result;
}

// JSON looks like YAML too; what begins like a JSON object is read as JSON, for exact escapes and better
// messages.
bool looks_like_json(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || text[start] != '{') return false;
  const std::size_t next = text.find_first_not_of(" \t\r\n", start + 1);
  return next != std::string_view::npos && (text[next] == '"' || text[next] == '}');
}

}  // namespace

Result<std::vector<Document>> parse_documents(std::string_view file, std::string_view text) {
  if (text.size() > kFileBytesMax) {
    return fail(Code::kTooLarge, std::string(file) + ": has " + std::to_string(text.size()) +
                                     " bytes; use at most " + std::to_string(kFileBytesMax) + " in one file");
  }
  auto documents = looks_like_json(text) ? parse_json_documents(file, text) : Parser(file, text, nullptr).run();
  if (!documents) return documents;
  return flatten(*std::move(documents));
}

Result<std::vector<Document>> parse_documents_last_wins(std::string_view file, std::string_view text,
                                                        std::vector<std::string>& duplicates) {
  if (!looks_like_json(text)) {
    auto documents = Parser(file, text, &duplicates).run();
    if (!documents) return documents;
    return flatten(*std::move(documents));
  }
  std::vector<std::string> paths;
  auto json = parse_json_last_wins(text, paths);
  if (!json) return tl::unexpected(json.error());
  for (const std::string& path : paths) duplicates.push_back("duplicate field \"" + path + "\"");
  return std::vector<Document>{{std::string(file), std::make_shared<Json>(*std::move(json)), std::make_shared<LineTree>(), 0}};
}

std::string title_of(const Json& document) {
  std::string title = field_text(document, "kind");
  if (title.empty()) title = "document";
  if (!document.is_object() || !document.contains("metadata")) return title;
  const Json& metadata = document["metadata"];
  const std::string name = field_text(metadata, "name");
  const std::string space = field_text(metadata, "namespace");
  if (!name.empty()) title += " " + (space.empty() ? name : space + "/" + name);
  return title;
}

std::string locate(const Document& document, const Error& error) {
  return document.file + ":" + std::to_string(document.line(error.field)) + ": " + title_of(*document.json) +
         ": " + describe(error);
}

}  // namespace tidegate::resource
