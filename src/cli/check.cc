// tidegate check: are these manifests right? Offline; the same reading, defaults and validation as everywhere
// else.

#include "cli/check.h"

#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/manifests.h"
#include "cli/verbs.h"
#include "resource/fields.h"
#include "resource/kind.h"
#include "resource/yaml.h"

namespace tidegate::cli {
namespace {

// The same object written down twice would fight with itself.
std::string identity(const resource::Kind& kind, const resource::Json& document) {
  return std::string(kind.group) + "/" + std::string(kind.kind) + "/" +
         resource::text(document, "metadata.namespace") + "/" + resource::text(document, "metadata.name");
}

void check_document(const resource::Document& document, std::map<std::string, std::string>& seen,
                    CheckResult& result) {
  ++result.documents;
  const auto kind = resource::kind_of(*document.json);
  if (!kind) {
    result.errors.push_back(resource::locate(document, kind.error()));
    return;
  }
  for (std::string& fault : faults_of(document, **kind, *document.json)) {
    result.errors.push_back(std::move(fault));
  }
  resource::Json copy = *document.json;
  resource::admit(**kind, copy);  // for the namespace that it gets
  const std::string where = document.file + ":" + std::to_string(document.line());
  const auto [first, fresh] = seen.emplace(identity(**kind, copy), where);
  if (!fresh) {
    result.errors.push_back(where + ": " + resource::title_of(copy) +
                            ": is written down twice; the first is at " + first->second);
  }
}

int run_check(const std::vector<std::string>& paths, bool quiet) {
  const CheckResult result = check_manifests(paths);
  for (const std::string& error : result.errors) std::cout << error << '\n';
  if (!quiet) {
    std::cout << result.documents << " objects in " << result.files << " files, " << result.errors.size()
              << (result.errors.size() == 1 ? " error\n" : " errors\n");
  }
  return result.errors.empty() ? 0 : 1;
}

}  // namespace

CheckResult check_manifests(const std::vector<std::string>& paths) {
  Manifests manifests = read_manifests(paths);
  CheckResult result;
  result.files = manifests.files;
  result.errors = std::move(manifests.errors);
  std::map<std::string, std::string> seen;
  for (const resource::Document& document : manifests.documents) check_document(document, seen, result);
  return result;
}

void add_check(Command app, int& status) {
  Command verb =
      app.add_subcommand("check", "Check manifests offline; prints every error with its file and line");
  struct Options {
    std::vector<std::string> paths;
    bool quiet = false;
  };
  auto options = std::make_shared<Options>();
  verb.add_option("PATH", options->paths, "Manifest files or directories").required().existing_path();
  verb.add_flag("-q,--quiet", options->quiet, "Print errors only");
  verb.callback([options, &status] { status = run_check(options->paths, options->quiet); });
}

}  // namespace tidegate::cli
