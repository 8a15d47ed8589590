#include "resource/priority_class.h"

#include "resource/defaults.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

PriorityClass read(Reader& root) {
  PriorityClass view;
  root.ignore({"description"});
  Reader metadata(root, "metadata");
  metadata.open();
  const bool system = metadata.text("name").starts_with("system-");
  view.value = root.integer("value", {.min = kInt32Min,
                                      .max = system ? kInt32Max : kUserPriorityMax,
                                      .need = Need::kRequired})
                   .value_or(0);
  view.global_default = root.boolean("globalDefault").value_or(false);
  view.never_preempts =
      root.choice<bool>("preemptionPolicy", {{"PreemptLowerPriority", false}, {"Never", true}}, false);
  return view;
}

void set_defaults(Json& document) { Defaults(document).set("preemptionPolicy", "PreemptLowerPriority"); }

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

void validate_update(const Json& before, const Json& after, std::vector<Error>& errors) {
  const auto old_class = read_view(before, read);
  const auto new_class = read_view(after, read);
  if (old_class && new_class && old_class->value != new_class->value) {
    errors.push_back({Code::kInvalid, "value", "cannot change; make a class of another name"});
  }
}

}  // namespace

Result<PriorityClass> PriorityClass::from(const Object& object) { return read_view(object.json(), read); }

Kind priority_class_kind() {
  return {.group = "scheduling.k8s.io",
          .kind = "PriorityClass",
          .plural = "priorityclasses",
          .singular = "priorityclass",
          .versions = {"v1"},
          .short_names = {"pc"},
          .namespaced = false,
          .has_status = false,
          .set_defaults = set_defaults,
          .validate = validate,
          .validate_update = validate_update};
}

}  // namespace tidegate::resource
