// Manifests in files and directories as a source of objects: applied at the start and whenever they change.
//
// A document is applied when its content differs from what was applied last (its digest is kept in the
// object), so edits made through the API survive a restart and last until the file changes. An object that
// disappears from its file is removed, but only if it came from there and only after it has stayed away for a
// moment: editors empty, rename and rewrite files. A file that cannot be parsed changes nothing; a document
// that is refused leaves its object as it was and does not hold up the others.
//
// In a directory, the files named *.yaml, *.yml and *.json count; those whose names begin with a dot do not,
// and directories inside are not entered.
//
// Thread: one thread calls; the callbacks run on it.

#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cluster/client.h"
#include "resource/yaml.h"

namespace tidegate::cluster {

struct FileReport {
  int created = 0;
  int configured = 0;
  int unchanged = 0;  // looked at because a file changed, and as wanted already
  int removed = 0;
  // New problems, each with its place: "pool.yaml:14: InferencePool default/p: spec.selector is missing;
  // ...". A problem that persists is told once.
  std::vector<std::string> errors;
  // When something waits for another look: an absence to be confirmed, a cluster that was away.
  std::optional<TimePoint> look_again;
};

struct FileOptions {
  Duration poll = std::chrono::seconds(2);  // between looks when nothing tells of changes
  Duration settle = std::chrono::milliseconds(30);
  Duration removal_grace = std::chrono::milliseconds(150);
  Duration retry = std::chrono::seconds(1);          // after the cluster refused for a reason that may pass
  std::function<void(const FileReport&)> on_report;  // after each look that did or found something
};

class FileSource {
 public:
  // The client and the clock must outlive it.
  FileSource(Client& client, const Clock& clock, std::vector<std::filesystem::path> paths,
             FileOptions options = {});

  // Looks once and applies what is new.
  FileReport sync_once();

  // Looks, and again at every change, until asked to stop.
  void run(const std::stop_token& stop);

 private:
  struct Id {
    const Kind* kind;
    Key key;
    auto operator<=>(const Id&) const = default;
  };
  // What is known of one object of a file.
  struct Entry {
    std::string digest;                      // of the document handled last
    bool settled = false;                    // nothing to do until the document changes
    std::optional<TimePoint> missing_since;  // not in the file any more
  };
  struct File {
    std::string shown;    // its name in messages
    std::string content;  // digest of what was handled last; empty: nothing
    bool unsettled = false;
    // Something in it could not be read or named, so nothing may be concluded from what seems to be missing.
    bool doubtful = true;
    std::set<Id> named;              // by its documents, even by those that were refused
    std::map<Id, Entry> entries;     // applied from it
    std::set<std::string> problems;  // told already
  };

  std::vector<std::filesystem::path> find_files(FileReport& report);
  void look_at(const std::filesystem::path& path, File& file, FileReport& report);
  static std::optional<Id> identify(const resource::Document& document, std::vector<Error>& errors);
  void take(const std::string& origin, File& file, std::vector<resource::Document> documents,
            FileReport& report);
  bool apply_document(const std::string& origin, File& file, const Id& id, Entry& entry,
                      const resource::Document& document, std::set<std::string>& problems,
                      FileReport& report);
  void remove_missing(const std::string& origin, File& file, FileReport& report);
  void adopt_orphans(FileReport& report);
  void tell(File& file, std::set<std::string>& problems, std::string problem, FileReport& report);
  void look_again(FileReport& report, TimePoint when) const;
  // Another file that names an object; with `applied`, one that has applied it. Null if there is none.
  File* other_file(const std::string& origin, const Id& id, bool applied);

  Client& client_;
  const Clock& clock_;
  const std::vector<std::filesystem::path> paths_;
  const FileOptions options_;
  std::map<std::filesystem::path, File> files_;  // by absolute path
  std::set<std::string> path_problems_;          // told already
  bool adopted_ = false;
};

}  // namespace tidegate::cluster
