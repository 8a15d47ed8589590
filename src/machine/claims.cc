#include "machine/claims.h"

#include "resource/kind.h"
#include "resource/persistent_volume.h"

namespace tidegate::machine {
namespace {

using resource::PersistentVolume;
using resource::PersistentVolumeClaim;

std::string title(const std::string& claim) { return "persistentvolumeclaim \"" + claim + "\""; }

tl::unexpected<Error> missing(const std::string& claim, const std::string& what, const std::string& instead) {
  return fail(Code::kNotFound,
              title(claim) + " " + what + "; " + instead + "start with --claim " + claim + "=DIR");
}

std::string storage_of(const PersistentVolume& volume) {
  if (volume.source == PersistentVolume::Source::kCsi) return "the driver " + volume.driver;
  if (volume.source == PersistentVolume::Source::kNfs) return "NFS";
  return "storage of a kind";
}

}  // namespace

ClaimLookup claims_in(cluster::Client& client, const Claims& folders, std::string namespace_) {
  return [&client, &folders, namespace_ = std::move(namespace_)](
             const std::string& name) -> Result<std::filesystem::path> {
    const auto named = folders.find(name);
    if (named != folders.end()) return std::filesystem::path(named->second);

    const auto object =
        client.get(*resource::find_kind("v1", "PersistentVolumeClaim"), {namespace_, name});
    if (!object) return missing(name, "not found", "create it, or ");
    const auto claim = PersistentVolumeClaim::from(**object);
    if (!claim) return tl::unexpected(claim.error());
    if (claim->phase == "Lost") return missing(name, "has lost its PersistentVolume", "");
    if (claim->phase != "Bound") {
      return missing(name, "is not bound yet", "create a PersistentVolume that fits it, or ");
    }
    const auto held = client.get(*resource::find_kind("v1", "PersistentVolume"), {"", claim->volume});
    if (!held) return missing(name, "has lost its PersistentVolume", "");
    const auto volume = PersistentVolume::from(**held);
    if (!volume) return tl::unexpected(volume.error());
    if (volume->path.empty()) {
      return missing(name, "is bound to " + storage_of(*volume) + " that this machine does not mount", "");
    }
    return std::filesystem::path(volume->path);
  };
}

}  // namespace tidegate::machine
