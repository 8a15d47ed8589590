#include "gateway/api_keys.h"

#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gateway/guard/ring.h"
#include "resource/core.h"

namespace tidegate::gateway {
namespace {

using Rings = std::map<std::string, std::shared_ptr<guard::Ring>>;  // by namespace

// What all clients of a Secret may do, as far as its annotations can be read.
class Rules {
 public:
  explicit Rules(const resource::Object& secret) : annotations_(secret.metadata().annotations) {
    limits.tokens_per_minute = number(kTokensPerMinuteAnnotation);
    limits.tokens_per_day = number(kTokensPerDayAnnotation);
    limits.requests_per_minute = number(kRequestsPerMinuteAnnotation);
    const auto found = annotations_.find(std::string(kModelsAnnotation));
    if (found == annotations_.end()) return;
    models = guard::ModelRules::parse(found->second);
    if (models.all()) fail(kModelsAnnotation, "names no model");
  }

  guard::Limits limits;
  guard::ModelRules models;
  std::string problem;  // the last that was found; empty: none

 private:
  // 0 if nothing is written.
  std::uint64_t number(std::string_view name) {
    const auto found = annotations_.find(std::string(name));
    if (found == annotations_.end()) return 0;
    std::uint64_t limit = 0;
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc{} || end != text.data() + text.size() || limit == 0)
      fail(name, "is no whole number above 0");
    return limit;
  }

  void fail(std::string_view name, std::string_view why) {
    problem = "annotation " + std::string(name) + " " + std::string(why) +
              "; until it is mended none of the Secret's keys is taken";
  }

  const std::map<std::string, std::string>& annotations_;
};

// Keys are often written with the line end that `echo` adds.
std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

// Remarks name entries, never what is in them.
void add_keys(const ObjectPtr& object, guard::Ring& ring, std::vector<Remark>& remarks) {
  const auto secret = resource::Secret::from(*object);
  const Rules rules(*object);
  if (!secret || !rules.problem.empty()) {
    remarks.push_back({object, secret ? rules.problem : describe(secret.error())});
    return;
  }
  for (const auto& [entry, key] : secret->data) {
    const std::string name = object->namespace_() + "/" + object->name() + "/" + entry;
    const auto client =
        std::make_shared<const guard::Client>(guard::Client{name, rules.models, rules.limits});
    if (ring.add(without_blanks(key), client)) continue;
    remarks.push_back({object, "entry " + entry + " is no key: keys have " +
                                   std::to_string(guard::Ring::kKeyBytesMin) + " to " +
                                   std::to_string(guard::Ring::kKeyBytesMax) + " bytes"});
  }
}

Rings rings_of(const Inputs& inputs, std::vector<Remark>& remarks) {
  Rings rings;
  for (const ObjectPtr& object : inputs.secrets) {
    const auto& labels = object->metadata().labels;
    const auto label = labels.find(std::string(kApiKeys));
    if (label == labels.end() || label->second != "true") continue;
    std::shared_ptr<guard::Ring>& ring = rings[object->namespace_()];
    if (!ring) ring = std::make_shared<guard::Ring>();
    add_keys(object, *ring, remarks);
  }
  return rings;
}

}  // namespace

void mark_guarded(const Inputs& inputs, std::vector<Pool>& pools, std::vector<Remark>& remarks) {
  std::optional<Rings> rings;
  for (Pool& pool : pools) {
    const ObjectPtr object = object_of(inputs, pool);
    if (!object) continue;
    const auto& annotations = object->metadata().annotations;
    const auto found = annotations.find(std::string(kApiKeys));
    if (found == annotations.end() || found->second == "none") continue;
    if (found->second != "required") {
      remarks.push_back({object, "annotation " + std::string(kApiKeys) +
                                     " is neither required nor none; it counts as required"});
    }
    if (!rings) rings = rings_of(inputs, remarks);
    std::shared_ptr<guard::Ring>& ring = (*rings)[pool.namespace_];
    if (!ring) ring = std::make_shared<guard::Ring>();  // no keys: nobody may
    pool.keys = ring;
  }
}

}  // namespace tidegate::gateway
