// tidegate check: are these manifests right? Offline; the same reading, defaults and validation as everywhere
// else.

#include "cli/check.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/verbs.h"
#include "resource/fields.h"
#include "resource/kind.h"
#include "resource/yaml.h"

namespace tidegate::cli {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> manifests_in(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    const std::string extension = entry.path().extension().string();
    const bool hidden = entry.path().filename().string().starts_with(".");
    if (!hidden && (extension == ".yaml" || extension == ".yml" || extension == ".json"))
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

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
  resource::Json copy = *document.json;
  for (const Error& error : resource::admit(**kind, copy)) {
    result.errors.push_back(resource::locate(document, error));
  }
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
  CheckResult result;
  std::map<std::string, std::string> seen;
  for (const std::string& path : paths) {
    const auto files = manifests_in(path);
    if (files.empty()) result.errors.push_back(path + ": holds no *.yaml, *.yml or *.json");
    for (const fs::path& file : files) {
      ++result.files;
      std::ifstream stream(file, std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(stream), {}};
      if (!stream.is_open()) {
        result.errors.push_back(file.string() + ": cannot be read");
        continue;
      }
      const auto documents = resource::parse_documents(file.string(), text);
      if (!documents) {
        result.errors.push_back(documents.error().message);
        continue;
      }
      for (const resource::Document& document : *documents) check_document(document, seen, result);
    }
  }
  return result;
}

void add_check(CLI::App& app, int& status) {
  CLI::App* verb =
      app.add_subcommand("check", "Check manifests offline; prints every error with its file and line");
  struct Options {
    std::vector<std::string> paths;
    bool quiet = false;
  };
  auto options = std::make_shared<Options>();
  verb->add_option("PATH", options->paths, "Manifest files or directories")
      ->required()
      ->check(CLI::ExistingPath);
  verb->add_flag("-q,--quiet", options->quiet, "Print errors only");
  verb->callback([options, &status] { status = run_check(options->paths, options->quiet); });
}

}  // namespace tidegate::cli
