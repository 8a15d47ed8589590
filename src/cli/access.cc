#include "cli/access.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "base/base64.h"
#include "base/random.h"

namespace tidegate::cli {
namespace {

namespace fs = std::filesystem;

constexpr Duration kAuthorityLives = std::chrono::hours(24 * 3650);
constexpr Duration kServerLives = std::chrono::hours(24 * 365);
constexpr Duration kRenewBefore = std::chrono::hours(24 * 30);
constexpr std::size_t kTokenBytes = 32;

tl::unexpected<Error> cannot_write(const fs::path& file) {
  return fail(Code::kInternal, "cannot write " + file.string() + ": " + std::strerror(errno));
}

// Empty if there is no such file.
std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string new_token() {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string token;
  for (const char c : secure_bytes(kTokenBytes)) {
    token += kHex[static_cast<unsigned char>(c) >> 4];
    token += kHex[static_cast<unsigned char>(c) & 15];
  }
  return token;
}

Result<void> write_pair(const fs::path& folder, const std::string& name, const net::KeyPair& pair) {
  // The key first: a certificate without its key would be taken for a whole pair.
  if (auto written = write_private(folder / (name + ".key"), pair.key_pem); !written) return written;
  return write_private(folder / (name + ".crt"), pair.certificate_pem);
}

net::KeyPair read_pair(const fs::path& folder, const std::string& name) {
  return {read_file(folder / (name + ".crt")), read_file(folder / (name + ".key"))};
}

Result<net::KeyPair> open_authority(const fs::path& folder, WallTime now) {
  net::KeyPair pair = read_pair(folder, "ca");
  if (!pair.certificate_pem.empty()) {
    const auto facts = net::read_certificate(pair.certificate_pem);
    if (!facts || pair.key_pem.empty()) {
      return fail(Code::kInvalid, "the authority in " + folder.string() +
                                      " cannot be read; remove that folder to have a new one made");
    }
    if (facts->not_after > now + kRenewBefore) return pair;
  }
  auto made = net::make_authority("tidegate", now, kAuthorityLives);
  if (!made) return made;
  if (auto written = write_pair(folder, "ca", *made); !written) return tl::unexpected(written.error());
  // What the old authority signed is of no use any more.
  std::error_code ignored;
  fs::remove(folder / "apiserver.crt", ignored);
  return made;
}

Result<net::KeyPair> open_server(const fs::path& folder, const net::KeyPair& authority,
                                 const std::vector<std::string>& names, WallTime now) {
  net::KeyPair pair = read_pair(folder, "apiserver");
  const auto facts = net::read_certificate(pair.certificate_pem);
  const bool holds = facts && !pair.key_pem.empty() && facts->not_after > now + kRenewBefore &&
                     std::all_of(names.begin(), names.end(),
                                 [&](const std::string& name) { return net::covers(*facts, name); });
  if (holds) return pair;
  auto made = net::issue_server(authority, names, now, kServerLives);
  if (!made) return made;
  if (auto written = write_pair(folder, "apiserver", *made); !written) return tl::unexpected(written.error());
  return made;
}

Result<std::string> open_token(const fs::path& file) {
  std::string token = read_file(file);
  while (!token.empty() && (token.back() == '\n' || token.back() == ' ')) token.pop_back();
  if (!token.empty()) return token;
  token = new_token();
  if (auto written = write_private(file, token + "\n"); !written) return tl::unexpected(written.error());
  return token;
}

}  // namespace

Result<void> write_private(const fs::path& file, const std::string& text) {
  const fs::path fresh = file.string() + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return cannot_write(fresh);
  const bool whole = fchmod(fd, 0600) == 0 &&
                     write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                     fsync(fd) == 0;
  close(fd);
  if (!whole || std::rename(fresh.c_str(), file.c_str()) != 0) return cannot_write(file);
  return {};
}

Result<Access> open_access(const fs::path& folder, const std::vector<std::string>& addresses, WallTime now) {
  std::error_code error;
  fs::create_directories(folder, error);
  fs::permissions(folder, fs::perms::owner_all, error);
  if (error) return fail(Code::kInternal, "cannot make " + folder.string() + ": " + error.message());
  std::vector<std::string> names = {"localhost", "127.0.0.1", "kubernetes", "kubernetes.default.svc"};
  for (const std::string& address : addresses) {
    if (std::find(names.begin(), names.end(), address) == names.end()) names.push_back(address);
  }
  const auto authority = open_authority(folder, now);
  if (!authority) return tl::unexpected(authority.error());
  auto server = open_server(folder, *authority, names, now);
  if (!server) return tl::unexpected(server.error());
  auto token = open_token(folder / "token");
  if (!token) return tl::unexpected(token.error());
  return Access{authority->certificate_pem, *std::move(server), *std::move(token)};
}

std::string kubeconfig_text(const Access& access, const std::string& server) {
  return "apiVersion: v1\n"
         "kind: Config\n"
         "clusters:\n"
         "- name: tidegate\n"
         "  cluster:\n"
         "    server: " +
         server +
         "\n"
         "    certificate-authority-data: " +
         base64::encode(access.authority_pem) +
         "\n"
         "users:\n"
         "- name: tidegate-admin\n"
         "  user:\n"
         "    token: " +
         access.token +
         "\n"
         "contexts:\n"
         "- name: tidegate\n"
         "  context:\n"
         "    cluster: tidegate\n"
         "    user: tidegate-admin\n"
         "current-context: tidegate\n";
}

}  // namespace tidegate::cli
