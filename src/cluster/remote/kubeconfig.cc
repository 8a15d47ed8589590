#include "cluster/remote/kubeconfig.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "base/base64.h"
#include "resource/fields.h"
#include "resource/yaml.h"

namespace tidegate::remote {
namespace {

namespace fs = std::filesystem;
using resource::Json;

constexpr std::size_t kFileBytesMax = 1024 * 1024;

Result<std::string> read_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return fail(Code::kInvalid, path.string() + " is a folder; name a file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    return fail(Code::kNotFound, "cannot read " + path.string() + "; check that it is there and yours");
  std::string text(kFileBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kFileBytesMax) return fail(Code::kTooLarge, path.string() + " is larger than 1 MiB");
  return text;
}

// One kubeconfig under way: the document, and how to speak of it.
class Reader {
 public:
  Reader(std::string_view file, const Json& document, fs::path folder)
      : file_(file), document_(document), folder_(std::move(folder)) {}

  Result<Access> read(std::string_view wanted);

 private:
  // The entry of a list of {name, <member>}; its content.
  Result<const Json*> entry(const char* list, const char* member, const std::string& name);
  Result<void> read_cluster(const Json& cluster, const std::string& field);
  Result<void> read_server(const std::string& url, const std::string& field);
  Result<void> read_user(const Json& user, const std::string& field);
  Result<void> read_exec(const Json& exec, const std::string& field);
  // NAME-data (base64) before NAME (a path); empty if neither is there.
  Result<std::string> data_or_file(const Json& from, const std::string& name, const std::string& field);
  fs::path resolve(const std::string& path) const { return folder_ / path; }

  std::string file_;
  const Json& document_;
  fs::path folder_;
  Access access_;
};

Result<const Json*> Reader::entry(const char* list, const char* member, const std::string& name) {
  const Json* entries = resource::find_array(document_, list);
  std::string known;
  if (entries) {
    for (const Json& each : *entries) {
      const std::string its_name = resource::text(each, "name");
      if (its_name == name) {
        const Json* content = resource::find(each, member);
        static const Json kNothing = Json::object();
        return content && content->is_object() ? content : &kNothing;
      }
      known += (known.empty() ? "" : ", ") + its_name;
    }
  }
  return invalid(list, "has no entry named \"" + name + "\"" + (known.empty() ? "" : "; there are " + known));
}

Result<Access> Reader::read(std::string_view wanted) {
  std::string name(wanted);
  if (name.empty()) name = resource::text(document_, "current-context");
  if (name.empty()) return invalid("current-context", "is not set; set it, or say which context to use");
  const auto context = entry("contexts", "context", name);
  if (!context) return tl::unexpected(context.error());
  const auto cluster = entry("clusters", "cluster", resource::text(**context, "cluster"));
  if (!cluster) return tl::unexpected(cluster.error());
  if (const auto read =
          read_cluster(**cluster, "clusters[" + resource::text(**context, "cluster") + "].cluster");
      !read) {
    return tl::unexpected(read.error());
  }
  if (const std::string who = resource::text(**context, "user"); !who.empty()) {
    const auto user = entry("users", "user", who);
    if (!user) return tl::unexpected(user.error());
    if (const auto read = read_user(**user, "users[" + who + "].user"); !read)
      return tl::unexpected(read.error());
  }
  access_.namespace_ = resource::text(**context, "namespace", "default");
  access_.title = "context " + name + " of " + file_;
  return access_;
}

Result<void> Reader::read_cluster(const Json& cluster, const std::string& field) {
  if (const auto read = read_server(resource::text(cluster, "server"), field + ".server"); !read) return read;
  if (!resource::text(cluster, "proxy-url").empty()) {
    return invalid(field + ".proxy-url", "is not supported; give the server's own address");
  }
  access_.server_name = resource::text(cluster, "tls-server-name");
  access_.trust_anyone = resource::flag(cluster, "insecure-skip-tls-verify");
  auto authorities = data_or_file(cluster, "certificate-authority", field);
  if (!authorities) return tl::unexpected(authorities.error());
  access_.authorities_pem = *std::move(authorities);
  if (access_.trust_anyone && !access_.authorities_pem.empty()) {
    return invalid(field, "has both certificate-authority and insecure-skip-tls-verify; leave one out");
  }
  return {};
}

Result<void> Reader::read_server(const std::string& url, const std::string& field) {
  const auto wrong = [&](const std::string& why) {
    return invalid(field, "is \"" + url + "\": " + why + "; use https://HOST:PORT");
  };
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    access_.tls = false;
    access_.port = 80;
  } else {
    return wrong("no https:// in front");
  }
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) access_.base_path = rest.substr(slash);
  while (access_.base_path.ends_with('/')) access_.base_path.pop_back();
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return wrong("a bracket is missing");
    access_.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return wrong("something stands behind the address");
    if (!port.empty()) port.remove_prefix(1);
  } else {
    const std::size_t colon = authority.find(':');
    access_.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
  }
  const bool plain = std::all_of(access_.host.begin(), access_.host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '_' || c == '%';
  });
  if (access_.host.empty() || !plain) return wrong("no host name");
  if (port.empty()) return {};
  unsigned number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9' || number > 65535) return wrong("the port is no number");
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (number == 0 || number > 65535) return wrong("ports are 1 to 65535");
  access_.port = static_cast<std::uint16_t>(number);
  return {};
}

Result<void> Reader::read_user(const Json& user, const std::string& field) {
  if (resource::find(user, "auth-provider")) {
    return invalid(field + ".auth-provider", "is not supported; use exec, a token or a client certificate");
  }
  if (!resource::text(user, "username").empty()) {
    return invalid(field + ".username",
                   "is not supported by Kubernetes any more; use a token or a client certificate");
  }
  auto certificate = data_or_file(user, "client-certificate", field);
  if (!certificate) return tl::unexpected(certificate.error());
  auto key = data_or_file(user, "client-key", field);
  if (!key) return tl::unexpected(key.error());
  if (certificate->empty() != key->empty()) {
    return invalid(field, certificate->empty() ? "has client-key without client-certificate"
                                               : "has client-certificate without client-key");
  }
  if (!certificate->empty()) access_.certificate = net::KeyPair{*std::move(certificate), *std::move(key)};
  access_.token = resource::text(user, "token");
  if (const std::string path = resource::text(user, "tokenFile"); !path.empty())
    access_.token_file = resolve(path);
  const bool clean =
      std::all_of(access_.token.begin(), access_.token.end(), [](char c) { return c > 32 && c < 127; });
  if (!clean) return invalid(field + ".token", "has characters that no token has");
  if (const Json* exec = resource::find(user, "exec")) return read_exec(*exec, field + ".exec");
  return {};
}

Result<void> Reader::read_exec(const Json& exec, const std::string& field) {
  ExecPlugin plugin;
  plugin.api_version = resource::text(exec, "apiVersion");
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return invalid(field + ".apiVersion",
                   "is \"" + plugin.api_version + "\"; use client.authentication.k8s.io/v1 or v1beta1");
  }
  plugin.command = resource::text(exec, "command");
  if (plugin.command.empty()) return invalid(field + ".command", "is missing; name the program to run");
  // As everywhere: a name is looked up in PATH, a path is the file's own.
  if (plugin.command.find('/') != std::string::npos) plugin.command = resolve(plugin.command).string();
  plugin.install_hint = resource::text(exec, "installHint");
  if (const Json* arguments = resource::find_array(exec, "args")) {
    for (const Json& argument : *arguments) {
      if (!argument.is_string())
        return invalid(field + ".args", "has an entry that is no text; put it in quotes");
      plugin.arguments.push_back(argument.get<std::string>());
    }
  }
  if (const Json* variables = resource::find_array(exec, "env")) {
    for (const Json& variable : *variables) {
      plugin.environment[resource::text(variable, "name")] = resource::text(variable, "value");
    }
  }
  access_.exec = std::move(plugin);
  return {};
}

Result<std::string> Reader::data_or_file(const Json& from, const std::string& name,
                                         const std::string& field) {
  const std::string data = resource::text(from, name + "-data");
  if (!data.empty()) {
    auto decoded = base64::decode(data);
    if (!decoded) return invalid(field + "." + name + "-data", "is not base64");
    return *std::move(decoded);
  }
  const std::string path = resource::text(from, name);
  if (path.empty()) return std::string();
  auto text = read_file(resolve(path));
  if (!text) return invalid(field + "." + name, text.error().message);
  return text;
}

}  // namespace

Result<Access> parse_kubeconfig(std::string_view file, std::string_view text, const fs::path& folder,
                                std::string_view context) {
  const auto documents = resource::parse_documents(file, text);
  if (!documents) return tl::unexpected(documents.error());
  if (documents->size() != 1)
    return fail(Code::kInvalid, std::string(file) + ": is no kubeconfig: give one YAML document");
  const resource::Document& document = documents->front();
  auto access = Reader(file, *document.json, folder).read(context);
  if (!access) {
    const Error& error = access.error();
    return fail(error.code, std::string(file) + ": " + describe(error));
  }
  return access;
}

Result<Access> read_kubeconfig(const fs::path& file, std::string_view context) {
  const auto text = read_file(file);
  if (!text) return tl::unexpected(text.error());
  return parse_kubeconfig(file.string(), *text, file.parent_path(), context);
}

Result<Access> in_cluster(const fs::path& folder) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (!host || !port || !*host || !*port) {
    return fail(Code::kNotFound,
                "this is no pod of a cluster (KUBERNETES_SERVICE_HOST is not set); give --kubeconfig FILE");
  }
  auto authorities = read_file(folder / "ca.crt");
  if (!authorities) return tl::unexpected(authorities.error());
  if (const auto token = read_file(folder / "token"); !token) {
    return fail(Code::kNotFound,
                token.error().message + "; the pod needs automountServiceAccountToken: true");
  }
  Access access;
  access.host = host;
  const unsigned long number = std::strtoul(port, nullptr, 10);
  if (number == 0 || number > 65535) return fail(Code::kInvalid, "KUBERNETES_SERVICE_PORT is no port");
  access.port = static_cast<std::uint16_t>(number);
  access.authorities_pem = *std::move(authorities);
  access.token_file = folder / "token";
  if (const auto mine = read_file(folder / "namespace"); mine && !mine->empty())
    access.namespace_ = ascii::trim(*mine);
  access.title = "the cluster this pod runs in";
  return access;
}

}  // namespace tidegate::remote
