#include "cluster/store/database.h"

#include <sqlite3.h>
#include <zlib.h>

#include <algorithm>
#include <utility>

namespace tidegate::cluster {
namespace {

constexpr int kFormat = 1;                  // PRAGMA user_version; a newer one is refused
constexpr int kApplicationId = 0x54494445;  // "TIDE"

constexpr const char* kSettings = R"(
  PRAGMA locking_mode=EXCLUSIVE;
  PRAGMA journal_mode=WAL;
  PRAGMA synchronous=FULL;
  PRAGMA cache_size=-4096;
)";

constexpr const char* kTables = R"(
  BEGIN IMMEDIATE;
  CREATE TABLE objects(
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    revision INTEGER NOT NULL, checksum INTEGER NOT NULL, document TEXT NOT NULL,
    UNIQUE(kind, namespace, name));
  CREATE TABLE last(id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);
  INSERT INTO last VALUES(1, 0);
  PRAGMA application_id=0x54494445;
  PRAGMA user_version=1;
  COMMIT;
)";

constexpr const char* kBegin = "BEGIN IMMEDIATE";
constexpr const char* kCommit = "COMMIT";
constexpr const char* kPut =
    "INSERT INTO objects(kind, namespace, name, revision, checksum, document) VALUES(?1,?2,?3,?4,?5,?6) "
    "ON CONFLICT(kind, namespace, name) DO UPDATE SET "
    "revision=excluded.revision, checksum=excluded.checksum, document=excluded.document";
constexpr const char* kErase = "DELETE FROM objects WHERE kind=?1 AND namespace=?2 AND name=?3";
constexpr const char* kRemember = "UPDATE last SET revision=max(revision, ?1) WHERE id=1";

// With the zero at its end, so that "a"+"b" is not "ab".
uLong add_text(uLong sum, std::string_view text) {
  static constexpr Bytef kEnd = 0;
  sum = crc32(sum, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
  return crc32(sum, &kEnd, 1);
}

// Of all columns together, the document last.
std::int64_t checksum(const Row& row) {
  uLong sum = crc32(0, nullptr, 0);
  const std::string revision = std::to_string(row.revision);
  for (const std::string* text : {&row.kind, &row.key.namespace_, &row.key.name, &revision}) {
    sum = add_text(sum, *text);
  }
  const auto size = static_cast<z_off_t>(row.document.size() + 1);
  return static_cast<std::int64_t>(crc32_combine(sum, row.document_sum, size));
}

std::string text_at(sqlite3_stmt* statement, int column) {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return bytes == nullptr
             ? std::string()
             : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
}

// The text must outlive the step.
void bind_text(sqlite3_stmt* statement, int at, const std::string& text) {
  sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

void bind_key(sqlite3_stmt* statement, const Row& row) {
  bind_text(statement, 1, row.kind);
  bind_text(statement, 2, row.key.namespace_);
  bind_text(statement, 3, row.key.name);
}

// A statement for one use.
class Statement {
 public:
  Statement(sqlite3* handle, const char* sql)
      : code_(sqlite3_prepare_v2(handle, sql, -1, &statement_, nullptr)) {}
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  int step() { return code_ == SQLITE_OK ? sqlite3_step(statement_) : code_; }
  sqlite3_stmt* get() { return statement_; }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_;
};

}  // namespace

tl::unexpected<Error> Database::damaged(const std::string& what) const {
  const std::string name = file_.string();
  return fail(Code::kInvalid, name + " is damaged: " + what +
                                  "; nothing was changed. Put a copy back, or move " + name + " (with " +
                                  name +
                                  "-wal, if it is there) away to start empty: files given with -f are then "
                                  "applied anew. sqlite3 " +
                                  name + " .recover prints what can still be read");
}

tl::unexpected<Error> Database::complaint(int code) const {
  const std::string name = file_.string();
  const std::string reason = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // our statements are right: the tables are not ours any more
      return damaged(reason);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(Code::kConflict, name + " is in use by another process; stop that one first");
    case SQLITE_FULL:
      return fail(Code::kUnavailable, "cannot store: the disk that holds " + name +
                                          " is full; free some space, nothing else is needed");
    case SQLITE_READONLY:
      return fail(Code::kUnavailable, "cannot store: " + name + " or its folder is read-only (" + reason +
                                          "); make it writable, nothing else is needed");
    case SQLITE_CANTOPEN:
      return fail(Code::kUnavailable,
                  "cannot open " + name + ": " + reason + "; check the folder and its rights");
    default:
      return fail(Code::kUnavailable, "cannot store in " + name + ": " + reason + "; check the disk");
  }
}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file) {
  std::unique_ptr<Database> database(new Database(file));
  if (auto prepared = database->prepare(); !prepared) return tl::unexpected(prepared.error());
  return database;
}

Database::~Database() {
  for (sqlite3_stmt* statement : {begin_, commit_, put_, erase_, remember_}) sqlite3_finalize(statement);
  sqlite3_close(handle_);  // the last one out also empties the log
}

Result<void> Database::run(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return complaint(code);
  return {};
}

Result<std::int64_t> Database::number(const char* sql) {
  Statement statement(handle_, sql);
  const int code = statement.step();
  if (code != SQLITE_ROW) return complaint(code);
  return sqlite3_column_int64(statement.get(), 0);
}

Result<void> Database::prepare() {
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (const int code = sqlite3_open_v2(file_.c_str(), &handle_, kFlags, nullptr); code != SQLITE_OK) {
    return complaint(code);
  }
  sqlite3_extended_result_codes(handle_, 1);
  if (sqlite3_db_readonly(handle_, "main") == 1) return complaint(SQLITE_READONLY);
  // Before the settings: they would already write.
  if (auto right = check_format(); !right) return right;
  if (auto set = run(kSettings); !set) return set;
  if (auto whole = check_pages(); !whole) return whole;
  if (auto read = read_revision(); !read) return read;
  for (const auto& [statement, sql] : {std::pair(&begin_, kBegin),
                                       {&commit_, kCommit},
                                       {&put_, kPut},
                                       {&erase_, kErase},
                                       {&remember_, kRemember}}) {
    const int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, nullptr);
    if (code != SQLITE_OK) return complaint(code);
  }
  return {};
}

Result<void> Database::check_format() {
  if (auto alone = run("PRAGMA locking_mode=EXCLUSIVE"); !alone) return alone;
  const auto id = number("PRAGMA application_id");
  if (!id) return tl::unexpected(id.error());
  const auto format = number("PRAGMA user_version");
  if (!format) return tl::unexpected(format.error());
  const auto tables = number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tl::unexpected(tables.error());
  if (*id == 0 && *format == 0 && *tables == 0) return {};
  if (*id != kApplicationId) {
    return fail(Code::kInvalid, file_.string() +
                                    " is no database of Tidegate; move it away, or choose another "
                                    "data folder");
  }
  if (*format > kFormat) {
    return fail(Code::kInvalid, file_.string() + " was written by a newer Tidegate (format " +
                                    std::to_string(*format) + ", this one knows " + std::to_string(kFormat) +
                                    "); start that one, or choose another data folder");
  }
  if (*format < kFormat) return damaged("its format is " + std::to_string(*format));
  return {};
}

Result<void> Database::check_pages() {
  Statement check(handle_, "PRAGMA quick_check(1)");
  const int code = check.step();
  if (code != SQLITE_ROW) return complaint(code);
  const std::string verdict = text_at(check.get(), 0);
  if (verdict != "ok") return damaged(verdict);
  return {};
}

Result<void> Database::read_revision() {
  const auto tables = number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tl::unexpected(tables.error());
  if (*tables == 0) {
    if (auto made = run(kTables); !made) return made;
  }
  const auto last = number("SELECT revision FROM last WHERE id=1");
  if (!last) return damaged("the last revision is missing");
  revision_ = static_cast<std::uint64_t>(*last);
  return {};
}

std::uint32_t text_checksum(std::string_view text) {
  return static_cast<std::uint32_t>(add_text(crc32(0, nullptr, 0), text));
}

Result<std::vector<Row>> Database::load() {
  std::vector<Row> rows;
  Statement all(handle_, "SELECT kind, namespace, name, revision, checksum, document FROM objects");
  int code = all.step();
  for (; code == SQLITE_ROW; code = all.step()) {
    Row row{text_at(all.get(), 0),
            {text_at(all.get(), 1), text_at(all.get(), 2)},
            static_cast<std::uint64_t>(sqlite3_column_int64(all.get(), 3)),
            text_at(all.get(), 5)};
    row.document_sum = text_checksum(row.document);
    const std::string title = row.kind + " " + row.key.text();
    if (sqlite3_column_int64(all.get(), 4) != checksum(row))
      return damaged("the checksum of " + title + " is wrong");
    if (row.revision > revision_) return damaged("the revision of " + title + " was never given");
    rows.push_back(std::move(row));
  }
  if (code != SQLITE_DONE) return complaint(code);
  return rows;
}

Result<void> Database::step(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  sqlite3_reset(statement);
  if (code != SQLITE_DONE) return complaint(code);
  return {};
}

Result<void> Database::write(std::span<const Row> rows, std::uint64_t revision) {
  for (const Row& row : rows) {
    sqlite3_stmt* statement = row.erased ? erase_ : put_;
    bind_key(statement, row);
    if (!row.erased) {
      sqlite3_bind_int64(statement, 4, static_cast<std::int64_t>(row.revision));
      sqlite3_bind_int64(statement, 5, checksum(row));
      bind_text(statement, 6, row.document);
    }
    if (auto done = step(statement); !done) return done;
  }
  sqlite3_bind_int64(remember_, 1, static_cast<std::int64_t>(revision));
  return step(remember_);
}

Result<void> Database::commit(std::span<const Row> rows, std::uint64_t revision) {
  // What is written into a file without a name is lost.
  int moved = 0;
  if (sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0) {
    return fail(Code::kUnavailable, "cannot store: " + file_.string() +
                                        " was removed or replaced while in use; put it back, or start anew");
  }
  auto done = step(begin_);
  if (done) done = write(rows, revision);
  if (done) done = step(commit_);
  if (!done) {
    // Some failures have rolled back already; a second time does no harm.
    if (sqlite3_get_autocommit(handle_) == 0) (void)run("ROLLBACK");
    // A write has no better word for "not now" than this one; damage found only now is no fault of the input.
    done.error().code = Code::kUnavailable;
    return done;
  }
  revision_ = std::max(revision_, revision);
  return {};
}

}  // namespace tidegate::cluster
