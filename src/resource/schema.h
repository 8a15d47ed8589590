// What the documents of a kind look like: a tree of fields with their types and rules.
//
// Nobody writes such a tree for a kind by hand. A kind's reading function is run over a probing document
// (describe()), and its Reader notes every field that is asked for, with type and rule; so the description
// can never differ from the validation. What no reading function can know (Kubernetes' own kinds, of which
// only a part is read here; how lists are merged; texts for people) is added by cluster/schema.
//
// Thread: a Schema is immutable once made; any thread.
// Source: OpenAPI v3 as Kubernetes uses it; "Merge strategy" in Kubernetes' server-side apply documentation.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::resource {

struct Kind;
struct Schema;
using SchemaPtr = std::shared_ptr<Schema>;

struct SchemaField {
  std::string name;
  SchemaPtr schema;
  bool required = false;
  std::string about{};      // one sentence for people; may be empty
  int number = 0;           // in protobuf; 0: none
  std::string merge_key{};  // of a strategic merge patch; empty: the list is replaced
  bool merges = false;      // a strategic merge patch merges this list
  bool retain_keys = false;
  std::string otherwise{};  // the text it counts as when it is absent; empty: none
};

// How the items of a list are told apart when several writers own parts of it.
enum class ListType { kAtomic, kSet, kMap };

struct Schema {
  enum class Type {
    kAny,
    kObject,
    kMap,
    kList,
    kText,
    kBytes,
    kInteger,
    kNumber,
    kBoolean,
    kQuantity,
    kIntOrText,
    kTime
  };

  Type type = Type::kAny;
  bool open = false;    // an object that may hold more fields than these
  bool micro = false;   // a time with microseconds
  bool atomic = false;  // an object or map that has one owner as a whole
  std::string name{};   // of a type that is shared: "io.k8s.api.core.v1.PodSpec"; may be empty
  std::string about{};
  std::vector<SchemaField> fields{};  // of an object, in the order in which they were asked for
  // Messages that protobuf has around some of the fields and JSON has not.
  std::vector<SchemaField> inlined{};
  SchemaPtr items{};  // of a list or a map
  ListType list_type = ListType::kAtomic;
  std::vector<std::string> list_keys{};  // of ListType::kMap
  std::vector<std::string> words{};      // the only texts that are right; empty: any
  std::optional<std::int64_t> min{};
  std::optional<std::int64_t> max{};

  // Null if there is none.
  const SchemaField* find(std::string_view field) const;
  SchemaField* find(std::string_view field);
};

// Runs the reading function of `kind` over a probing document of `version` until nothing new is asked for.
// An object with the kind's own fields; metadata and status are there and not described.
Schema describe(const Kind& kind, std::string_view version);

// Where Readers note what they are asked for, and what they answer with: a branch of a reading function that
// depends on the document is taken by chance, the same on every run.
class Describer {
 public:
  Schema root{.type = Schema::Type::kObject};

  // The field's node, made if it is new.
  Schema& note(Schema& object, std::string_view field, Schema::Type type, bool required);
  // Whether a field is there; the first pass sees everything.
  bool toss();
  std::size_t draw(std::size_t count);

  void next_pass() { ++pass_; }
  std::size_t news() const { return news_; }

 private:
  std::uint64_t chance_ = 0x9e3779b97f4a7c15;
  std::size_t pass_ = 0;
  std::size_t news_ = 0;
};

}  // namespace tidegate::resource
