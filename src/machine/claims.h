// Which folder of this machine a PersistentVolumeClaim stands for.
//
// What the user named with --claim NAME=DIR comes first. Otherwise the claim's bound PersistentVolume says it,
// if that is a folder (hostPath, local); storage that somebody else would mount (OSS, NAS and other CSI
// drivers, NFS) is not mounted here, and the message says so.
//
// Thread: where the client may be asked; it may block.

#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "cluster/client.h"

namespace tidegate::machine {

using Claims = std::map<std::string, std::string>;  // claim name -> folder

// Errors: kNotFound with what is missing, in the words of `kubectl describe pod`.
using ClaimLookup = std::function<Result<std::filesystem::path>(const std::string& claim)>;

// The claims of one namespace. Keeps references to both.
ClaimLookup claims_in(cluster::Client& client, const Claims& folders, std::string namespace_);

}  // namespace tidegate::machine
