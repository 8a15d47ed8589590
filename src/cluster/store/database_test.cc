#include "cluster/store/database.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>

namespace tidegate::cluster {
namespace {

namespace fs = std::filesystem;

class DatabaseTest : public testing::Test {
 protected:
  DatabaseTest() {
    std::string pattern = (fs::temp_directory_path() / "tidegate-db-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    file = folder / "tidegate.db";
  }
  ~DatabaseTest() override { fs::remove_all(folder); }

  static Row row(const std::string& name, std::uint64_t revision, const std::string& document = "{}") {
    return {"apps/Deployment", {"default", name}, revision, document, text_checksum(document)};
  }
  void fill(int count) {
    auto database = Database::open(file);
    ASSERT_TRUE(database) << describe(database.error());
    std::vector<Row> rows;
    for (int i = 0; i < count; ++i)
      rows.push_back(row("n" + std::to_string(i), 1 + static_cast<unsigned>(i), std::string(2000, 'x')));
    ASSERT_TRUE((*database)->commit(rows, static_cast<std::uint64_t>(count)));
  }
  void sql(const char* text) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &handle), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(handle, text, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }
  Result<std::vector<Row>> load() {
    auto database = Database::open(file);
    if (!database) return tl::unexpected(database.error());
    return (*database)->load();
  }

  fs::path folder;
  fs::path file;
};

TEST_F(DatabaseTest, KeepsRowsAndTheLastRevision) {
  {
    auto database = *Database::open(file);
    EXPECT_EQ(database->revision(), 0u);
    const std::vector<Row> first = {row("a", 1, "{\"a\":1}"), row("b", 2)};
    ASSERT_TRUE(database->commit(first, 2));
    const std::vector<Row> second = {row("a", 3, "{\"a\":2}")};
    ASSERT_TRUE(database->commit(second, 3));
    std::vector<Row> third = {row("b", 4)};
    third[0].erased = true;
    ASSERT_TRUE(database->commit(third, 4));
  }
  auto database = *Database::open(file);
  EXPECT_EQ(database->revision(), 4u);
  const auto rows = database->load();
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().kind, "apps/Deployment");
  EXPECT_EQ(rows->front().key, (Key{"default", "a"}));
  EXPECT_EQ(rows->front().revision, 3u);
  EXPECT_EQ(rows->front().document, "{\"a\":2}");
}

TEST_F(DatabaseTest, BelongsToOneProcess) {
  const auto first = Database::open(file);
  ASSERT_TRUE(first);
  const auto second = Database::open(file);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kConflict);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos);
}

TEST_F(DatabaseTest, RefusesWhatIsNotOurs) {
  std::ofstream(file) << std::string(8192, 'x');
  EXPECT_EQ(Database::open(file).error().code, Code::kInvalid);
  fs::remove(file);
  sql("CREATE TABLE theirs(a)");
  const auto theirs = Database::open(file);
  ASSERT_FALSE(theirs);
  EXPECT_NE(theirs.error().message.find("no database of Tidegate"), std::string::npos);
}

TEST_F(DatabaseTest, RefusesANewerFormat) {
  fill(1);
  sql("PRAGMA user_version=2");
  const auto newer = Database::open(file);
  ASSERT_FALSE(newer);
  EXPECT_NE(newer.error().message.find("newer Tidegate (format 2, this one knows 1)"), std::string::npos);
}

TEST_F(DatabaseTest, RefusesARowThatWasTamperedWith) {
  fill(3);
  sql("UPDATE objects SET document='{\"a\":1}' WHERE name='n1'");
  const auto rows = load();
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, Code::kInvalid);
  EXPECT_NE(rows.error().message.find("apps/Deployment default/n1"), std::string::npos);
  EXPECT_NE(rows.error().message.find("move"), std::string::npos);
}

TEST_F(DatabaseTest, RefusesRevisionsThatWereNeverGiven) {
  fill(3);
  sql("UPDATE last SET revision=1");
  EXPECT_EQ(load().error().code, Code::kInvalid);
}

// One byte anywhere in what counts: refused, or not among what is read.
TEST_F(DatabaseTest, NoticesEveryFlippedByteOfTheDocuments) {
  fill(40);
  const auto good = load();
  ASSERT_TRUE(good);
  const auto size = fs::file_size(file);
  int refused = 0;
  for (std::uintmax_t at = 0; at < size; at += 997) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const int before = stream.get();
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(before ^ 0x10));
    stream.close();
    const auto rows = load();
    if (!rows) {
      ++refused;
      EXPECT_EQ(rows.error().code, Code::kInvalid) << describe(rows.error());
    } else {
      ASSERT_EQ(rows->size(), good->size()) << at;
      for (std::size_t i = 0; i < rows->size(); ++i) {
        EXPECT_EQ((*rows)[i].document, (*good)[i].document) << at;
        EXPECT_EQ((*rows)[i].key, (*good)[i].key) << at;
        EXPECT_EQ((*rows)[i].revision, (*good)[i].revision) << at;
      }
    }
    fs::remove(file.string() + "-wal");
    std::fstream back(file, std::ios::in | std::ios::out | std::ios::binary);
    back.seekp(static_cast<std::streamoff>(at));
    back.put(static_cast<char>(before));
  }
  EXPECT_GT(refused, 40);
  EXPECT_TRUE(load());
}

TEST_F(DatabaseTest, AFileThatWasTakenAwayStoresNothing) {
  auto database = *Database::open(file);
  fs::rename(file, folder / "elsewhere");
  const std::vector<Row> rows = {row("a", 1)};
  const auto lost = database->commit(rows, 1);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kUnavailable);
  fs::rename(folder / "elsewhere", file);
  EXPECT_TRUE(database->commit(rows, 1));
}

}  // namespace
}  // namespace tidegate::cluster
