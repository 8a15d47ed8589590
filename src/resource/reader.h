// Reads a document field by field and collects everything that is wrong with it.
//
// One reading function per kind serves twice: admission keeps the errors and drops the view, a typed view
// (`X::from`) keeps the struct. So a view can never understand a field differently from the validation.
//
//   Reader spec(document, "spec", Need::kRequired);
//   pool.port = spec.integer("targetPortNumber", {.min = 1, .max = 65535, .need = Need::kRequired});
//
// A Reader reports, when it ends, the fields that nobody asked for, with the nearest known name; open() turns
// that off for objects whose schema is not ours. A field that is null reads as absent, as in Kubernetes. A
// Reader of an absent object reads every field as absent without complaint.
//
// With a Describer among its findings a Reader describes instead: it notes what it is asked for, and answers
// as if every object were there and every text empty. See schema.h.
//
// Thread: one Reader, one thread. The document and the parent must outlive it.

#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "resource/names.h"
#include "resource/object.h"
#include "resource/schema.h"

namespace tidegate::resource {

struct Findings {
  std::vector<Error> errors;
  bool refuse_unknown =
      true;  // false when reading what was stored, which may be newer or older than this program
  Describer* describer = nullptr;  // set: nothing is read, every question is noted there (see schema.h)
};

enum class Need { kOptional, kRequired };

struct TextRule {
  Need need = Need::kOptional;
  std::size_t min = 0;  // bytes
  std::size_t max = std::numeric_limits<std::size_t>::max();
  Syntax syntax = nullptr;
};

struct IntegerRule {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  Need need = Need::kOptional;
  std::string_view hint =
      {};  // what else may be right, added to a range error: "or remove the target to ..."
};

struct ListRule {
  std::size_t min = 0;
  std::size_t max = 100'000;
  Need need = Need::kOptional;
};

// A port or an amount that may be a number or a text: targetPort: 8000, targetPort: http, maxSurge: 25%.
struct IntOrText {
  std::int64_t number = 0;
  std::string text;  // empty if it is a number
  bool is_text() const { return !text.empty(); }
};

inline constexpr std::int64_t kPortMax = 65535;
inline constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();
inline constexpr std::int64_t kInt32Min = std::numeric_limits<std::int32_t>::min();

using TextViews = std::vector<std::pair<std::string_view, std::string_view>>;

class Reader {
 public:
  Reader(const Json& document, Findings& findings);
  Reader(Reader& parent, std::string_view field, Need need = Need::kOptional);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  bool present() const { return value_ != nullptr || schema_ != nullptr; }
  // Set and not null. Counts as asked for.
  bool has(std::string_view field);

  // Empty if absent or wrong.
  std::string text(std::string_view field, const TextRule& rule = {});
  std::optional<std::int64_t> integer(std::string_view field, const IntegerRule& rule = {});
  std::optional<double> number(std::string_view field);
  std::optional<bool> boolean(std::string_view field);
  std::optional<Quantity> quantity(std::string_view field);
  std::optional<IntOrText> int_or_text(std::string_view field, const IntegerRule& rule = {},
                                       Syntax text_syntax = nullptr);
  std::vector<std::string> texts(std::string_view field, const ListRule& list = {},
                                 const TextRule& item = {});
  std::map<std::string, std::string> text_map(std::string_view field, Need need = Need::kOptional,
                                              Syntax key_syntax = nullptr, Syntax value_syntax = nullptr);
  // The same, as it stands in the document.
  TextViews text_views(std::string_view field, Need need = Need::kOptional, Syntax key_syntax = nullptr,
                       Syntax value_syntax = nullptr);
  std::map<std::string, Quantity> quantities(std::string_view field);

  // Every item of a list of objects. Each item is closed (its unknown fields are reported) after `visit`.
  void each(std::string_view field, const ListRule& rule, const std::function<void(Reader&)>& visit);
  // Every field of an object whose keys are data; `visit` gets the key and must read the field itself.
  void each_key(std::string_view field, const std::function<void(Reader&, const std::string&)>& visit);

  // One of a few words. `otherwise` if absent or wrong.
  template <typename E>
  E choice(std::string_view field, std::initializer_list<std::pair<std::string_view, E>> words, E otherwise,
           Need need = Need::kOptional) {
    std::vector<std::string_view> names;
    for (const auto& word : words) names.push_back(word.first);
    const int index = choice_index(field, names, need);
    return index < 0 ? otherwise : words.begin()[index].second;
  }
  int choice_index(std::string_view field, const std::vector<std::string_view>& words,
                   Need need = Need::kOptional);

  // The JSON text of a field, or of this object, for what is passed on unread. Empty if absent.
  std::string raw(std::string_view field = {});

  // These fields are known and not read here.
  void ignore(std::initializer_list<std::string_view> fields);
  // Fields that nobody asks for are none of our business.
  void open() {
    open_ = true;
    if (schema_ != nullptr) schema_->open = true;
  }

  // Says that a field of this object is wrong. An empty field means the object itself.
  void wrong(std::string_view field, std::string message);

  // The path of this object, and of a field of it.
  std::string path(std::string_view field = {}) const;

  Findings& findings() { return findings_; }

 private:
  Reader(Reader& parent, std::size_t index, const Json* item);
  Reader(Reader& parent, std::string_view field, Schema& schema);  // describes `schema`
  struct ListTag {};
  Reader(Reader& parent, std::string_view field, ListTag);  // a list, only to give its items their path

  const Json* find(std::string_view field);  // null if absent or null; counts as asked for
  const Json* require(std::string_view field, Need need);
  // The node of a field in what is being described; null unless describing.
  Schema* note(std::string_view field, Schema::Type type, Need need = Need::kOptional);
  static std::string misfit(const std::string& text, const TextRule& rule);
  bool text_fits(std::string_view field, const std::string& text, const TextRule& rule);

  const Json* value_ = nullptr;  // an object, or null
  Schema* schema_ = nullptr;     // the object that is being described; null: reading
  const Reader* parent_ = nullptr;
  std::string_view field_;
  std::size_t index_ = 0;
  bool is_item_ = false;
  bool open_ = false;
  Findings& findings_;
  std::vector<std::string_view> asked_;
};

// Reads with `read`, which fills a view and complains through its Reader. Errors: the first complaint.
template <typename View>
Result<View> read_view(const Json& document, View (*read)(Reader&)) {
  Findings findings;
  findings.refuse_unknown = false;
  Reader reader(document, findings);
  reader.open();
  View view = read(reader);
  if (!findings.errors.empty()) return tl::unexpected(std::move(findings.errors.front()));
  return view;
}

// Reads with `read` and keeps only the complaints: a kind's `validate`. The fields that every document has
// (apiVersion, kind, metadata) are known; status is known and not held to the schema.
template <typename View>
void check_document(const Json& document, Findings& findings, View (*read)(Reader&)) {
  Reader reader(document, findings);
  reader.ignore({"apiVersion", "kind", "metadata", "status"});
  read(reader);
}

}  // namespace tidegate::resource
