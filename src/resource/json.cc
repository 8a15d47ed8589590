#include "resource/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "resource/json_duplicates.h"
#include "resource/path.h"

namespace tidegate::resource {
namespace {

// Walks over the text for the library and counts lines on the way.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* line, const char** furthest)
      : at_(at), line_(line), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    if (*at_ == '\n' && line_ != nullptr) ++*line_;
    ++at_;
    if (furthest_ != nullptr) *furthest_ = std::max(*furthest_, at_);
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* line_;
  const char** furthest_;
};

constexpr std::size_t kDuplicatesMax = 100;

// Builds the document from the library's events.
class Builder {
 public:
  // With `duplicates` a key that is there twice is noted, not refused.
  Builder(const std::size_t& line, LineTree* lines, std::vector<std::string>* duplicates)
      : line_(line), lines_(lines), duplicates_(duplicates) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(std::int64_t value) { return put(value); }
  bool number_unsigned(std::uint64_t value) { return put(value); }
  bool number_float(double value, const std::string& text) {
    if (text.find_first_of(".eE") == std::string::npos) {
      return refuse("the number " + text.substr(0, 40) + " is too large; use a string for it");
    }
    return put(value);
  }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(Json::binary_t&) { return refuse("binary values are not JSON"); }

  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& key) {
    Level& level = levels_.back();
    const std::size_t fields = level.value->size();
    constexpr std::size_t kScanned = 32;
    bool seen = false;
    if (fields < kScanned) {
      for (const auto& member : level.value->items()) seen = seen || member.key() == key;
    } else {
      if (level.keys.empty()) {
        for (const auto& member : level.value->items()) level.keys.insert(member.key());
      }
      seen = !level.keys.insert(key).second;
    }
    level.again = seen && duplicates_ != nullptr;
    if (seen && duplicates_ == nullptr) {
      return refuse("the key \"" + key.substr(0, 80) + "\" is there twice; keep one of them");
    }
    if (level.again && duplicates_->size() < kDuplicatesMax) duplicates_->push_back(path_to(key));
    if (fields >= kFieldsMax)
      return refuse("an object has more than " + std::to_string(kFieldsMax) + " fields");
    level.key = std::move(key);
    level.key_line = line_;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) {
    // The library's text is "[json.exception...] parse error at line 1, column 2: syntax error while parsing
    // ...".
    std::string_view text = error.what();
    const std::size_t reason = text.find(": ");
    return refuse("is not JSON: " +
                  std::string(reason == std::string_view::npos ? text : text.substr(reason + 2)));
  }

  Json& root() { return root_; }
  const std::string& problem() const { return problem_; }

 private:
  struct Level {
    Json* value;
    LineTree::Id id;
    std::string key;
    std::size_t key_line = 0;
    std::unordered_set<std::string> keys;
    bool again = false;  // the key is there already
  };

  bool refuse(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }

  Json* add(Json value, LineTree::Id* id) {
    if (levels_.empty()) {
      root_ = std::move(value);
      if (lines_ != nullptr) *id = lines_->add_root(line_);
      return &root_;
    }
    Level& level = levels_.back();
    if (level.value->is_array()) {
      if (lines_ != nullptr) *id = lines_->add_item(level.id, level.value->size(), line_);
      level.value->push_back(std::move(value));
      return &level.value->back();
    }
    if (lines_ != nullptr) *id = lines_->add_field(level.id, level.key, level.key_line);
    // Past the library's own insertion, which looks for the key again in a walk over all.
    auto& object = level.value->get_ref<Json::object_t&>();
    if (level.again) {
      Json& place = (*level.value)[level.key];
      place = std::move(value);
      return &place;
    }
    static_cast<Json::object_t::Container&>(object).emplace_back(std::move(level.key), std::move(value));
    return &object.back().second;
  }

  bool put(Json value) {
    LineTree::Id id = LineTree::kNone;
    add(std::move(value), &id);
    return true;
  }

  bool open(Json value) {
    if (levels_.size() >= kDepthMax)
      return refuse("is nested deeper than " + std::to_string(kDepthMax) + " levels");
    LineTree::Id id = LineTree::kNone;
    Json* place = add(std::move(value), &id);
    levels_.push_back({place, id, {}, 0, {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  std::string path_to(const std::string& key) const {
    std::string path;
    for (std::size_t i = 0; i + 1 < levels_.size(); ++i) {
      const Level& level = levels_[i];
      if (level.value->is_array()) {
        append_index(path, level.value->size() - 1);
        continue;
      }
      for (const auto& member : level.value->items()) {
        if (&member.value() == levels_[i + 1].value) append_field(path, member.key());
      }
    }
    append_field(path, key);
    return path;
  }

  const std::size_t& line_;
  LineTree* lines_;
  std::vector<std::string>* duplicates_;
  Json root_;
  std::vector<Level> levels_;
  std::string problem_;
};

// `strict` refuses what stands behind the value.
Result<Json> parse(std::string_view text, std::size_t& line, LineTree* lines, const char** furthest,
                   bool strict, std::vector<std::string>* duplicates = nullptr) {
  Builder builder(line, lines, duplicates);
  const bool parsed = Json::sax_parse(CountingIterator(text.data(), &line, furthest),
                                      CountingIterator(text.data() + text.size(), nullptr, nullptr), &builder,
                                      nlohmann::detail::input_format_t::json, strict);
  if (!parsed) return fail(Code::kInvalid, builder.problem().empty() ? "is not JSON" : builder.problem());
  return std::move(builder.root());
}

Result<Json> parse_whole(std::string_view text, std::size_t bytes_max, std::vector<std::string>* duplicates) {
  if (text.size() > bytes_max) {
    return fail(Code::kTooLarge,
                "has " + std::to_string(text.size()) + " bytes; use at most " + std::to_string(bytes_max));
  }
  std::size_t line = 1;
  auto value = parse(text, line, nullptr, nullptr, true, duplicates);
  if (!value) value.error().message += " (line " + std::to_string(line) + ")";
  return value;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

Result<Json> parse_json_prefix(std::string_view& text, std::size_t& line, LineTree* lines) {
  const char* furthest = text.data();
  auto value = parse(text, line, lines, &furthest, false);
  if (!value) return value;
  text.remove_prefix(static_cast<std::size_t>(furthest - text.data()));
  while (!text.empty() && is_blank(text.front())) {
    if (text.front() == '\n') ++line;
    text.remove_prefix(1);
  }
  return value;
}

Result<Json> parse_json(std::string_view text, std::size_t bytes_max) {
  return parse_whole(text, bytes_max, nullptr);
}

Result<Json> parse_json_last_wins(std::string_view text, std::vector<std::string>& duplicates) {
  return parse_whole(text, kObjectBytesMax, &duplicates);
}

}  // namespace tidegate::resource
