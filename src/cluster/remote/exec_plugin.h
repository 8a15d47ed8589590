// Runs a kubeconfig's exec plugin and reads what it prints.
//
// It gets no terminal and no input, and may take `patience`; then it is killed, with whatever it started.
//
// Thread: any; blocks. Source: client.authentication.k8s.io/v1 ExecCredential.

#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/remote/kubeconfig.h"
#include "net/certificate.h"

namespace tidegate::remote {

struct ExecCredential {
  std::string token;
  std::optional<net::KeyPair> certificate;
  std::string expires;  // RFC 3339 in UTC; empty: not before the server refuses it
};

// Errors: kUnauthorized, with what the user can do.
Result<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, Duration patience);

}  // namespace tidegate::remote
