#include "cluster/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cluster/apply.h"
#include "cluster/file_watch.h"
#include "cluster/schema/fields.h"
#include "resource/json.h"

namespace tidegate::cluster {
namespace {

namespace fs = std::filesystem;

bool is_manifest(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::string extension = path.extension().string();
  return !name.starts_with('.') && (extension == ".yaml" || extension == ".yml" || extension == ".json");
}

// Errors: kNotFound, kTooLarge, kUnavailable.
Result<std::string> read_file(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int reason = errno;
    return fail(reason == ENOENT ? Code::kNotFound : Code::kUnavailable,
                std::string("cannot be read: ") + std::strerror(reason));
  }
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  } closer{fd};
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(Code::kUnavailable, "is no regular file; name a file or a directory");
  }
  std::string content;
  std::string buffer(64 * 1024, '\0');
  while (true) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Code::kUnavailable, std::string("cannot be read: ") + std::strerror(errno));
    if (count == 0) return content;
    content.append(buffer, 0, static_cast<std::size_t>(count));
    if (content.size() > resource::kFileBytesMax) {
      return fail(Code::kTooLarge,
                  "has more than " + std::to_string(resource::kFileBytesMax) + " bytes; split it");
    }
  }
}

fs::path full_path(const fs::path& path) {
  std::error_code error;
  fs::path result = fs::absolute(path, error).lexically_normal();
  return error ? path : result;
}

// Whether trying again without a change of the document may help.
bool may_pass(Code code) {
  switch (code) {
    case Code::kInvalid:
    case Code::kTooLarge:
      return false;
    case Code::kUnauthorized:
    case Code::kForbidden:
    case Code::kNotFound:  // a namespace that is still to come
    case Code::kConflict:
    case Code::kGone:
    case Code::kExhausted:
    case Code::kUnavailable:
    case Code::kDeadline:
    case Code::kCancelled:
    case Code::kInternal:
      return true;
  }
  return true;
}

std::string origin_of(const resource::Object& object) {
  const auto& annotations = object.metadata().annotations;
  const auto found = annotations.find(std::string(kOriginAnnotation));
  return found == annotations.end() ? std::string() : found->second;
}

}  // namespace

FileSource::FileSource(Client& client, const Clock& clock, std::vector<fs::path> paths, FileOptions options)
    : client_(client), clock_(clock), paths_(std::move(paths)), options_(std::move(options)) {}

void FileSource::look_again(FileReport& report, TimePoint when) const {
  if (!report.look_again || *report.look_again > when) report.look_again = when;
}

void FileSource::tell(File& file, std::set<std::string>& problems, std::string problem, FileReport& report) {
  const bool known = file.problems.contains(problem);
  const bool fresh = problems.insert(problem).second;
  if (!known && fresh) report.errors.push_back(std::move(problem));
}

// The files that are there now, and those that were there before: they may have been removed.
std::vector<fs::path> FileSource::find_files(FileReport& report) {
  std::set<fs::path> found;
  std::set<std::string> problems;
  const auto problem = [&](const fs::path& path, const std::string& text) {
    const std::string message = path.string() + ": " + text;
    problems.insert(message);
    if (!path_problems_.contains(message)) report.errors.push_back(message);
  };
  for (const fs::path& path : paths_) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      const fs::path file = full_path(path);
      if (!fs::exists(path, error) && !files_.contains(file)) {
        problem(path, "there is no such file or directory");
        continue;
      }
      files_[file].shown = path.string();
      found.insert(file);
      continue;
    }
    for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
      std::error_code ignored;
      if (!is_manifest(at->path()) || at->is_directory(ignored)) continue;
      const fs::path file = full_path(at->path());
      files_[file].shown = at->path().string();
      found.insert(file);
    }
    if (error) problem(path, "cannot be listed: " + error.message());
  }
  path_problems_ = std::move(problems);
  for (const auto& [file, state] : files_) found.insert(file);
  return {found.begin(), found.end()};
}

FileReport FileSource::sync_once() {
  FileReport report;
  for (const fs::path& path : find_files(report)) look_at(path, files_.at(path), report);
  if (!adopted_) adopt_orphans(report);
  // A file without entries that is gone needs no memory.
  std::erase_if(files_, [](const auto& item) {
    std::error_code error;
    return item.second.entries.empty() && !fs::exists(item.first, error);
  });
  return report;
}

void FileSource::look_at(const fs::path& path, File& file, FileReport& report) {
  const std::string origin = path.string();
  const auto content = read_file(path);
  if (!content) {
    std::set<std::string> problems;
    if (content.error().code == Code::kNotFound) {
      file.content.clear();
      take(origin, file, {}, report);
    } else {
      tell(file, problems, file.shown + ": " + content.error().message, report);
      file.problems = std::move(problems);
    }
    return;
  }
  const std::string content_digest = digest(Json(*content));
  if (content_digest == file.content && !file.unsettled) {
    remove_missing(origin, file, report);
    return;
  }
  file.content = content_digest;
  auto documents = resource::parse_documents(file.shown, *content);
  if (!documents) {
    std::set<std::string> problems;
    tell(file, problems, documents.error().message, report);
    file.problems = std::move(problems);
    file.unsettled = false;
    file.doubtful = true;
    return;
  }
  take(origin, file, *std::move(documents), report);
}

FileSource::File* FileSource::other_file(const std::string& origin, const Id& id, bool applied) {
  for (auto& [path, file] : files_) {
    if (path == origin) continue;
    const auto found = file.entries.find(id);
    const bool has_applied = found != file.entries.end() && !found->second.missing_since;
    if (applied ? has_applied : file.named.contains(id)) return &file;
  }
  return nullptr;
}

// Which object a document is about, and what admission has to say about it. Empty if that cannot be told.
std::optional<FileSource::Id> FileSource::identify(const resource::Document& document,
                                                   std::vector<Error>& errors) {
  const auto kind = resource::kind_of(*document.json);
  if (!kind) {
    errors.push_back(kind.error());
    return {};
  }
  Json admitted = *document.json;
  errors = resource::admit(**kind, admitted);
  const auto object = resource::Object::make(std::move(admitted));
  if (!object) {
    if (errors.empty()) errors.push_back(object.error());
    return {};
  }
  if ((*object)->name().empty()) {
    if (errors.empty()) {
      errors.push_back({Code::kInvalid, "metadata.name", "is missing; objects in files need a name"});
    }
    return {};
  }
  return Id{*kind, key_of(**object)};
}

void FileSource::take(const std::string& origin, File& file, std::vector<resource::Document> documents,
                      FileReport& report) {
  std::set<std::string> problems;
  std::set<Id> present;
  const bool was_doubtful = file.doubtful;
  file.unsettled = false;
  file.doubtful = false;
  file.named.clear();
  // Namespaces first: what follows may live in them.
  std::stable_sort(documents.begin(), documents.end(), [](const auto& a, const auto& b) {
    const auto is_space = [](const resource::Document& document) {
      return document.json->value("kind", Json()) == "Namespace";
    };
    return is_space(a) && !is_space(b);
  });
  for (const resource::Document& document : documents) {
    std::vector<Error> errors;
    const std::optional<Id> id = identify(document, errors);
    if (!id) {
      file.doubtful = true;
    } else if (!present.insert(*id).second) {
      errors = {{Code::kInvalid, {}, "stands in this file for the second time; the first one counts"}};
    } else if (const File* other = other_file(origin, *id, true)) {
      errors = {{Code::kInvalid, {}, "is in " + other->shown + " too; that one counts, keep one of them"}};
      present.erase(*id);
    }
    for (const Error& error : errors) tell(file, problems, locate(document, error), report);
    if (!id) continue;
    file.named.insert(*id);
    // A document that is refused still keeps the object that an earlier one made.
    if (present.contains(*id)) {
      if (const auto known = file.entries.find(*id); known != file.entries.end())
        known->second.missing_since.reset();
    }
    if (!errors.empty()) continue;
    Entry& entry = file.entries[*id];
    if (!apply_document(origin, file, *id, entry, document, problems, report)) file.unsettled = true;
  }
  for (auto& [id, entry] : file.entries) {
    if (!present.contains(id) && (!entry.missing_since || was_doubtful)) entry.missing_since = clock_.now();
  }
  if (file.unsettled) look_again(report, clock_.now() + options_.retry);
  file.problems = std::move(problems);
  remove_missing(origin, file, report);
}

// Returns false if it should be tried again.
bool FileSource::apply_document(const std::string& origin, File& file, const Id& id, Entry& entry,
                                const resource::Document& document, std::set<std::string>& problems,
                                FileReport& report) {
  std::string wanted = digest(*document.json);
  if (entry.settled && entry.digest == wanted) return true;
  entry.digest = std::move(wanted);
  entry.settled = true;
  // The field that was meant would be missing: better the last good state than half of a new one.
  const std::vector<Error> unknown = schema::unknown_fields(*id.kind, *document.json);
  for (const Error& error : unknown) tell(file, problems, locate(document, error), report);
  if (!unknown.empty()) return true;
  const auto applied = apply(client_, *id.kind, *document.json, {.origin = origin, .once = true});
  if (!applied) {
    tell(file, problems, locate(document, applied.error()), report);
    entry.settled = !may_pass(applied.error().code);
    return entry.settled;
  }
  switch (applied->what) {
    case Applied::kCreated:
      ++report.created;
      break;
    case Applied::kConfigured:
      ++report.configured;
      break;
    case Applied::kUnchanged:
      ++report.unchanged;
      break;
  }
  return true;
}

void FileSource::remove_missing(const std::string& origin, File& file, FileReport& report) {
  if (file.doubtful) return;
  for (auto at = file.entries.begin(); at != file.entries.end();) {
    const auto& [id, entry] = *at;
    if (!entry.missing_since) {
      ++at;
      continue;
    }
    const TimePoint due = *entry.missing_since + options_.removal_grace;
    if (clock_.now() < due) {
      look_again(report, due);
      ++at;
      continue;
    }
    if (File* heir = other_file(origin, id, false)) {
      heir->unsettled = true;
      look_again(report, clock_.now());
      at = file.entries.erase(at);
      continue;
    }
    const auto current = client_.get(*id.kind, id.key);
    // Somebody else's by now: made anew by hand, or moved to another file.
    const bool ours = current && origin_of(**current) == origin;
    if (ours) {
      const auto removed = client_.remove(*id.kind, id.key);
      if (!removed && removed.error().code != Code::kNotFound && may_pass(removed.error().code) &&
          removed.error().code != Code::kForbidden) {
        look_again(report, clock_.now() + options_.retry);
        ++at;
        continue;
      }
      if (removed) ++report.removed;
    } else if (!current && current.error().code != Code::kNotFound) {
      look_again(report, clock_.now() + options_.retry);
      ++at;
      continue;
    }
    at = file.entries.erase(at);
  }
}

// At the first look: objects that an earlier run applied from these files and that are in them no more. Files
// outside the given paths are none of our business.
void FileSource::adopt_orphans(FileReport& report) {
  std::set<fs::path> directories;
  for (const fs::path& path : paths_) {
    std::error_code error;
    if (fs::is_directory(path, error)) directories.insert(full_path(path));
  }
  for (const Kind& kind : resource::kinds()) {
    const auto listed = client_.list(kind);
    if (!listed) {
      // The cluster does not serve this kind, or is away: then the next look tries again.
      if (listed.error().code != Code::kNotFound) {
        look_again(report, clock_.now() + options_.retry);
        return;
      }
      continue;
    }
    for (const ObjectPtr& object : listed->items) {
      const fs::path origin = origin_of(*object);
      if (origin.empty()) continue;
      const auto known = files_.find(origin);
      const bool file_is_ours = known != files_.end() || directories.contains(origin.parent_path());
      if (!file_is_ours) continue;
      const Id id{&kind, key_of(*object)};
      File& file = files_[origin];
      if (file.shown.empty()) file.shown = origin.string();
      std::error_code error;
      if (!fs::exists(origin, error)) file.doubtful = false;
      if (file.named.contains(id) || file.entries.contains(id)) continue;
      file.entries[id].missing_since = clock_.now();
      look_again(report, clock_.now() + options_.removal_grace);
    }
  }
  adopted_ = true;
}

void FileSource::run(const std::stop_token& stop) {
  FileWatch watch;
  while (!stop.stop_requested()) {
    std::set<fs::path> directories;
    for (const fs::path& path : paths_) {
      std::error_code error;
      directories.insert(fs::is_directory(path, error) ? full_path(path) : full_path(path).parent_path());
    }
    const bool told = watch.arm(directories);
    const FileReport report = sync_once();
    const bool something = report.created + report.configured + report.removed > 0 || !report.errors.empty();
    if (something && options_.on_report) options_.on_report(report);
    // Where nobody tells of changes, looking often has to do.
    Duration timeout =
        told ? options_.poll : std::min<Duration>(options_.poll, std::chrono::milliseconds(200));
    if (report.look_again)
      timeout = std::clamp<Duration>(*report.look_again - clock_.now(), Duration::zero(), timeout);
    watch.wait(timeout, options_.settle, stop);
  }
}

}  // namespace tidegate::cluster
