#include "resource/installed.h"

#include <nlohmann/json.hpp>

#include "resource/defaults.h"
#include "resource/definition.h"
#include "resource/fields.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr std::string_view kRbac = "rbac.authorization.k8s.io";
constexpr std::string_view kAdmission = "admissionregistration.k8s.io";

struct Anything {};

Anything read_open(Reader& root) {
  root.open();
  return {};
}

Anything read_rules(Reader& root) {
  root.open();
  root.each("rules", {}, [](Reader& rule) {
    rule.open();
    rule.texts("verbs", {.min = 1, .need = Need::kRequired});
  });
  return {};
}

Anything read_binding(Reader& root) {
  root.open();
  {
    Reader role(root, "roleRef", Need::kRequired);
    role.open();
    role.text("apiGroup");
    role.choice_index("kind", {"Role", "ClusterRole"}, Need::kRequired);
    role.text("name", {.need = Need::kRequired, .min = 1});
  }
  root.each("subjects", {}, [](Reader& subject) {
    subject.open();
    subject.choice_index("kind", {"User", "Group", "ServiceAccount"}, Need::kRequired);
    subject.text("name", {.need = Need::kRequired, .min = 1});
  });
  return {};
}

Anything read_webhooks(Reader& root) {
  root.open();
  root.each("webhooks", {}, [](Reader& hook) {
    hook.open();
    hook.text("name", {.need = Need::kRequired, .min = 1});
    Reader client(hook, "clientConfig", Need::kRequired);
    client.open();
    hook.choice_index("sideEffects", {"None", "NoneOnDryRun", "Some", "Unknown"}, Need::kRequired);
    hook.texts("admissionReviewVersions", {.min = 1, .need = Need::kRequired});
  });
  return {};
}

Anything read_storage_class(Reader& root) {
  root.open();
  root.text("provisioner", {.need = Need::kRequired, .min = 1});
  return {};
}

template <auto read>
void check(const Json& document, Findings& findings) {
  check_document(document, findings, read);
}

void set_binding_defaults(Json& document) {
  Defaults root(document);
  root.at("roleRef").set("apiGroup", kRbac);
  root.each("subjects", [](Defaults subject) {
    if (subject.text("kind") != "ServiceAccount") subject.set("apiGroup", kRbac);
  });
}

void keep_role(const Json& before, const Json& after, std::vector<Error>& errors) {
  const Json* was = find(before, "roleRef");
  const Json* is = find(after, "roleRef");
  if (was == nullptr || is == nullptr || *was == *is) return;
  errors.push_back(
      {Code::kInvalid, "roleRef", "cannot change roleRef; delete the binding and create it again"});
}

void set_webhook_defaults(Json& document) {
  Defaults(document).each("webhooks", [](Defaults hook) {
    hook.set("failurePolicy", "Fail");
    hook.set("matchPolicy", "Equivalent");
    hook.set("timeoutSeconds", std::int64_t{10});
    hook.make("namespaceSelector");
    hook.make("objectSelector");
    hook.each("rules", [](Defaults rule) { rule.set("scope", "*"); });
  });
}

void set_storage_class_defaults(Json& document) {
  Defaults root(document);
  root.set("reclaimPolicy", "Delete");
  root.set("volumeBindingMode", "Immediate");
}

Kind role_kind(std::string_view kind, std::string_view plural, std::string_view singular, bool namespaced) {
  return {.group = kRbac,
          .kind = kind,
          .plural = plural,
          .singular = singular,
          .versions = {"v1"},
          .short_names = {},
          .namespaced = namespaced,
          .has_status = false,
          .validate = check<read_rules>};
}

Kind binding_kind(std::string_view kind, std::string_view plural, std::string_view singular,
                  bool namespaced) {
  Kind made = role_kind(kind, plural, singular, namespaced);
  made.set_defaults = set_binding_defaults;
  made.validate = check<read_binding>;
  made.validate_update = keep_role;
  return made;
}

Kind admission_kind(std::string_view kind, std::string_view plural, std::string_view singular) {
  const bool webhook = kind.ends_with("WebhookConfiguration");
  return {.group = kAdmission,
          .kind = kind,
          .plural = plural,
          .singular = singular,
          .versions = {"v1"},
          .short_names = {},
          .namespaced = false,
          .has_status = kind == "ValidatingAdmissionPolicy",
          .set_defaults = webhook ? set_webhook_defaults : nullptr,
          .validate = webhook ? check<read_webhooks> : check<read_open>};
}

Kind open_kind(std::string_view group, std::string_view kind, std::string_view plural,
               std::string_view singular, std::vector<std::string_view> short_names) {
  return {.group = group,
          .kind = kind,
          .plural = plural,
          .singular = singular,
          .versions = {"v1"},
          .short_names = std::move(short_names),
          .validate = check<read_open>};
}

Kind storage_class_kind() {
  Kind made = open_kind("storage.k8s.io", "StorageClass", "storageclasses", "storageclass", {"sc"});
  made.namespaced = false;
  made.has_status = false;
  made.set_defaults = set_storage_class_defaults;
  made.validate = check<read_storage_class>;
  return made;
}

Kind api_service_kind() {
  Kind made = open_kind("apiregistration.k8s.io", "APIService", "apiservices", "apiservice", {});
  made.namespaced = false;
  return made;
}

Kind network_policy_kind() {
  Kind made = open_kind("networking.k8s.io", "NetworkPolicy", "networkpolicies", "networkpolicy", {"netpol"});
  made.has_status = false;
  return made;
}

Kind limit_range_kind() {
  Kind made = open_kind("", "LimitRange", "limitranges", "limitrange", {"limits"});
  made.has_status = false;
  return made;
}

}  // namespace

std::vector<Kind> installed_kinds() {
  return {
      custom_resource_definition_kind(),
      role_kind("Role", "roles", "role", true),
      binding_kind("RoleBinding", "rolebindings", "rolebinding", true),
      role_kind("ClusterRole", "clusterroles", "clusterrole", false),
      binding_kind("ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", false),
      admission_kind("ValidatingWebhookConfiguration", "validatingwebhookconfigurations",
                     "validatingwebhookconfiguration"),
      admission_kind("MutatingWebhookConfiguration", "mutatingwebhookconfigurations",
                     "mutatingwebhookconfiguration"),
      admission_kind("ValidatingAdmissionPolicy", "validatingadmissionpolicies", "validatingadmissionpolicy"),
      admission_kind("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings",
                     "validatingadmissionpolicybinding"),
      api_service_kind(),
      storage_class_kind(),
      network_policy_kind(),
      open_kind("", "ResourceQuota", "resourcequotas", "resourcequota", {"quota"}),
      limit_range_kind()};
}

std::string_view kept_only(const Kind& kind) {
  if (kind.group == kRbac)
    return "access rules are kept and not asked: whoever bears the token may do everything";
  if (kind.group == kAdmission) return "is kept and not called: objects are admitted by built-in rules alone";
  if (kind.kind == "APIService") return "is kept and not called: only built-in groups are served";
  if (kind.kind == "NetworkPolicy") return "is kept and not enforced: pods here are processes of one machine";
  if (kind.kind == "ResourceQuota" || kind.kind == "LimitRange") return "is kept and not enforced";
  return {};
}

}  // namespace tidegate::resource
