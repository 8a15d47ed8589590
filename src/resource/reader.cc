#include "resource/reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "resource/path.h"

namespace tidegate::resource {
namespace {

// A document that is wrong in a thousand places is not helped by a thousand messages.
constexpr std::size_t kErrorsMax = 100;

std::string_view type_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      return "a number";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::binary:
    case Json::value_t::discarded:
      break;
  }
  return "unreadable";
}

// "is 70000", "is \"yes\" (a string)", "is a list": what stands there, short enough for a message.
std::string what_it_is(const Json& value, bool with_type) {
  if (value.is_object() || value.is_array() || value.is_null()) return "is " + std::string(type_of(value));
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  constexpr std::size_t kShown = 60;
  if (text.size() > kShown) text = text.substr(0, kShown) + "...";
  return "is " + text + (with_type ? " (" + std::string(type_of(value)) + ")" : "");
}

std::string listed(const std::vector<std::string_view>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

std::optional<std::int64_t> as_int64(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return {};
    return static_cast<std::int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  return {};
}

std::string range_remedy(const IntegerRule& rule) {
  std::string remedy = "use ";
  const bool has_min = rule.min != std::numeric_limits<std::int64_t>::min();
  const bool has_max = rule.max < kInt32Max;
  if (has_min && has_max) {
    remedy += std::to_string(rule.min) + " to " + std::to_string(rule.max);
  } else if (has_min) {
    remedy += "a whole number of at least " + std::to_string(rule.min);
    if (rule.max != std::numeric_limits<std::int64_t>::max())
      remedy += " and at most " + std::to_string(rule.max);
  } else {
    remedy += "a whole number";
    if (rule.max != std::numeric_limits<std::int64_t>::max())
      remedy += " of at most " + std::to_string(rule.max);
  }
  if (!rule.hint.empty()) remedy += ", " + std::string(rule.hint);
  return remedy;
}

}  // namespace

Reader::Reader(const Json& document, Findings& findings)
    : schema_(findings.describer == nullptr ? nullptr : &findings.describer->root), findings_(findings) {
  if (document.is_object()) {
    value_ = &document;
  } else {
    wrong({}, what_it_is(document, true) + "; use an object");
  }
}

Reader::Reader(Reader& parent, std::string_view field, Need need)
    : parent_(&parent), field_(field), findings_(parent.findings_) {
  schema_ = parent.note(field, Schema::Type::kObject, need);
  if (schema_ != nullptr) return;
  const Json* value = parent.require(field, need);
  if (value == nullptr) return;
  if (value->is_object()) {
    value_ = value;
  } else {
    parent.wrong(field, what_it_is(*value, true) + "; use an object");
  }
}

Reader::Reader(Reader& parent, std::size_t index, const Json* item)
    : parent_(&parent), index_(index), is_item_(true), findings_(parent.findings_) {
  if (item->is_object()) {
    value_ = item;
  } else {
    wrong({}, what_it_is(*item, true) + "; use an object");
  }
}

Reader::Reader(Reader& parent, std::string_view field, ListTag)
    : parent_(&parent), field_(field), findings_(parent.findings_) {}

Reader::Reader(Reader& parent, std::string_view field, Schema& schema)
    : schema_(&schema), parent_(&parent), field_(field), findings_(parent.findings_) {}

Reader::~Reader() {
  if (schema_ != nullptr || value_ == nullptr || open_ || !findings_.refuse_unknown) return;
  for (const auto& member : value_->items()) {
    if (findings_.errors.size() >= kErrorsMax) return;
    if (std::find(asked_.begin(), asked_.end(), member.key()) != asked_.end()) continue;
    const std::string_view meant = nearest(member.key(), asked_);
    wrong(member.key(), meant.empty() ? "is not a field here; known are " + listed(asked_)
                                      : "is not a field here; did you mean " + std::string(meant) + "?");
  }
}

std::string Reader::path(std::string_view field) const {
  std::string text = parent_ == nullptr ? std::string() : parent_->path();
  if (is_item_) {
    append_index(text, index_);
  } else if (!field_.empty()) {
    append_field(text, field_);
  }
  if (!field.empty()) append_field(text, field);
  return text;
}

Schema* Reader::note(std::string_view field, Schema::Type type, Need need) {
  if (schema_ == nullptr) return nullptr;
  return &findings_.describer->note(*schema_, field, type, need == Need::kRequired);
}

void Reader::wrong(std::string_view field, std::string message) {
  if (schema_ != nullptr || findings_.errors.size() >= kErrorsMax) return;
  findings_.errors.push_back(Error{Code::kInvalid, path(field), std::move(message)});
}

void Reader::ignore(std::initializer_list<std::string_view> fields) {
  for (const std::string_view field : fields) note(field, Schema::Type::kAny);
  asked_.insert(asked_.end(), fields.begin(), fields.end());
}

const Json* Reader::find(std::string_view field) {
  if (!open_ && std::find(asked_.begin(), asked_.end(), field) == asked_.end()) asked_.push_back(field);
  if (value_ == nullptr) return nullptr;
  const auto found = value_->find(field);
  return found == value_->end() || found->is_null() ? nullptr : &*found;
}

const Json* Reader::require(std::string_view field, Need need) {
  const Json* value = find(field);
  // What an absent or wrong parent lacks has been said about the parent.
  if (value == nullptr && need == Need::kRequired && value_ != nullptr)
    wrong(field, "is missing; it is required");
  return value;
}

bool Reader::has(std::string_view field) {
  if (note(field, Schema::Type::kAny) != nullptr) return findings_.describer->toss();
  return find(field) != nullptr;
}

// What is wrong with a text; empty if nothing is.
std::string Reader::misfit(const std::string& text, const TextRule& rule) {
  std::string message;
  if (text.size() < rule.min || (text.empty() && rule.need == Need::kRequired)) {
    message = text.empty()
                  ? "is empty; it is required"
                  : "has " + std::to_string(text.size()) + " bytes; use at least " + std::to_string(rule.min);
  } else if (text.size() > rule.max) {
    message = "has " + std::to_string(text.size()) + " bytes; use at most " + std::to_string(rule.max);
  } else if (rule.syntax != nullptr) {
    const std::string_view remedy = rule.syntax(text);
    if (!remedy.empty()) message = what_it_is(Json(text), false) + "; " + std::string(remedy);
  }
  return message;
}

// Where a text stands is only made out where something is wrong with it: it costs more than all the rest.
bool Reader::text_fits(std::string_view field, const std::string& text, const TextRule& rule) {
  std::string message = misfit(text, rule);
  if (message.empty()) return true;
  wrong(field, std::move(message));
  return false;
}

std::string Reader::text(std::string_view field, const TextRule& rule) {
  if (Schema* node = note(field, Schema::Type::kText, rule.need)) {
    if (rule.max != std::numeric_limits<std::size_t>::max()) node->max = static_cast<std::int64_t>(rule.max);
    if (find(field) == nullptr) return {};
  }
  const Json* value = require(field, rule.need);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    const bool scalar = value->is_number() || value->is_boolean();
    wrong(field, what_it_is(*value, true) + "; use a string" + (scalar ? ", with quotes around it" : ""));
    return {};
  }
  const auto& text = value->get_ref<const std::string&>();
  return text_fits(field, text, rule) ? text : std::string();
}

std::optional<std::int64_t> Reader::integer(std::string_view field, const IntegerRule& rule) {
  if (Schema* node = note(field, Schema::Type::kInteger, rule.need)) {
    if (rule.min != std::numeric_limits<std::int64_t>::min()) node->min = rule.min;
    if (rule.max != std::numeric_limits<std::int64_t>::max()) node->max = rule.max;
    return {};
  }
  const Json* value = require(field, rule.need);
  if (value == nullptr) return {};
  const auto number = as_int64(*value);
  if (!number) {
    wrong(field, what_it_is(*value, !value->is_number()) + "; " +
                     (value->is_string() ? range_remedy(rule) + ", without quotes" : range_remedy(rule)));
    return {};
  }
  if (*number < rule.min || *number > rule.max) {
    wrong(field, "is " + std::to_string(*number) + "; " + range_remedy(rule));
    return {};
  }
  return number;
}

std::optional<double> Reader::number(std::string_view field) {
  if (note(field, Schema::Type::kNumber) != nullptr) return {};
  const Json* value = find(field);
  if (value == nullptr) return {};
  if (value->is_number()) return value->get<double>();
  wrong(field, what_it_is(*value, true) + "; use a number");
  return {};
}

std::optional<bool> Reader::boolean(std::string_view field) {
  if (note(field, Schema::Type::kBoolean) != nullptr) return {};
  const Json* value = find(field);
  if (value == nullptr) return {};
  if (value->is_boolean()) return value->get<bool>();
  wrong(field, what_it_is(*value, true) + "; use true or false, without quotes");
  return {};
}

std::optional<Quantity> Reader::quantity(std::string_view field) {
  if (note(field, Schema::Type::kQuantity) != nullptr) return {};
  const Json* value = find(field);
  if (value == nullptr) return {};
  std::string text;
  if (value->is_string()) {
    text = value->get<std::string>();
  } else if (value->is_number()) {
    text = value->dump();
  } else {
    wrong(field, what_it_is(*value, true) + "; use a quantity like 2, 500m or 12Gi");
    return {};
  }
  auto quantity = Quantity::parse(text);
  if (quantity) return *quantity;
  wrong(field, quantity.error().message);
  return {};
}

std::optional<IntOrText> Reader::int_or_text(std::string_view field, const IntegerRule& rule,
                                             Syntax text_syntax) {
  if (note(field, Schema::Type::kIntOrText, rule.need) != nullptr) return {};
  const Json* value = require(field, rule.need);
  if (value == nullptr) return {};
  if (value->is_string()) {
    const auto& text = value->get_ref<const std::string&>();
    if (!text_fits(field, text, {.need = Need::kRequired, .syntax = text_syntax})) return {};
    return IntOrText{0, text};
  }
  const auto number = integer(field, rule);
  if (!number) return {};
  return IntOrText{*number, {}};
}

std::vector<std::string> Reader::texts(std::string_view field, const ListRule& list, const TextRule& item) {
  std::vector<std::string> result;
  if (Schema* node = note(field, Schema::Type::kList, list.need)) {
    if (node->items == nullptr) node->items = std::make_shared<Schema>(Schema{.type = Schema::Type::kText});
    return result;
  }
  const Json* value = require(field, list.need);
  if (value == nullptr) return result;
  if (!value->is_array()) {
    wrong(field, what_it_is(*value, true) + "; use a list of strings");
    return result;
  }
  if (value->size() < list.min || value->size() > list.max) {
    wrong(field, "has " + std::to_string(value->size()) + " items; use " + std::to_string(list.min) + " to " +
                     std::to_string(list.max));
    return result;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    const Json& entry = (*value)[i];
    const auto refuse = [&](std::string message) {
      if (findings_.errors.size() >= kErrorsMax) return;
      std::string where = path(field);
      append_index(where, i);
      findings_.errors.push_back(Error{Code::kInvalid, std::move(where), std::move(message)});
    };
    if (!entry.is_string()) {
      refuse(what_it_is(entry, true) + "; use a string" +
             (entry.is_primitive() ? ", with quotes around it" : ""));
      continue;
    }
    const auto& text = entry.get_ref<const std::string&>();
    std::string message = misfit(text, item);
    if (message.empty()) {
      result.push_back(text);
    } else {
      refuse(std::move(message));
    }
  }
  return result;
}

std::map<std::string, std::string> Reader::text_map(std::string_view field, Need need, Syntax key_syntax,
                                                    Syntax value_syntax) {
  const TextViews views = text_views(field, need, key_syntax, value_syntax);
  return {views.begin(), views.end()};
}

TextViews Reader::text_views(std::string_view field, Need need, Syntax key_syntax, Syntax value_syntax) {
  TextViews result;
  if (Schema* node = note(field, Schema::Type::kMap, need)) {
    if (node->items == nullptr) node->items = std::make_shared<Schema>(Schema{.type = Schema::Type::kText});
    return result;
  }
  Reader map(*this, field, need);
  map.open();
  if (!map.present()) return result;
  result.reserve(map.value_->size());
  for (const auto& member : map.value_->items()) {
    const std::string_view key_remedy = key_syntax == nullptr ? std::string_view() : key_syntax(member.key());
    const Json& value = member.value();
    if (!key_remedy.empty()) {
      map.wrong(member.key(), "is no right key; " + std::string(key_remedy));
    } else if (value.is_null()) {
      result.emplace_back(member.key(), std::string_view());  // as the Go decoder of Kubernetes reads it
    } else if (!value.is_string()) {
      map.wrong(member.key(), what_it_is(value, true) + "; use a string" +
                                  (value.is_primitive() ? ", with quotes around it" : ""));
    } else if (const auto& text = value.get_ref<const std::string&>();
               value_syntax == nullptr || map.text_fits(member.key(), text, {.syntax = value_syntax})) {
      result.emplace_back(member.key(), text);
    }
  }
  return result;
}

std::map<std::string, Quantity> Reader::quantities(std::string_view field) {
  std::map<std::string, Quantity> result;
  each_key(field, [&](Reader& map, const std::string& key) {
    if (const auto quantity = map.quantity(key)) {
      if (quantity->milli < 0) {
        map.wrong(key, "is negative; use 0 or more");
      } else {
        result.emplace(key, *quantity);
      }
    }
  });
  return result;
}

void Reader::each(std::string_view field, const ListRule& rule, const std::function<void(Reader&)>& visit) {
  if (Schema* node = note(field, Schema::Type::kList, rule.need)) {
    if (node->items == nullptr) node->items = std::make_shared<Schema>(Schema{.type = Schema::Type::kObject});
    Reader item(*this, field, *node->items);
    visit(item);
    return;
  }
  const Json* value = require(field, rule.need);
  if (value == nullptr) return;
  if (!value->is_array()) {
    wrong(field, what_it_is(*value, true) + "; use a list of objects");
    return;
  }
  if (value->size() < rule.min || value->size() > rule.max) {
    wrong(field, "has " + std::to_string(value->size()) +
                     (value->size() == 1 ? " item; use " : " items; use ") +
                     (rule.min == rule.max ? "exactly " + std::to_string(rule.min)
                                           : std::to_string(rule.min) + " to " + std::to_string(rule.max)));
    return;
  }
  Reader list(*this, field, ListTag{});
  for (std::size_t i = 0; i < value->size(); ++i) {
    Reader item(list, i, &(*value)[i]);
    if (item.present()) visit(item);
  }
}

void Reader::each_key(std::string_view field, const std::function<void(Reader&, const std::string&)>& visit) {
  if (Schema* node = note(field, Schema::Type::kMap)) {
    // The map as an object with one field, which stands for all.
    Schema one{.type = Schema::Type::kObject};
    if (node->items != nullptr) one.fields.push_back({.name = "key", .schema = node->items});
    {
      Reader map(*this, field, one);
      visit(map, "key");
    }
    if (!one.fields.empty()) node->items = one.fields.front().schema;
    return;
  }
  Reader map(*this, field);
  map.open();
  if (!map.present()) return;
  // Finding a field costs a walk over all of them.
  constexpr std::size_t kKeysMax = 1000;
  if (map.value_->size() > kKeysMax) {
    wrong(field,
          "has " + std::to_string(map.value_->size()) + " fields; use at most " + std::to_string(kKeysMax));
    return;
  }
  for (const auto& member : map.value_->items()) visit(map, member.key());
}

int Reader::choice_index(std::string_view field, const std::vector<std::string_view>& words, Need need) {
  if (Schema* node = note(field, Schema::Type::kText, need)) {
    node->words.assign(words.begin(), words.end());
    return static_cast<int>(findings_.describer->draw(words.size()));
  }
  const Json* value = require(field, need);
  if (value == nullptr) return -1;
  if (value->is_string()) {
    const auto found = std::find(words.begin(), words.end(), value->get_ref<const std::string&>());
    if (found != words.end()) return static_cast<int>(found - words.begin());
  }
  wrong(field, what_it_is(*value, false) + "; use " + listed(words));
  return -1;
}

std::string Reader::raw(std::string_view field) {
  if (schema_ != nullptr) {
    if (!field.empty()) note(field, Schema::Type::kAny);
    return {};
  }
  const Json* value = field.empty() ? value_ : find(field);
  return value == nullptr ? std::string() : value->dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tidegate::resource
