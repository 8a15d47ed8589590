// tidegate apply: brings objects to what manifests say. Everything is checked before anything is sent.

#include "cluster/apply.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/manifests.h"
#include "cli/targets.h"
#include "cli/verbs.h"
#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::cli {
namespace {

struct Options {
  ServerFlags server;
  std::vector<std::string> paths;
};

struct Item {
  const resource::Kind* kind;
  const resource::Document* document;
  resource::Json json;  // with its namespace, else as written: defaults are the server's to set
};

// Puts the namespace in, and finds what is wrong without the server.
std::optional<Item> prepare(const resource::Document& document, const std::string& namespace_, bool forced,
                            std::vector<std::string>& errors) {
  const auto kind = resource::kind_of(*document.json);
  if (!kind) {
    errors.push_back(resource::locate(document, kind.error()));
    return std::nullopt;
  }
  Item item{*kind, &document, *document.json};
  const std::string written = resource::text(item.json, "metadata.namespace");
  if ((*kind)->namespaced && forced && !written.empty() && written != namespace_) {
    errors.push_back(resource::locate(
        document, {Code::kInvalid, "metadata.namespace",
                   "is '" + written + "', but -n says '" + namespace_ + "'; leave one of them out"}));
  }
  const auto metadata = item.json.find("metadata");
  if ((*kind)->namespaced && written.empty() && metadata != item.json.end() && metadata->is_object())
    (*metadata)["namespace"] = namespace_;
  for (std::string& fault : faults_of(document, **kind, item.json)) errors.push_back(std::move(fault));
  return item;
}

std::string name_of(const Item& item) {
  std::string title(item.kind->singular);
  if (!item.kind->group.empty()) title += "." + std::string(item.kind->group);
  return title + "/" + resource::text(item.json, "metadata.name");
}

int apply_all(Server& server, const std::vector<Item>& items) {
  int status = 0;
  for (const Item& item : items) {
    const auto applied = cluster::apply(server.client(), *item.kind, item.json);
    if (!applied) {
      std::cerr << resource::locate(*item.document, applied.error()) << '\n';
      status = 1;
      continue;
    }
    constexpr const char* kWords[] = {"created", "configured", "unchanged"};
    std::cout << name_of(item) << ' ' << kWords[static_cast<int>(applied->what)] << std::endl;
  }
  return status;
}

int run_apply(const Options& options) {
  const Manifests manifests = read_manifests(options.paths);
  std::vector<std::string> errors = manifests.errors;
  const auto server = Server::reach(options.server);
  if (!server) return report("apply", server.error());
  std::vector<Item> items;
  for (const resource::Document& document : manifests.documents) {
    auto item = prepare(document, (*server)->namespace_(), !options.server.namespace_.empty(), errors);
    if (item) items.push_back(*std::move(item));
  }
  for (const std::string& error : errors) std::cerr << error << '\n';
  if (!errors.empty()) {
    std::cerr << "nothing was applied\n";
    return 1;
  }
  if (items.empty()) return report("apply", {Code::kInvalid, "", "the files hold no objects"});
  return apply_all(**server, items);
}

}  // namespace

void add_apply(Command app, int& status) {
  Command verb = app.add_subcommand("apply", "Brings objects of an API server to what manifests say");
  auto options = std::make_shared<Options>();
  verb.add_option("-f,--filename", options->paths, "File or folder of manifests, - for standard input")
      .required();
  add_server_flags(verb, options->server, Namespaces::kOne);
  verb.callback([options, &status] { status = run_apply(*options); });
}

}  // namespace tidegate::cli
