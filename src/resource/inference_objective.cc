#include "resource/inference_objective.h"

#include <limits>

#include "resource/defaults.h"
#include "resource/inference_pool.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr std::int64_t kWeightMax = 1'000'000;

PoolReference read_pool(Reader& spec) {
  PoolReference pool;
  Reader ref(spec, "poolRef", Need::kRequired);
  pool.group = ref.text("group", {.max = 253});
  if (pool.group.empty()) pool.group = kInferenceGroup;
  const std::string kind = ref.text("kind", {.max = 63});
  pool.name = ref.text("name", {.need = Need::kRequired, .max = 253});
  if (!kind.empty() && kind != "InferencePool") ref.wrong("kind", "is \"" + kind + "\"; use InferencePool");
  if (pool.group != kInferenceGroup && pool.group != kInferenceGroupOld) {
    ref.wrong("group", "is \"" + pool.group + "\"; use " + std::string(kInferenceGroup) + " or " +
                           std::string(kInferenceGroupOld));
  }
  return pool;
}

InferenceObjective read_objective(Reader& root) {
  InferenceObjective objective;
  Reader spec(root, "spec", Need::kRequired);
  const IntegerRule rule{.min = std::numeric_limits<std::int32_t>::min(),
                         .max = std::numeric_limits<std::int32_t>::max()};
  objective.priority = static_cast<std::int32_t>(spec.integer("priority", rule).value_or(0));
  objective.pool = read_pool(spec);
  return objective;
}

InferenceModelRewrite::Rule read_rule(Reader& item) {
  InferenceModelRewrite::Rule rule;
  item.each("matches", {.max = 64}, [&](Reader& match) {
    Reader model(match, "model");
    if (!model.present()) return;
    const std::string type = model.text("type");
    if (!type.empty() && type != "Exact") model.wrong("type", "is \"" + type + "\"; use Exact");
    rule.models.push_back(model.text("value", {.need = Need::kRequired, .max = 256}));
  });
  item.each("targets", {.max = 64}, [&](Reader& target) {
    TargetModel made;
    made.name = target.text("modelRewrite", {.need = Need::kRequired, .max = 253});
    if (const auto weight = target.integer("weight", {.min = 1, .max = kWeightMax}))
      made.weight = static_cast<std::uint32_t>(*weight);
    rule.targets.push_back(std::move(made));
  });
  if (rule.targets.empty()) item.wrong("targets", "is empty; name at least one model to ask for");
  return rule;
}

InferenceModelRewrite read_rewrite(Reader& root) {
  InferenceModelRewrite rewrite;
  Reader spec(root, "spec", Need::kRequired);
  rewrite.pool = read_pool(spec);
  spec.each("rules", {.max = 256}, [&](Reader& item) { rewrite.rules.push_back(read_rule(item)); });
  return rewrite;
}

void set_pool_defaults(Json& document) {
  Defaults ref = Defaults(document).at("spec").at("poolRef");
  ref.set("group", kInferenceGroup);
  ref.set("kind", "InferencePool");
}

void validate_objective(const Json& document, Findings& findings) {
  check_document(document, findings, read_objective);
}
void validate_rewrite(const Json& document, Findings& findings) {
  check_document(document, findings, read_rewrite);
}

}  // namespace

Result<InferenceObjective> InferenceObjective::from(const Object& object) {
  return read_view(object.json(), read_objective);
}

Result<InferenceModelRewrite> InferenceModelRewrite::from(const Object& object) {
  return read_view(object.json(), read_rewrite);
}

Kind inference_objective_kind(std::string_view group) {
  return {.group = group,
          .kind = "InferenceObjective",
          .plural = "inferenceobjectives",
          .singular = "inferenceobjective",
          .versions = {"v1alpha2"},
          .short_names = {"infobj"},
          .set_defaults = set_pool_defaults,
          .validate = validate_objective};
}

Kind inference_model_rewrite_kind(std::string_view group) {
  return {.group = group,
          .kind = "InferenceModelRewrite",
          .plural = "inferencemodelrewrites",
          .singular = "inferencemodelrewrite",
          .versions = {"v1alpha2"},
          .short_names = {"infmodelrewrite"},
          .set_defaults = set_pool_defaults,
          .validate = validate_rewrite};
}

}  // namespace tidegate::resource
