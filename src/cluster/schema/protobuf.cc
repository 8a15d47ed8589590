#include "cluster/schema/protobuf.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/base64.h"
#include "base/clock.h"
#include "cluster/schema/catalog.h"
#include "resource/json.h"

namespace tidegate::schema {
namespace {

using resource::Json;
using Type = Schema::Type;

constexpr std::string_view kMagic("k8s\0", 4);
constexpr int kDepthMax = 64;

// Whole numbers of which zero is an answer and not an absence.
constexpr std::array<std::string_view, 6> kZeroMatters = {"replicas",
                                                          "minReplicas",
                                                          "gracePeriodSeconds",
                                                          "terminationGracePeriodSeconds",
                                                          "revisionHistoryLimit",
                                                          "stabilizationWindowSeconds"};

// Booleans that are false where nothing is said, which Go's JSON leaves out. Written out, they would make another template of
// one that is the same.
constexpr std::array<std::string_view, 11> kFalseIsAbsent = {
    "hostIPC", "hostNetwork", "hostPID",  "stdin",         "stdinOnce",
    "tty",     "readOnly",    "paused",   "unschedulable", "publishNotReadyAddresses",
    "globalDefault"};

struct Value {
  int number = 0;  // of the field
  int wire = 0;    // 0 varint, 1 eight bytes, 2 with a length, 5 four bytes
  std::uint64_t integer = 0;
  std::string_view bytes;
};

// Takes one field after the other off a message.
class Message {
 public:
  explicit Message(std::string_view text) : rest_(text) {}

  // Empty at the end, or when the message is broken.
  std::optional<Value> next() {
    if (rest_.empty() || broken_) return std::nullopt;
    const std::uint64_t tag = varint();
    Value value{.number = static_cast<int>(tag >> 3), .wire = static_cast<int>(tag & 7), .bytes = {}};
    if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) broken_ = true;
    switch (value.wire) {
      case 0:
        value.integer = varint();
        break;
      case 1:
        value.bytes = take(8);
        break;
      case 2:
        value.bytes = take(varint());
        break;
      case 5:
        value.bytes = take(4);
        break;
      default:
        broken_ = true;
    }
    if (broken_) return std::nullopt;
    return value;
  }
  bool broken() const { return broken_; }

 private:
  std::uint64_t varint() {
    std::uint64_t result = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      result |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return result;
    }
    broken_ = true;
    return 0;
  }

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) {
      broken_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool broken_ = false;
};

class Decoder {
 public:
  // The fields of one message, put into `into`.
  void object(const Schema& schema, std::string_view text, Json& into, int depth) {
    if (depth > kDepthMax) return fail("is nested too deeply");
    Message message(text);
    while (const auto value = message.next()) {
      if (const SchemaField* part = numbered(schema.inlined, value->number)) {
        object(*part->schema, value->bytes, into, depth + 1);
      } else if (const SchemaField* field = numbered(schema.fields, value->number)) {
        put(*field, *value, into, depth + 1);
      }
    }
    if (message.broken()) fail("is no protobuf message of its type");
  }

  const std::optional<std::string>& failure() const { return failure_; }

 private:
  static const SchemaField* numbered(const std::vector<SchemaField>& fields, int number) {
    const auto found = std::find_if(fields.begin(), fields.end(),
                                    [&](const SchemaField& field) { return field.number == number; });
    return found == fields.end() ? nullptr : &*found;
  }

  void put(const SchemaField& field, const Value& value, Json& into, int depth) {
    const Schema& schema = *field.schema;
    if (schema.type == Type::kList) {
      if (std::optional<Json> item = one(*schema.items, value, true, depth))
        into[field.name].push_back(*std::move(item));
    } else if (schema.type == Type::kMap) {
      entry(*schema.items, value.bytes, into[field.name], depth);
    } else {
      const bool zero_matters =
          std::find(kZeroMatters.begin(), kZeroMatters.end(), field.name) != kZeroMatters.end();
      const bool unsaid = schema.type == Type::kBoolean && value.integer == 0 &&
                          std::find(kFalseIsAbsent.begin(), kFalseIsAbsent.end(), field.name) != kFalseIsAbsent.end();
      if (unsaid) return;
      if (std::optional<Json> one_value = one(schema, value, zero_matters, depth))
        into[field.name] = *std::move(one_value);
    }
  }

  void entry(const Schema& items, std::string_view text, Json& into, int depth) {
    if (!into.is_object()) into = Json::object();
    std::string key;
    Json content;
    if (items.type == Type::kText || items.type == Type::kBytes) content = "";
    Message message(text);
    while (const auto value = message.next()) {
      if (value->number == 1) key = value->bytes;
      if (value->number != 2) continue;
      if (std::optional<Json> decoded = one(items, *value, true, depth + 1)) content = *std::move(decoded);
    }
    if (message.broken()) fail("holds a broken map");
    into[key] = std::move(content);
  }

  // Empty for what JSON leaves out.
  std::optional<Json> one(const Schema& schema, const Value& value, bool keep_empty, int depth) {
    switch (schema.type) {
      case Type::kText:
        if (value.bytes.empty() && !keep_empty) return std::nullopt;
        return Json(value.bytes);
      case Type::kBytes:
        if (value.bytes.empty() && !keep_empty) return std::nullopt;
        return Json(base64::encode(value.bytes));
      case Type::kInteger:
        if (value.integer == 0 && !keep_empty) return std::nullopt;
        return Json(static_cast<std::int64_t>(value.integer));
      case Type::kBoolean:
        return Json(value.integer != 0);
      case Type::kNumber:
        return number(value);
      case Type::kQuantity:
        return wrapped_text(value.bytes);
      case Type::kTime:
        return time(value.bytes);
      case Type::kIntOrText:
        return int_or_text(value.bytes);
      case Type::kAny:
        return raw(value.bytes);
      case Type::kObject: {
        Json nested = Json::object();
        object(schema, value.bytes, nested, depth);
        return nested;
      }
      case Type::kList:
      case Type::kMap:
        break;  // no list of lists and no map of maps travels over this API
    }
    return std::nullopt;
  }

  static std::optional<Json> number(const Value& value) {
    if (value.bytes.size() != sizeof(double)) return std::nullopt;
    double result = 0;
    std::memcpy(&result, value.bytes.data(), sizeof result);
    return Json(result);
  }

  std::optional<Json> wrapped_text(std::string_view text) {
    Message message(text);
    while (const auto value = message.next()) {
      if (value->number == 1) return Json(value->bytes);
    }
    return std::nullopt;
  }

  static std::optional<Json> time(std::string_view text) {
    std::int64_t seconds = 0;
    Message message(text);
    while (const auto value = message.next()) {
      if (value->number == 1) seconds = static_cast<std::int64_t>(value->integer);
    }
    constexpr std::int64_t kYear9999 = 253'402'300'799;
    if (seconds <= 0 || seconds > kYear9999) return std::nullopt;
    if (seconds > std::int64_t{9'000'000'000}) return std::nullopt;  // beyond what a WallTime holds
    return Json(rfc3339(WallTime(std::chrono::seconds(seconds))));
  }

  static std::optional<Json> int_or_text(std::string_view text) {
    bool is_text = false;
    std::int64_t number = 0;
    std::string_view word;
    Message message(text);
    while (const auto value = message.next()) {
      if (value->number == 1) is_text = value->integer == 1;
      if (value->number == 2) number = static_cast<std::int32_t>(value->integer);
      if (value->number == 3) word = value->bytes;
    }
    return is_text ? Json(word) : Json(number);
  }

  std::optional<Json> raw(std::string_view text) {
    Message message(text);
    while (const auto value = message.next()) {
      if (value->number != 1 || value->wire != 2) continue;
      auto json = resource::parse_json(value->bytes);
      if (!json) {
        fail("holds JSON that cannot be read: " + describe(json.error()));
        return std::nullopt;
      }
      return *std::move(json);
    }
    return std::nullopt;
  }

  void fail(std::string why) {
    if (!failure_) failure_ = std::move(why);
  }

  std::optional<std::string> failure_;
};

// runtime.Unknown: which type, and its bytes.
struct Envelope {
  std::string api_version;
  std::string kind;
  std::string_view raw;
};

std::optional<Envelope> open(std::string_view text) {
  Envelope envelope;
  Message message(text);
  while (const auto value = message.next()) {
    if (value->number == 2) envelope.raw = value->bytes;
    if (value->number != 1) continue;
    Message type(value->bytes);
    while (const auto part = type.next()) {
      if (part->number == 1) envelope.api_version = part->bytes;
      if (part->number == 2) envelope.kind = part->bytes;
    }
  }
  if (message.broken()) return std::nullopt;
  return envelope;
}

}  // namespace

Result<Json> decode_protobuf(std::string_view body) {
  if (!body.starts_with(kMagic))
    return invalid("", "the body does not begin like Kubernetes' protobuf; send JSON");
  const auto envelope = open(body.substr(kMagic.size()));
  if (!envelope) return invalid("", "the body is broken protobuf");
  const Schema* schema = find_schema(envelope->api_version, envelope->kind);
  const bool numbered =
      schema != nullptr && std::any_of(schema->fields.begin(), schema->fields.end(),
                                       [](const SchemaField& field) { return field.number != 0; });
  if (!numbered) {
    return invalid("", "no protobuf form is known of " + envelope->api_version.substr(0, 100) + " " +
                           envelope->kind.substr(0, 100) + "; send JSON");
  }
  Json document = {{"apiVersion", envelope->api_version}, {"kind", envelope->kind}};
  Decoder decoder;
  decoder.object(*schema, envelope->raw, document, 0);
  if (decoder.failure()) return invalid("", "the body " + *decoder.failure());
  return document;
}

}  // namespace tidegate::schema
