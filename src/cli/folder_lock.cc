#include "cli/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

namespace tidegate::cli {

FolderLock::~FolderLock() {
  if (fd_ >= 0) close(fd_);
}

Result<void> FolderLock::take(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Code::kInternal, "cannot make " + folder.string() + ": " + error.message());
  const std::filesystem::path file = folder / "lock";
  fd_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd_ < 0)
    return fail(Code::kInternal, "cannot write in " + folder.string() + ": " + std::strerror(errno));
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    char holder[32]{};
    const ssize_t size = read(fd_, holder, sizeof holder - 1);
    return fail(Code::kConflict, folder.string() + " is in use by another tidegate" +
                                     (size > 0 ? " (pid " + std::string(holder) + ")" : std::string()) +
                                     "; stop it, or give this one its own --data folder");
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(fd_, 0) != 0 || write(fd_, pid.data(), pid.size()) < 0) return {};  // only for people
  return {};
}

}  // namespace tidegate::cli
