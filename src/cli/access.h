// Who may speak to the embedded API server, and how: the keys under DIR/pki and DIR/kubeconfig.
//
// Made on first start and kept: an authority of this home, a certificate of the server that it signed (made
// anew before it runs out), and a token that a request must bear. All of it has mode 0600.
//
// Thread: the main thread.

#pragma once

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "net/certificate.h"

namespace tidegate::cli {

struct Access {
  std::string authority_pem;  // whom clients must trust
  net::KeyPair server;
  std::string token;
};

// Reads `folder`, or makes what is missing there. `addresses`: where the server will be reached.
// Errors: kInternal if the folder cannot be written; kInvalid if what lies there cannot be read.
Result<Access> open_access(const std::filesystem::path& folder, const std::vector<std::string>& addresses,
                           WallTime now);

// What kubectl needs. `server`: "https://127.0.0.1:6443".
std::string kubeconfig_text(const Access& access, const std::string& server);

// Replaces `file` in one step, with mode 0600. Errors: kInternal.
Result<void> write_private(const std::filesystem::path& file, const std::string& text);

}  // namespace tidegate::cli
