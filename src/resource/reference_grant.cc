#include "resource/reference_grant.h"

#include "resource/gateway.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

ReferenceGrant read(Reader& root) {
  ReferenceGrant grant;
  Reader spec(root, "spec", Need::kRequired);
  spec.each("from", {.min = 1, .max = 16, .need = Need::kRequired}, [&](Reader& item) {
    grant.from.push_back({item.text("group", {.max = 253}),
                          item.text("kind", {.need = Need::kRequired, .syntax = kind_name}),
                          item.text("namespace", {.need = Need::kRequired, .syntax = dns_label})});
  });
  spec.each("to", {.min = 1, .max = 16, .need = Need::kRequired}, [&](Reader& item) {
    grant.to.push_back({item.text("group", {.max = 253}),
                        item.text("kind", {.need = Need::kRequired, .syntax = kind_name}),
                        item.text("name", {.max = 253})});
  });
  return grant;
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

}  // namespace

Result<ReferenceGrant> ReferenceGrant::from_object(const Object& object) {
  return read_view(object.json(), read);
}

Kind reference_grant_kind() {
  return {.group = kGatewayApiGroup,
          .kind = "ReferenceGrant",
          .plural = "referencegrants",
          .singular = "referencegrant",
          .versions = {"v1beta1", "v1"},
          .short_names = {"refgrant"},
          .has_status = false,
          .validate = validate};
}

}  // namespace tidegate::resource
