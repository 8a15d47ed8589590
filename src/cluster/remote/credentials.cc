#include "cluster/remote/credentials.h"

#include <fstream>

#include "base/ascii.h"
#include "cluster/remote/exec_plugin.h"

namespace tidegate::remote {
namespace {

constexpr Duration kTokenFileAge = std::chrono::minutes(1);  // as client-go
constexpr Duration kPluginPatience = std::chrono::seconds(30);
constexpr Duration kBeforeExpiry = std::chrono::seconds(10);
constexpr std::size_t kTokenMax = 64 * 1024;

Result<std::string> read_token(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text(kTokenMax, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  std::string token(ascii::trim(text));
  if (token.empty()) return fail(Code::kUnauthorized, "there is no token in " + file.string());
  for (const char c : token) {
    if (c <= 32 || c >= 127) return fail(Code::kUnauthorized, file.string() + " holds no token");
  }
  return token;
}

}  // namespace

Credentials::Credentials(const Access& access, const Clock& clock)
    : clock_(clock), token_file_(access.token_file), exec_(access.exec) {
  current_.token = access.token;
  current_.certificate = access.certificate;
}

Result<Credential> Credentials::get() {
  const std::lock_guard lock(mutex_);
  const bool expired = !expires_.empty() && rfc3339(clock_.wall() + kBeforeExpiry) >= expires_;
  if (!fresh_ || expired || clock_.now() >= read_again_) {
    const bool had_one = fresh_;
    if (const auto done = refresh(); !done) {
      // A token file that is being replaced is no reason to forget the token.
      if (!had_one || expired) return tl::unexpected(done.error());
    }
  }
  return current_;
}

Result<void> Credentials::refresh() {
  if (!token_file_.empty()) {
    auto token = read_token(token_file_);
    if (!token) return tl::unexpected(token.error());
    current_.token = *std::move(token);
    read_again_ = clock_.now() + kTokenFileAge;
  } else if (exec_) {
    auto credential = run_exec_plugin(*exec_, kPluginPatience);
    if (!credential) return tl::unexpected(credential.error());
    current_.token = std::move(credential->token);
    if (credential->certificate) current_.certificate = std::move(credential->certificate);
    expires_ = std::move(credential->expires);
  }
  fresh_ = true;
  return {};
}

bool Credentials::renew(const Credential& refused) {
  const std::lock_guard lock(mutex_);
  if (token_file_.empty() && !exec_) return false;
  if (refused.token == current_.token) fresh_ = false;
  return true;
}

}  // namespace tidegate::remote
