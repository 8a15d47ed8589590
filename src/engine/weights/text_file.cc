#include "engine/weights/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tidegate::weights {

Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int why = errno;
    const Code code = why == ENOENT || why == ENOTDIR ? Code::kNotFound : Code::kInvalid;
    return fail(code, std::string("cannot be opened: ") + std::strerror(why), path);
  }
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } closer{fd};
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(Code::kInvalid, "is not a regular file", path);
  }
  if (static_cast<std::size_t>(status.st_size) > bytes_max) {
    return fail(Code::kTooLarge,
                "has " + std::to_string(status.st_size) + " bytes; at most " + std::to_string(bytes_max) +
                    " are read",
                path);
  }
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(fd, text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Code::kInternal, std::string("cannot be read: ") + std::strerror(errno), path);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

Result<std::optional<std::string>> read_optional_file(const std::string& path, std::size_t bytes_max) {
  auto text = read_text_file(path, bytes_max);
  if (text) return std::optional(std::move(*text));
  if (text.error().code == Code::kNotFound) return std::nullopt;
  return tl::unexpected(std::move(text.error()));
}

}  // namespace tidegate::weights
