#include "cluster/remote/exec_plugin.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::remote {
namespace {

using resource::Json;

constexpr std::size_t kOutputMax = 1024 * 1024;

Error refused(const ExecPlugin& plugin, const std::string& why) {
  std::string message = "the credential plugin " + plugin.command + " " + why;
  if (!plugin.install_hint.empty()) message += "; " + plugin.install_hint;
  return {Code::kUnauthorized, "", message};
}

std::vector<std::string> environment_of(const ExecPlugin& plugin) {
  std::vector<std::string> variables;
  for (char** each = environ; *each; ++each) {
    const std::string_view variable = *each;
    const std::string name(variable.substr(0, variable.find('=')));
    if (!plugin.environment.contains(name) && name != "KUBERNETES_EXEC_INFO")
      variables.emplace_back(variable);
  }
  for (const auto& [name, value] : plugin.environment) variables.push_back(name + "=" + value);
  const Json info{
      {"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", {{"interactive", false}}}};
  variables.push_back("KUBERNETES_EXEC_INFO=" + resource::to_text(info));
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Starts the program in a process group of its own, its output into `output`.
Result<pid_t> start(const ExecPlugin& plugin, int output) {
  std::vector<std::string> arguments = {plugin.command};
  arguments.insert(arguments.end(), plugin.arguments.begin(), plugin.arguments.end());
  std::vector<std::string> variables = environment_of(plugin);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // Our own thread may hold signals back for its signalfd; the plugin shall not.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, plugin.command.c_str(), &actions, &attributes,
                                 pointers(arguments).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0)
    return tl::unexpected(refused(plugin, std::string("cannot be run: ") + std::strerror(error)));
  return pid;
}

// Everything until the end; empty if it takes too long or prints too much.
std::optional<std::string> read_all(int fd, TimePoint deadline) {
  std::string text;
  while (text.size() <= kOutputMax) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{fd, POLLIN, 0};
    const int ready = left.count() <= 0 ? 0 : poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready == 0) return std::nullopt;
    if (ready < 0 && errno == EINTR) continue;
    char buffer[4096];
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got == 0) return text;
    if (got < 0 && errno != EINTR) return std::nullopt;
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
  }
  return std::nullopt;
}

Result<ExecCredential> read_credential(const ExecPlugin& plugin, const std::string& text) {
  const auto parsed = resource::parse_json(text);
  if (!parsed || resource::text(*parsed, "kind") != "ExecCredential") {
    return tl::unexpected(refused(plugin, "prints no ExecCredential"));
  }
  ExecCredential credential;
  credential.token = resource::text(*parsed, "status.token");
  const std::string certificate = resource::text(*parsed, "status.clientCertificateData");
  const std::string key = resource::text(*parsed, "status.clientKeyData");
  if (!certificate.empty() && !key.empty()) credential.certificate = net::KeyPair{certificate, key};
  credential.expires = resource::text(*parsed, "status.expirationTimestamp");
  if (credential.token.empty() && !credential.certificate) {
    return tl::unexpected(refused(plugin, "gives neither a token nor a client certificate"));
  }
  return credential;
}

}  // namespace

Result<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, Duration patience) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return tl::unexpected(refused(plugin, "cannot be run: no descriptors left"));
  const auto pid = start(plugin, ends[1]);
  close(ends[1]);
  if (!pid) {
    close(ends[0]);
    return tl::unexpected(pid.error());
  }
  const auto output = read_all(ends[0], std::chrono::steady_clock::now() + patience);
  close(ends[0]);
  if (!output) kill(-*pid, SIGKILL);
  int status = 0;
  while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!output) return tl::unexpected(refused(plugin, "did not finish in time, or printed more than 1 MiB"));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return tl::unexpected(refused(plugin, "failed; run it by hand to see why"));
  }
  return read_credential(plugin, *output);
}

}  // namespace tidegate::remote
