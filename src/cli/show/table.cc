#include "cli/show/table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/rfc3339.h"
#include "resource/fields.h"

namespace tidegate::show {
namespace {

using resource::Json;
using resource::text;

constexpr std::size_t kGap = 3;

// Characters, not bytes: continuation bytes of UTF-8 take no room.
std::size_t width_of(const std::string& cell) {
  return static_cast<std::size_t>(std::count_if(
      cell.begin(), cell.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// What comes from a server must not steer the terminal or break the line.
std::string tamed(std::string cell) {
  for (char& c : cell) {
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
  }
  return cell;
}

std::string cell_text(const Json& cell) {
  if (cell.is_string()) return tamed(cell.get<std::string>());
  if (cell.is_null()) return "<none>";
  return tamed(cell.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Row row_of(const Json& row, const std::vector<std::size_t>& shown, const TableOptions& options) {
  Row out;
  if (options.with_namespace) out.push_back(tamed(text(row, "object.metadata.namespace")));
  const Json* cells = resource::find_array(row, "cells");
  for (const std::size_t column : shown) {
    std::string cell = cells != nullptr && column < cells->size() ? cell_text((*cells)[column]) : "";
    if (column == 0) cell = options.prefix + cell;
    out.push_back(std::move(cell));
  }
  return out;
}

Row plain_row(const Json& object, const TableOptions& options, WallTime now) {
  Row row;
  if (options.with_namespace) row.push_back(tamed(text(object, "metadata.namespace")));
  row.push_back(options.prefix + tamed(text(object, "metadata.name")));
  row.push_back(age_of(text(object, "metadata.creationTimestamp"), now));
  return row;
}

}  // namespace

Table read_table(const Json& answer, const TableOptions& options, WallTime now) {
  Table table;
  if (options.with_namespace) table.heads.emplace_back("NAMESPACE");
  if (text(answer, "kind") != "Table") {
    table.heads.insert(table.heads.end(), {"NAME", "AGE"});
    const Json* items = resource::find_array(answer, "items");
    if (items == nullptr) {
      table.rows.push_back(plain_row(answer, options, now));
      return table;
    }
    for (const Json& item : *items) table.rows.push_back(plain_row(item, options, now));
    return table;
  }
  std::vector<std::size_t> shown;
  if (const Json* columns = resource::find_array(answer, "columnDefinitions")) {
    for (std::size_t i = 0; i < columns->size(); ++i) {
      if (!options.wide && resource::number((*columns)[i], "priority") > 0) continue;
      shown.push_back(i);
      std::string head = tamed(text((*columns)[i], "name"));
      std::transform(head.begin(), head.end(), head.begin(),
                     [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
      table.heads.push_back(std::move(head));
    }
  }
  if (const Json* rows = resource::find_array(answer, "rows")) {
    for (const Json& row : *rows) table.rows.push_back(row_of(row, shown, options));
  }
  return table;
}

std::string Columns::print(const Table& table, bool heads) {
  const auto widen = [this](const Row& row) {
    if (widths_.size() < row.size()) widths_.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], width_of(row[i]));
  };
  widen(table.heads);
  for (const Row& row : table.rows) widen(row);
  std::string out;
  const auto add = [&](const Row& row) {
    std::size_t blanks = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!row[i].empty()) out.append(std::exchange(blanks, 0), ' ').append(row[i]);
      blanks += widths_[i] - width_of(row[i]) + kGap;
    }
    out += '\n';
  };
  if (heads) add(table.heads);
  for (const Row& row : table.rows) add(row);
  return out;
}

// Source: k8s.io/apimachinery/pkg/util/duration HumanDuration.
std::string age_text(Duration age) {
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  if (whole < 0) return whole >= -1 ? "0s" : "<invalid>";
  const auto both = [](long long big, const char* unit, long long small, const char* small_unit) {
    return std::to_string(big) + unit + (small == 0 ? "" : std::to_string(small) + small_unit);
  };
  constexpr long long kMinute = 60;
  constexpr long long kHour = 3600;
  constexpr long long kDay = 86400;
  constexpr long long kYear = 365 * kDay;
  if (whole < 2 * kMinute) return std::to_string(whole) + "s";
  if (whole < 10 * kMinute) return both(whole / kMinute, "m", whole % kMinute, "s");
  if (whole < 3 * kHour) return std::to_string(whole / kMinute) + "m";
  if (whole < 8 * kHour) return both(whole / kHour, "h", whole % kHour / kMinute, "m");
  if (whole < 2 * kDay) return std::to_string(whole / kHour) + "h";
  if (whole < 8 * kDay) return both(whole / kDay, "d", whole % kDay / kHour, "h");
  if (whole < 2 * kYear) return std::to_string(whole / kDay) + "d";
  if (whole < 8 * kYear) return both(whole / kYear, "y", whole % kYear / kDay, "d");
  return std::to_string(whole / kYear) + "y";
}

std::string age_of(std::string_view timestamp, WallTime now) {
  const auto since = parse_rfc3339(timestamp);
  return since ? age_text(now - *since) : "<unknown>";
}

}  // namespace tidegate::show
