// PersistentVolume and PersistentVolumeClaim: storage that outlives pods, models above all.
//
// Of a volume only what finds it is read: hostPath and local are folders of this machine; a CSI source (OSS,
// NAS and the like) is accepted and named, and a home is told where its data is with --claim NAME=DIR.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes core/v1; Alibaba Cloud CSI (ossplugin.csi.alibabacloud.com,
// nasplugin.csi.alibabacloud.com).

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "resource/kind.h"
#include "resource/object.h"
#include "resource/reader.h"
#include "resource/selector.h"

namespace tidegate::resource {

struct PersistentVolume {
  enum class Source { kHostPath, kLocal, kNfs, kCsi, kOther };

  Metadata metadata;
  Source source = Source::kOther;
  std::string path;    // of hostPath and local
  std::string driver;  // of CSI
  Quantity storage;
  std::vector<std::string> access_modes;
  std::string storage_class;
  std::string reclaim_policy = "Retain";
  std::string claim_namespace;  // spec.claimRef; empty: free
  std::string claim_name;
  std::string claim_uid;

  // Errors: kInvalid with the field.
  static Result<PersistentVolume> from(const Object& object);
};

struct PersistentVolumeClaim {
  Metadata metadata;
  Quantity storage;  // requested
  std::vector<std::string> access_modes;
  std::optional<std::string> storage_class;  // absent: the default one; "": none
  std::optional<LabelSelector> selector;     // of volumes
  std::string volume;                        // spec.volumeName; empty until bound
  std::string phase;                         // "Pending", "Bound", "Lost"

  // Errors: kInvalid with the field.
  static Result<PersistentVolumeClaim> from(const Object& object);
};

Kind persistent_volume_kind();
Kind persistent_volume_claim_kind();

}  // namespace tidegate::resource
