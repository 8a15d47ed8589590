#include "resource/persistent_volume.h"

#include "resource/defaults.h"

namespace tidegate::resource {
namespace {

constexpr ListRule kModes = {.max = 4};

Quantity storage_in(Reader& parent, std::string_view field) {
  const auto amounts = parent.quantities(field);
  const auto found = amounts.find("storage");
  return found == amounts.end() ? Quantity{} : found->second;
}

void check_modes(Reader& spec, const std::vector<std::string>& modes) {
  for (const std::string& mode : modes) {
    if (mode != "ReadWriteOnce" && mode != "ReadOnlyMany" && mode != "ReadWriteMany" &&
        mode != "ReadWriteOncePod") {
      spec.wrong("accessModes", "has \"" + mode.substr(0, 50) +
                                    "\"; use ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod");
    }
  }
}

void read_source(Reader& spec, PersistentVolume& volume) {
  using Source = PersistentVolume::Source;
  for (const auto& [field, source] : {std::pair("hostPath", Source::kHostPath), {"local", Source::kLocal}}) {
    if (!spec.has(field)) continue;
    Reader place(spec, field);
    place.open();
    volume.source = source;
    volume.path = place.text("path", {.need = Need::kRequired, .min = 1});
  }
  if (spec.has("csi")) {
    Reader csi(spec, "csi");
    csi.open();
    volume.source = Source::kCsi;
    volume.driver = csi.text("driver", {.need = Need::kRequired, .min = 1});
    csi.text("volumeHandle", {.need = Need::kRequired, .min = 1});
  }
  if (spec.has("nfs")) {
    Reader nfs(spec, "nfs");
    nfs.open();
    volume.source = Source::kNfs;
    nfs.text("server", {.need = Need::kRequired});
    nfs.text("path", {.need = Need::kRequired});
  }
}

PersistentVolume read_volume(Reader& root) {
  PersistentVolume volume;
  Reader spec(root, "spec", Need::kRequired);
  spec.open();
  volume.storage = storage_in(spec, "capacity");
  volume.access_modes = spec.texts("accessModes", kModes);
  check_modes(spec, volume.access_modes);
  volume.storage_class = spec.text("storageClassName");
  static const std::vector<std::string_view> kPolicies = {"Retain", "Delete", "Recycle"};
  const int policy = spec.choice_index("persistentVolumeReclaimPolicy", kPolicies);
  if (policy >= 0) volume.reclaim_policy = kPolicies[static_cast<std::size_t>(policy)];
  read_source(spec, volume);
  Reader claim(spec, "claimRef");
  claim.open();
  volume.claim_namespace = claim.text("namespace");
  volume.claim_name = claim.text("name");
  volume.claim_uid = claim.text("uid");
  return volume;
}

PersistentVolumeClaim read_claim(Reader& root) {
  PersistentVolumeClaim claim;
  {
    Reader spec(root, "spec", Need::kRequired);
    spec.open();
    claim.access_modes = spec.texts("accessModes", kModes);
    check_modes(spec, claim.access_modes);
    {
      Reader resources(spec, "resources");
      resources.open();
      claim.storage = storage_in(resources, "requests");
    }
    if (spec.has("storageClassName")) claim.storage_class = spec.text("storageClassName");
    if (spec.has("selector")) claim.selector = read_selector(spec, "selector");
    claim.volume = spec.text("volumeName");
  }
  Reader status(root, "status");
  status.open();
  claim.phase = status.text("phase");
  return claim;
}

void check_volume(const Json& document, Findings& findings) {
  check_document(document, findings, read_volume);
}
void check_claim(const Json& document, Findings& findings) {
  check_document(document, findings, read_claim);
}

void set_volume_defaults(Json& document) {
  Defaults root(document);
  Defaults spec = root.at("spec");
  spec.set("persistentVolumeReclaimPolicy", "Retain");
  spec.set("volumeMode", "Filesystem");
  root.make("status").set("phase", "Pending");
}

void set_claim_defaults(Json& document) {
  Defaults root(document);
  root.at("spec").set("volumeMode", "Filesystem");
  root.make("status").set("phase", "Pending");
}

template <typename View>
Result<View> with_metadata(const Object& object, View (*read)(Reader&)) {
  auto view = read_view(object.json(), read);
  if (view) view->metadata = object.metadata();
  return view;
}

}  // namespace

Result<PersistentVolume> PersistentVolume::from(const Object& object) {
  return with_metadata(object, read_volume);
}
Result<PersistentVolumeClaim> PersistentVolumeClaim::from(const Object& object) {
  return with_metadata(object, read_claim);
}

Kind persistent_volume_kind() {
  return {.group = "",
          .kind = "PersistentVolume",
          .plural = "persistentvolumes",
          .singular = "persistentvolume",
          .versions = {"v1"},
          .short_names = {"pv"},
          .namespaced = false,
          .set_defaults = set_volume_defaults,
          .validate = check_volume};
}

Kind persistent_volume_claim_kind() {
  return {.group = "",
          .kind = "PersistentVolumeClaim",
          .plural = "persistentvolumeclaims",
          .singular = "persistentvolumeclaim",
          .versions = {"v1"},
          .short_names = {"pvc"},
          .set_defaults = set_claim_defaults,
          .validate = check_claim};
}

}  // namespace tidegate::resource
