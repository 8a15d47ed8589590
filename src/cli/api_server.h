// The API server over a store of this process, with its keys and the kubeconfig that leads to it.
//
// Thread: one; see ApiServer.

#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "cluster/apiserver/server.h"
#include "cluster/store/store.h"

namespace tidegate::cli {

struct ApiPlace {
  std::filesystem::path data_dir;  // keys in DIR/pki; DIR/kubeconfig is written
  std::string bind = "127.0.0.1";
  int port = 6443;
  bool port_given = false;  // else another one will do where it is taken
};

struct ServedApi {
  std::unique_ptr<apiserver::ApiServer> server;
  std::string address;  // "https://127.0.0.1:6443"
};

// `say` is told what is not as asked. The store and the clock must outlive the server.
// Errors: those of open_access() and of binding.
Result<ServedApi> serve_api(cluster::Store& store, const Clock& clock, const ApiPlace& place,
                            cluster::Kubelet kubelet, const std::function<void(const std::string&)>& say);

}  // namespace tidegate::cli
