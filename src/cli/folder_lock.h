// Holds a data folder for this process: two of them over one store would each know half. The kernel lets go
// of it however the process ends.
//
// Thread: one.

#pragma once

#include <filesystem>

#include "base/result.h"

namespace tidegate::cli {

class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Makes the folder if it is not there. Errors: kInternal if it cannot be written; kConflict, with who holds
  // it.
  Result<void> take(const std::filesystem::path& folder);

 private:
  int fd_ = -1;
};

}  // namespace tidegate::cli
