// Where an API server is and how to speak with it: out of a kubeconfig file, or from inside a pod.
//
//   Result<Access> access = read_kubeconfig("/home/me/.kube/config");
//   Result<Access> access = in_cluster();
//
// Certificates and keys named by path are read here; a token's file is read again by whoever sends it
// (credentials.h), because Kubernetes renews it. Paths are relative to the kubeconfig's own folder.
//
// Proxies (proxy-url), auth-provider and passwords are not supported and refused with a message.
//
// Thread: any.
// Source: k8s.io client-go tools/clientcmd/api/v1; client.authentication.k8s.io/v1.

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/certificate.h"

namespace tidegate::remote {

// A program that prints credentials.
struct ExecPlugin {
  std::string api_version;  // client.authentication.k8s.io/v1 or v1beta1
  std::string command;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;  // besides ours
  std::string install_hint;
};

struct Access {
  std::string host;  // without brackets
  std::uint16_t port = 443;
  std::string base_path;  // "" or "/a/b"
  bool tls = true;
  std::string server_name;      // what the certificate must name; empty: host
  std::string authorities_pem;  // empty: the system's
  bool trust_anyone = false;

  std::optional<net::KeyPair> certificate;
  std::string token;
  std::filesystem::path token_file;  // instead of token
  std::optional<ExecPlugin> exec;

  std::string namespace_ = "default";  // where a user who says nothing means
  std::string title;                   // for messages: "context prod of /home/me/.kube/config"
};

// `context` empty: the file's current one. Errors: kNotFound, kInvalid; the message names the file and the
// field.
Result<Access> read_kubeconfig(const std::filesystem::path& file, std::string_view context = {});

// The same from text; `folder` is what paths are relative to.
Result<Access> parse_kubeconfig(std::string_view file, std::string_view text,
                                const std::filesystem::path& folder, std::string_view context = {});

// What Kubernetes puts into a pod: KUBERNETES_SERVICE_HOST and _PORT, and the service account's files under
// `folder`. Errors: kNotFound outside a pod.
Result<Access> in_cluster(
    const std::filesystem::path& folder = "/var/run/secrets/kubernetes.io/serviceaccount");

}  // namespace tidegate::remote
