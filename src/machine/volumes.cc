#include "machine/volumes.h"

#include <algorithm>
#include <fstream>
#include <system_error>

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;
using Source = resource::Volume::Source;

// Keys and item paths come from objects: they must stay inside the volume.
bool stays_inside(const std::string& path) {
  const fs::path parsed(path);
  return !path.empty() && parsed.is_relative() &&
         std::none_of(parsed.begin(), parsed.end(), [](const fs::path& part) { return part == ".."; });
}

Result<void> write_file(const fs::path& path, const std::string& content, bool secret) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  // Readers must never see half a file, and a reader that watches sees one change.
  const fs::path fresh = path.string() + ".new";
  std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
  if (secret) fs::permissions(fresh, fs::perms::owner_read | fs::perms::owner_write, error);
  file << content;
  file.close();
  fs::rename(fresh, path, error);
  if (!file || error) return fail(Code::kInternal, "cannot write " + path.string());
  return {};
}

Result<void> write_data(const resource::Volume& volume, const fs::path& folder, const DataLookup& lookup) {
  const bool secret = volume.source == Source::kSecret;
  const auto data = lookup(secret, volume.ref);
  const std::string title = std::string(secret ? "secret" : "configmap") + " \"" + volume.ref + "\"";
  if (!data) {
    if (volume.optional) return {};
    return fail(Code::kNotFound,
                "MountVolume.SetUp failed for volume \"" + volume.name + "\": " + title + " not found");
  }
  if (volume.items.empty()) {
    for (const auto& [key, value] : *data) {
      if (!stays_inside(key)) continue;
      if (auto written = write_file(folder / key, value, secret); !written) return written;
    }
    return {};
  }
  for (const resource::KeyToPath& item : volume.items) {
    const auto found = data->find(item.key);
    if (!stays_inside(item.path) || (found == data->end() && !volume.optional)) {
      return fail(Code::kNotFound,
                  title + " has no key \"" + item.key + "\" for volume \"" + volume.name + "\"");
    }
    if (found == data->end()) continue;
    if (auto written = write_file(folder / item.path, found->second, secret); !written) return written;
  }
  return {};
}

Result<fs::path> prepare(const resource::Volume& volume, const fs::path& pod_dir, const ClaimLookup& claims,
                         const DataLookup& lookup) {
  const fs::path folder = pod_dir / "volumes" / volume.name;
  std::error_code error;
  switch (volume.source) {
    case Source::kHostPath:
      return fs::path(volume.ref);
    case Source::kClaim:
      return claims(volume.ref);
    case Source::kConfigMap:
    case Source::kSecret:
      fs::create_directories(folder, error);
      if (auto written = write_data(volume, folder, lookup); !written) return tl::unexpected(written.error());
      return folder;
    case Source::kEmptyDir:
    case Source::kOther:  // projected tokens and the like: there, and empty
      fs::create_directories(folder, error);
      if (error) return fail(Code::kInternal, "cannot make " + folder.string() + ": " + error.message());
      return folder;
  }
  return folder;
}

}  // namespace

Result<PathMap> prepare_volumes(const PodPlan& pod, const resource::Container& container,
                                const fs::path& pod_dir, const ClaimLookup& claims, const DataLookup& lookup) {
  PathMap mounts;
  for (const resource::VolumeMount& mount : container.mounts) {
    const auto volume =
        std::find_if(pod.volumes.begin(), pod.volumes.end(),
                     [&](const resource::Volume& candidate) { return candidate.name == mount.name; });
    if (volume == pod.volumes.end()) {
      return fail(Code::kNotFound, "volume mount \"" + mount.name + "\" names no volume of the pod");
    }
    auto folder = prepare(*volume, pod_dir, claims, lookup);
    if (!folder) return tl::unexpected(folder.error());
    const bool below = !mount.sub_path.empty() && stays_inside(mount.sub_path);
    mounts[mount.path] = (below ? *folder / mount.sub_path : *folder).string();
  }
  return mounts;
}

}  // namespace tidegate::machine
