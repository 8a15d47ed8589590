// Columns as kubectl prints them: heads in capitals, three blanks between columns, no blanks at a line's end.
//
// Thread: a value.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "resource/object.h"

namespace tidegate::show {

using Row = std::vector<std::string>;

struct Table {
  Row heads;
  std::vector<Row> rows;
};

struct TableOptions {
  bool wide = false;            // columns of lower priority too
  bool with_namespace = false;  // a first column NAMESPACE
  std::string prefix = {};      // before each name: "pod/"
};

// A meta.k8s.io/v1 Table, as the server answers those who ask for columns. What is no Table, a list or an
// object, becomes NAME and AGE. `now` is for that age.
Table read_table(const resource::Json& answer, const TableOptions& options, WallTime now);

// Prints row after row; columns keep the width that they once had, so that lines added later (-w) stay in
// place.
class Columns {
 public:
  std::string print(const Table& table, bool heads);

 private:
  std::vector<std::size_t> widths_;
};

// "5s", "3m20s", "26h", "4d3h": as kubectl shortens ages.
std::string age_text(Duration age);
// The same of a timestamp; "<unknown>" without one.
std::string age_of(std::string_view timestamp, WallTime now);

}  // namespace tidegate::show
