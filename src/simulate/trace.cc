#include "simulate/trace.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/ascii.h"

namespace tidegate::simulate {
namespace {

constexpr std::size_t kLineMax = 1 << 20;
constexpr std::size_t kRowsMax = 20'000'000;
constexpr std::size_t kContentMax = 200'000'000;
constexpr std::uint32_t kTokensMax = 10'000'000;
constexpr double kSecondsMax = 1e9;  // some thirty years
constexpr std::uint32_t kHashTokens = 512;

struct Row {
  double at_s = 0;
  std::uint32_t prompt = 0;
  std::uint32_t answer = 0;
};

// Lines of a file that may be gzipped. zlib passes plain files through.
class Lines {
 public:
  explicit Lines(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb"), gzclose) {}

  bool open() const { return file_ != nullptr; }
  std::string where() const { return path_ + ":" + std::to_string(number_); }

  // False at the end.
  Result<bool> next(std::string_view& line) {
    line_.clear();
    ++number_;
    while (true) {
      if (at_ == size_) {
        const int read = gzread(file_.get(), buffer_.get(), kBuffer);
        int code = Z_OK;
        const char* const message = gzerror(file_.get(), &code);
        if (read < 0 || (read == 0 && code != Z_OK)) {
          return invalid(path_, std::string("cannot be read to its end after line ") +
                                    std::to_string(number_ - 1) + ": " +
                                    (code == Z_BUF_ERROR ? "it is cut short" : message));
        }
        at_ = 0;
        size_ = static_cast<std::size_t>(read);
        if (read == 0) break;
      }
      const std::string_view rest(buffer_.get() + at_, size_ - at_);
      const std::size_t end = rest.find('\n');
      line_ += rest.substr(0, end);
      if (line_.size() > kLineMax) return invalid(where(), "is longer than 1 MiB; is this a trace?");
      at_ += end == std::string_view::npos ? rest.size() : end + 1;
      if (end == std::string_view::npos) continue;
      strip();
      line = line_;
      return true;
    }
    strip();
    line = line_;
    return !line_.empty();
  }

 private:
  static constexpr std::size_t kBuffer = 1 << 16;
  void strip() {
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  }

  std::string path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
  std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(kBuffer);
  std::size_t at_ = 0;
  std::size_t size_ = 0;
  std::string line_;
  std::size_t number_ = 0;
};

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "2023-11-16 18:15:46.6805900" or with a T, as seconds since 1970.
std::optional<double> date_of(std::string_view text) {
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return {};
  const auto year = number_of<int>(text.substr(0, 4));
  const auto month = number_of<unsigned>(text.substr(5, 2));
  const auto day = number_of<unsigned>(text.substr(8, 2));
  const auto hour = number_of<int>(text.substr(11, 2));
  const auto minute = number_of<int>(text.substr(14, 2));
  const std::size_t zone = text.find_first_of("+Z", 17);
  const auto second = number_of<double>(text.substr(17, zone == text.npos ? zone : zone - 17));
  if (!year || !month || !day || !hour || !minute || !second) return {};
  const auto date = std::chrono::year{*year} / std::chrono::month{*month} / std::chrono::day{*day};
  if (!date.ok() || *hour > 24 || *minute > 60 || !(*second >= 0 && *second < 62)) return {};
  const auto days = std::chrono::sys_days{date}.time_since_epoch();
  return static_cast<double>(days.count()) * 86400 + *hour * 3600.0 + *minute * 60.0 + *second;
}

std::optional<double> time_of(std::string_view text) {
  const auto plain = number_of<double>(text);
  const auto time = plain ? plain : date_of(text);
  if (!time || !std::isfinite(*time) || std::abs(*time) > 1e11) return {};
  return time;
}

std::optional<std::uint32_t> tokens_of(std::string_view text) {
  const auto tokens = number_of<std::uint32_t>(text);
  return tokens && *tokens <= kTokensMax ? tokens : std::nullopt;
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const std::size_t comma = line.find(',');
    std::string_view cell = line.substr(0, comma);
    while (!cell.empty() && cell.front() == ' ') cell.remove_prefix(1);
    while (!cell.empty() && cell.back() == ' ') cell.remove_suffix(1);
    if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
    cells.push_back(cell);
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

struct Columns {
  std::size_t time = 0;
  std::size_t prompt = 0;
  std::size_t answer = 0;
};

std::optional<std::size_t> column(const std::vector<std::string_view>& header,
                                  std::initializer_list<std::string_view> names) {
  for (std::size_t i = 0; i < header.size(); ++i) {
    for (const std::string_view name : names) {
      if (ascii::equals_ignoring_case(header[i], name)) return i;
    }
  }
  return std::nullopt;
}

Result<Columns> columns_of(std::string_view header, const std::string& where) {
  const auto cells = cells_of(header);
  const auto time = column(cells, {"t_s", "timestamp", "time", "arrived_at"});
  const auto prompt = column(cells, {"in_tokens", "contexttokens", "input_length", "prompt_tokens", "in"});
  const auto answer =
      column(cells, {"out_tokens", "generatedtokens", "output_length", "completion_tokens", "out"});
  if (time && prompt && answer) return Columns{*time, *prompt, *answer};
  const char* const lacks = !time     ? "t_s (or timestamp)"
                            : !prompt ? "in_tokens (or ContextTokens, input_length, prompt_tokens)"
                                      : "out_tokens (or GeneratedTokens, output_length, completion_tokens)";
  return invalid(where,
                 std::string("has no column ") + lacks + "; a trace begins with a header that names them");
}

tl::unexpected<Error> no_tokens(const std::string& where, std::string_view what, std::string_view value) {
  return invalid(where, std::string(what) + " is \"" + std::string(value.substr(0, 40)) +
                            "\"; use a whole number of tokens up to 10000000");
}

Result<Row> csv_row(std::string_view line, const Columns& columns, const std::string& where) {
  const auto cells = cells_of(line);
  const std::size_t most = std::max({columns.time, columns.prompt, columns.answer});
  if (cells.size() <= most) {
    return invalid(where, "has " + std::to_string(cells.size()) + " columns where the header names " +
                              std::to_string(most + 1) + " or more");
  }
  const auto time = time_of(cells[columns.time]);
  const auto prompt = tokens_of(cells[columns.prompt]);
  const auto answer = tokens_of(cells[columns.answer]);
  if (!time) {
    return invalid(where, "time is \"" + std::string(cells[columns.time].substr(0, 40)) +
                              "\"; use seconds or a date like 2023-11-16 18:15:46.68");
  }
  if (!prompt) return no_tokens(where, "prompt", cells[columns.prompt]);
  if (!answer) return no_tokens(where, "answer", cells[columns.answer]);
  return Row{*time, *prompt, *answer};
}

Result<Row> json_row(std::string_view line, const std::string& where, std::vector<ContentId>& content) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return invalid(where, "is not a JSON object on one line");
  const auto tokens = [&](const char* member) -> std::optional<std::uint32_t> {
    const auto found = json.find(member);
    if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
    const auto value = found->get<std::uint64_t>();
    return value <= kTokensMax ? std::optional(static_cast<std::uint32_t>(value)) : std::nullopt;
  };
  const auto time = json.find("timestamp");
  if (time == json.end() || !time->is_number() || std::abs(time->get<double>()) > kSecondsMax * 1000) {
    return invalid(where, "has no \"timestamp\" in milliseconds");
  }
  const auto prompt = tokens("input_length");
  const auto answer = tokens("output_length");
  if (!prompt || !answer) {
    return invalid(where, std::string("has no \"") + (prompt ? "output_length" : "input_length") +
                              "\" that is a whole number of tokens up to 10000000");
  }
  if (const auto ids = json.find("hash_ids"); ids != json.end()) {
    if (!ids->is_array()) return invalid(where, "\"hash_ids\" is not a list of numbers");
    for (const auto& id : *ids) {
      if (!id.is_number_unsigned()) return invalid(where, "\"hash_ids\" is not a list of whole numbers");
      content.push_back(id.get<std::uint64_t>());
    }
  }
  return Row{time->get<double>() / 1000, *prompt, *answer};
}

// In order, from the first request on.
Result<Workload> finish(Workload workload, std::vector<double> times, const std::string& path) {
  if (times.empty()) return invalid(path, "holds no requests");
  const auto [first, last] = std::minmax_element(times.begin(), times.end());
  if (*last - *first > kSecondsMax)
    return invalid(path, "spans more than thirty years; are its times in seconds?");
  for (std::size_t i = 0; i < times.size(); ++i) {
    workload.arrivals[i].at = Duration(static_cast<std::int64_t>((times[i] - *first) * 1e9));
  }
  workload.length = Duration(static_cast<std::int64_t>((*last - *first) * 1e9)) + std::chrono::seconds(1);
  std::stable_sort(workload.arrivals.begin(), workload.arrivals.end(),
                   [](const Arrival& a, const Arrival& b) { return a.at < b.at; });
  return workload;
}

}  // namespace

Result<Workload> read_trace(const std::string& path) {
  Lines lines(path);
  if (!lines.open()) return fail(Code::kNotFound, "cannot be opened; is the path right?", path);
  Workload workload;
  workload.name = path.substr(path.rfind('/') + 1);
  workload.content_tokens = kHashTokens;
  std::vector<double> times;
  std::optional<Columns> columns;
  std::string_view line;
  while (true) {
    const auto more = lines.next(line);
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
    if (line.empty()) continue;
    const bool json = line.front() == '{';
    if (!json && !columns) {
      const auto found = columns_of(line, lines.where());
      if (!found) return tl::unexpected(found.error());
      columns = *found;
      continue;
    }
    if (workload.arrivals.size() >= kRowsMax || workload.content.size() > kContentMax) {
      return fail(Code::kTooLarge, "holds more than 20000000 requests", lines.where());
    }
    const auto begin = static_cast<std::uint32_t>(workload.content.size());
    const auto row = json && !columns ? json_row(line, lines.where(), workload.content)
                                      : csv_row(line, *columns, lines.where());
    if (!row) return tl::unexpected(row.error());
    times.push_back(row->at_s);
    workload.arrivals.push_back(
        {.at = {},
         .prompt = std::max(row->prompt, 1U),
         .answer = std::max(row->answer, 1U),
         .content_begin = begin,
         .content_count = static_cast<std::uint32_t>(workload.content.size()) - begin});
  }
  return finish(std::move(workload), std::move(times), path);
}

}  // namespace tidegate::simulate
