#include "resource/schema.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "resource/kind.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr std::size_t kPassesMax = 1000;
constexpr std::size_t kQuietPasses = 60;  // passes without anything new after which nothing more is expected

}  // namespace

const SchemaField* Schema::find(std::string_view field) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const SchemaField& candidate) { return candidate.name == field; });
  return found == fields.end() ? nullptr : &*found;
}

SchemaField* Schema::find(std::string_view field) {
  return const_cast<SchemaField*>(std::as_const(*this).find(field));
}

Schema& Describer::note(Schema& object, std::string_view field, Schema::Type type, bool required) {
  SchemaField* known = object.find(field);
  if (known == nullptr) {
    object.fields.push_back({.name = std::string(field), .schema = std::make_shared<Schema>()});
    known = &object.fields.back();
    ++news_;
  }
  known->required = known->required || required;
  if (known->schema->type == Schema::Type::kAny && type != Schema::Type::kAny) {
    known->schema->type = type;
    ++news_;
  }
  return *known->schema;
}

std::size_t Describer::draw(std::size_t count) {
  // xorshift64: no quality is needed, only that no two questions get the same answers for ever.
  chance_ ^= chance_ << 13;
  chance_ ^= chance_ >> 7;
  chance_ ^= chance_ << 17;
  return count == 0 ? 0 : (chance_ >> 33) % count;
}

bool Describer::toss() { return pass_ == 0 || draw(2) == 0; }

Schema describe(const Kind& kind, std::string_view version) {
  Describer describer;
  Json document = Json::object();
  document["apiVersion"] =
      kind.group.empty() ? std::string(version) : std::string(kind.group) + "/" + std::string(version);
  document["kind"] = std::string(kind.kind);
  std::size_t quiet = 0;
  for (std::size_t pass = 0; pass < kPassesMax && quiet < kQuietPasses && kind.validate != nullptr; ++pass) {
    const std::size_t before = describer.news();
    Findings findings;
    findings.describer = &describer;
    kind.validate(document, findings);
    describer.next_pass();
    quiet = describer.news() == before ? quiet + 1 : 0;
  }
  return std::move(describer.root);
}

}  // namespace tidegate::resource
