// The file behind a Storage: one row per object in an SQLite database, and the last revision that was given.
//
// A commit is on the disk when it returns (write-ahead log, synced at every commit). The file belongs to one
// process at a time. It is looked through when it is opened, and every row carries a checksum: a file that is
// damaged, of a newer format or none of ours is refused as a whole and left as it is.
//
// Damage inside the last few commits of the log of a process that was killed looks, to SQLite, like a commit
// that never finished; a home that ended in good order has none.
//
// Thread: one at a time. Source: SQLite, "Write-Ahead Logging", "PRAGMA Statements".

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cluster/client.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tidegate::cluster {

struct Row {
  std::string kind;  // "apps/Deployment", "Pod"
  Key key;
  std::uint64_t revision = 0;
  std::string document;            // JSON; its metadata.resourceVersion counts for nothing, `revision` does
  std::uint32_t document_sum = 0;  // text_checksum(document)
  bool erased = false;             // commit() removes the row
};

// Of a document, for its row. Apart from it, so that whoever writes can make it and the one thread that
// commits need not.
std::uint32_t text_checksum(std::string_view text);

class Database {
 public:
  // Makes the file if there is none. Errors, each saying what to do: kInvalid: damaged, of a newer format, or
  // no database of ours; kConflict: another process uses it; kUnavailable: it cannot be read or written.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // The highest revision that was ever committed; 0 in a new file.
  std::uint64_t revision() const { return revision_; }

  // Everything. Errors: kInvalid: a row is damaged; kUnavailable.
  Result<std::vector<Row>> load();

  // Writes all rows, or none, and remembers `revision`. Errors: kUnavailable: the disk is full or cannot be
  // written, or the file was taken away. Nothing is known to have changed, and the next commit may succeed.
  Result<void> commit(std::span<const Row> rows, std::uint64_t revision);

  const std::filesystem::path& file() const { return file_; }

 private:
  explicit Database(std::filesystem::path file) : file_(std::move(file)) {}

  Result<void> prepare();
  Result<void> check_format();
  Result<void> check_pages();
  Result<void> read_revision();
  Result<void> run(const char* sql);
  Result<void> write(std::span<const Row> rows, std::uint64_t revision);
  Result<void> step(sqlite3_stmt* statement);
  Result<std::int64_t> number(const char* sql);
  // What SQLite last complained of, for people.
  tl::unexpected<Error> complaint(int code) const;
  tl::unexpected<Error> damaged(const std::string& what) const;

  const std::filesystem::path file_;
  sqlite3* handle_ = nullptr;
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
  sqlite3_stmt* erase_ = nullptr;
  sqlite3_stmt* remember_ = nullptr;
  std::uint64_t revision_ = 0;
};

}  // namespace tidegate::cluster
