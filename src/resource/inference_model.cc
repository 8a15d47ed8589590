#include "resource/inference_model.h"

#include "resource/defaults.h"
#include "resource/inference_pool.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr std::int64_t kWeightMax = 1'000'000;

InferenceModel read(Reader& root) {
  InferenceModel model;
  const bool first_version = root.text("apiVersion").ends_with("/v1alpha1");
  Reader spec(root, "spec", Need::kRequired);
  model.model_name = spec.text("modelName", {.need = Need::kRequired, .max = 256});
  model.criticality = spec.choice<Criticality>("criticality",
                                               {{"Critical", Criticality::kCritical},
                                                {"Standard", Criticality::kStandard},
                                                {"Sheddable", Criticality::kSheddable}},
                                               Criticality::kStandard);
  // The first version lets a weight of 0 reserve a name.
  const IntegerRule weight_rule =
      first_version
          ? IntegerRule{.min = 0, .max = kWeightMax}
          : IntegerRule{.min = 1, .max = kWeightMax, .hint = "or remove the target to stop sending to it"};
  std::size_t weighted = 0;
  std::size_t seen = 0;
  std::string first_without;
  spec.each("targetModels", {.max = 10}, [&](Reader& item) {
    TargetModel target;
    target.name = item.text("name", {.need = Need::kRequired, .max = 253});
    const bool has_weight = item.has("weight");
    if (const auto weight = item.integer("weight", weight_rule))
      target.weight = static_cast<std::uint32_t>(*weight);
    ++seen;
    if (has_weight) {
      ++weighted;
    } else if (first_without.empty()) {
      first_without = item.path("weight");
    }
    model.targets.push_back(std::move(target));
  });
  if (weighted > 0 && weighted < seen) {
    spec.findings().errors.push_back(
        {Code::kInvalid, first_without,
         "is missing; set the weight of every target, or of none for equal shares"});
  }
  Reader ref(spec, "poolRef", Need::kRequired);
  model.pool_group = ref.text("group", {.max = 253});
  if (model.pool_group.empty()) model.pool_group = kInferenceGroupOld;
  model.pool_kind = ref.text("kind", {.max = 63});
  if (model.pool_kind.empty()) model.pool_kind = "InferencePool";
  model.pool_name = ref.text("name", {.need = Need::kRequired, .max = 253});
  if (model.pool_kind != "InferencePool") {
    ref.wrong("kind", "is \"" + model.pool_kind + "\"; use InferencePool");
  }
  if (model.pool_group != kInferenceGroup && model.pool_group != kInferenceGroupOld) {
    ref.wrong("group", "is \"" + model.pool_group + "\"; use " + std::string(kInferenceGroupOld) + " or " +
                           std::string(kInferenceGroup));
  }
  return model;
}

void set_defaults(Json& document) {
  Defaults ref = Defaults(document).at("spec").at("poolRef");
  ref.set("group", kInferenceGroupOld);
  ref.set("kind", "InferencePool");
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

// The name is what clients know and what quotas and metrics hang on; v1alpha1 still let it change.
void validate_update(const Json& before, const Json& after, std::vector<Error>& errors) {
  const auto old_model = read_view(before, read);
  const auto new_model = read_view(after, read);
  if (!old_model || !new_model || old_model->model_name == new_model->model_name) return;
  Findings findings;
  Reader root(after, findings);
  root.open();
  if (root.text("apiVersion").ends_with("/v1alpha1")) return;
  errors.push_back({Code::kInvalid, "spec.modelName",
                    "is \"" + new_model->model_name + "\" and was \"" + old_model->model_name +
                        "\"; it cannot change, create another InferenceModel for the new name"});
}

}  // namespace

Result<InferenceModel> InferenceModel::from(const Object& object) { return read_view(object.json(), read); }

Kind inference_model_kind() {
  return {.group = kInferenceGroupOld,
          .kind = "InferenceModel",
          .plural = "inferencemodels",
          .singular = "inferencemodel",
          .versions = {"v1alpha2", "v1alpha1"},
          .short_names = {"infmodel"},
          .set_defaults = set_defaults,
          .validate = validate,
          .validate_update = validate_update};
}

}  // namespace tidegate::resource
