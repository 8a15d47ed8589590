#include "cli/manifests.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "cluster/schema/fields.h"

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

std::optional<std::string> content_of(const fs::path& file) {
  if (file == "-") return std::string{std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream stream(file, std::ios::binary);
  if (!stream.is_open()) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

Manifests read_manifests(const std::vector<std::string>& paths) {
  Manifests result;
  for (const std::string& path : paths) {
    const auto files = manifests_in(path);
    if (files.empty()) result.errors.push_back(path + ": holds no *.yaml, *.yml or *.json");
    for (const fs::path& file : files) {
      ++result.files;
      const auto text = content_of(file);
      if (!text) {
        result.errors.push_back(file.string() + ": cannot be read");
        continue;
      }
      auto documents = resource::parse_documents(file == "-" ? "standard input" : file.string(), *text);
      if (!documents) {
        result.errors.push_back(documents.error().message);
        continue;
      }
      std::move(documents->begin(), documents->end(), std::back_inserter(result.documents));
    }
  }
  return result;
}

std::vector<std::string> faults_of(const resource::Document& document, const resource::Kind& kind,
                                   resource::Json json) {
  std::vector<std::string> faults;
  for (const Error& error : schema::unknown_fields(kind, json)) {
    faults.push_back(resource::locate(document, error));
  }
  for (const Error& error : resource::admit(kind, json)) faults.push_back(resource::locate(document, error));
  return faults;
}

}  // namespace tidegate::cli
