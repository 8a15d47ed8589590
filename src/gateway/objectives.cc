#include "gateway/objectives.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "resource/inference_objective.h"
#include "resource/inference_pool.h"

namespace tidegate::gateway {
namespace {

Finding accepted(const ObjectPtr& object, Truth truth, std::string reason, std::string message) {
  Finding finding;
  finding.object = object;
  finding.conditions = {{"Accepted", truth, std::move(reason), std::move(message)}};
  return finding;
}

// The pool of that name in the named group, else in the other.
std::uint32_t pool_of(const PoolSet& pools, const resource::PoolReference& ref,
                      const std::string& namespace_) {
  const std::uint32_t index = pools.find(ref.group, namespace_, ref.name);
  if (index != PoolSet::kNone) return index;
  return pools.find(
      ref.group == resource::kInferenceGroup ? resource::kInferenceGroupOld : resource::kInferenceGroup,
      namespace_, ref.name);
}

Finding no_pool(const ObjectPtr& object, const resource::PoolReference& ref) {
  return accepted(object, Truth::kUnknown, "Pending",
                  "spec.poolRef names InferencePool " + ref.name + ", which does not exist in namespace " +
                      object->namespace_() + "; create it or correct the name");
}

std::vector<ObjectPtr> oldest_first(std::vector<ObjectPtr> objects) {
  std::stable_sort(objects.begin(), objects.end(), [](const ObjectPtr& a, const ObjectPtr& b) {
    const auto age = [](const ObjectPtr& o) {
      return std::tie(o->metadata().creation_timestamp, o->namespace_(), o->name());
    };
    return age(a) < age(b);
  });
  return objects;
}

// What rewrites say about one pool's names.
struct Rewritten {
  std::map<std::string, rewrite::ModelEntry> exact;
  std::optional<rewrite::ModelEntry> every;
};

void take(Rewritten& names, const resource::InferenceModelRewrite::Rule& rule, const rewrite::Split& split,
          const ObjectPtr& object) {
  const auto entry = [&](const std::string& name) {
    rewrite::ModelEntry made{name, split, pick::Criticality::kStandard, object->title(),
                             unix_seconds(object->metadata().creation_timestamp)};
    return made;
  };
  for (const std::string& model : rule.models) names.exact.try_emplace(model, entry(model));
  if (rule.models.empty() && !names.every) names.every = entry("");
}

// Reads one object's rules. Errors: kInvalid naming the list that no draw can be made from.
Result<void> take_all(Rewritten& names, const resource::InferenceModelRewrite& rewrite,
                      const ObjectPtr& object) {
  std::vector<rewrite::Split> splits;
  for (std::size_t i = 0; i < rewrite.rules.size(); ++i) {
    std::vector<rewrite::Target> targets;
    for (const resource::TargetModel& target : rewrite.rules[i].targets)
      targets.push_back({target.name, target.weight, {}});
    auto split = rewrite::Split::make("spec.rules[" + std::to_string(i) + "].targets", std::move(targets));
    if (!split) return tl::unexpected(split.error());
    splits.push_back(*std::move(split));
  }
  for (std::size_t i = 0; i < rewrite.rules.size(); ++i) take(names, rewrite.rules[i], splits[i], object);
  return {};
}

rewrite::ModelTable joined(const rewrite::ModelTable& models, Rewritten names) {
  std::vector<rewrite::ModelEntry> entries;
  for (const rewrite::ModelEntry& entry : models.entries()) {
    const auto found = names.exact.find(entry.name);
    if (found == names.exact.end()) {
      entries.push_back(entry);
    } else {
      found->second.criticality = entry.criticality;
    }
  }
  for (auto& [name, entry] : names.exact) entries.push_back(std::move(entry));
  return rewrite::ModelTable(std::move(entries), std::move(names.every));
}

}  // namespace

std::vector<Finding> read_objectives(const Inputs& inputs, PoolSet& pools) {
  std::vector<Finding> findings;
  for (const ObjectPtr& object : oldest_first(inputs.objectives)) {
    const auto objective = resource::InferenceObjective::from(*object);
    if (!objective) {
      findings.push_back(accepted(object, Truth::kFalse, "Invalid", describe(objective.error())));
      continue;
    }
    const std::uint32_t index = pool_of(pools, objective->pool, object->namespace_());
    if (index == PoolSet::kNone) {
      findings.push_back(no_pool(object, objective->pool));
      continue;
    }
    // The same name in both groups: the older object has it.
    pools.edit(index).objectives.try_emplace(object->name(), objective->priority);
    findings.push_back(accepted(object, Truth::kTrue, "Accepted",
                                "Requests with this objective have priority " +
                                    std::to_string(objective->priority) + " in pool " +
                                    objective->pool.name));
  }
  return findings;
}

std::vector<Finding> read_model_rewrites(const Inputs& inputs, PoolSet& pools) {
  std::vector<Finding> findings;
  std::map<std::uint32_t, Rewritten> by_pool;
  for (const ObjectPtr& object : oldest_first(inputs.model_rewrites)) {
    const auto rewrite = resource::InferenceModelRewrite::from(*object);
    if (!rewrite) {
      findings.push_back(accepted(object, Truth::kFalse, "Invalid", describe(rewrite.error())));
      continue;
    }
    const std::uint32_t index = pool_of(pools, rewrite->pool, object->namespace_());
    if (index == PoolSet::kNone) {
      findings.push_back(no_pool(object, rewrite->pool));
      continue;
    }
    const Result<void> taken = take_all(by_pool[index], *rewrite, object);
    findings.push_back(taken ? accepted(object, Truth::kTrue, "Accepted",
                                        "The names are rewritten in pool " + rewrite->pool.name)
                             : accepted(object, Truth::kFalse, "Invalid", describe(taken.error())));
  }
  for (auto& [index, names] : by_pool) {
    Pool& pool = pools.edit(index);
    pool.models = joined(pool.models, std::move(names));
  }
  return findings;
}

}  // namespace tidegate::gateway
