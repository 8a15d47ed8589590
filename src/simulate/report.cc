#include "simulate/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tidegate::simulate {
namespace {

using What = Happening::What;

std::string percent(double share) { return fixed(share * 100, 2); }

std::string clock_text(Duration time) {
  const auto s = std::chrono::floor<std::chrono::seconds>(time).count();
  char text[48];
  std::snprintf(text, sizeof text, "%s%02lld:%02lld:%02lld", s < 0 ? "-" : "", std::abs(s) / 3600LL,
                std::abs(s) / 60LL % 60, std::abs(s) % 60LL);
  return text;
}

std::string sentence(const Happening& h) {
  const std::string at = h.where.empty() ? "" : " on " + h.where;
  switch (h.what) {
    case What::kScaled:
      return "replicas " + std::to_string(h.from) + " -> " + std::to_string(h.to);
    case What::kPodMade:
      return h.subject + " made";
    case What::kPodBound:
      return h.subject + " placed" + at;
    case What::kPodReady:
      return h.subject + " ready" + at;
    case What::kPodLeaves:
      return h.subject + " leaves";
    case What::kPodGone:
      return h.subject + " gone";
    case What::kMachineAsked:
      return h.subject + " asked of " + h.where;
    case What::kNodeJoined:
      return h.subject + " joined";
    case What::kNodeCordoned:
      return h.subject + " cordoned";
    case What::kMachineGone:
      return h.subject + " given back";
  }
  return "";
}

}  // namespace

double percentile(std::vector<float>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(
      std::min(share * static_cast<double>(values.size()), static_cast<double>(values.size() - 1)));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - row[i].size(), ' ');
      if (i > 0) text += "  ";
      text += i == 0 ? row[i] + pad : pad + row[i];
    }
    text += "\n";
  }
  return text;
}

Summary summarize(std::string title, const Outcome& outcome, const Targets& targets) {
  Summary summary;
  summary.title = std::move(title);
  summary.requests = outcome.served.size();
  summary.gpu_hours = outcome.bill.gpu_hours;
  summary.cloud_hours = outcome.bill.machine_hours;
  summary.cloud_cost = outcome.bill.cost;
  summary.replicas_most = outcome.replicas_most;
  summary.unanswered = outcome.refused + outcome.lost;
  summary.changes =
      static_cast<std::size_t>(std::count_if(outcome.chronicle.all().begin(), outcome.chronicle.all().end(),
                                             [](const Happening& h) { return h.what == What::kScaled; }));
  std::vector<float> ttft;
  std::vector<float> tpot;
  std::size_t first_met = 0;
  std::size_t rest_met = 0;
  std::size_t both = 0;
  for (const Served& served : outcome.served) {
    if (served.ttft_s < 0 || served.tpot_s < 0) continue;
    ttft.push_back(served.ttft_s);
    if (served.tpot_s > 0) tpot.push_back(served.tpot_s);
    const bool first = served.ttft_s <= targets.ttft_s;
    const bool rest = served.tpot_s <= targets.tpot_s;
    first_met += first;
    rest_met += rest;
    both += first && rest;
  }
  const double all = static_cast<double>(std::max<std::size_t>(outcome.served.size(), 1));
  summary.ttft_met = static_cast<double>(first_met) / all;
  summary.tpot_met = static_cast<double>(rest_met) / all;
  summary.both_met = static_cast<double>(both) / all;
  summary.ttft_p50_s = percentile(ttft, .5);
  summary.ttft_p99_s = percentile(ttft, .99);
  summary.tpot_p50_s = percentile(tpot, .5);
  summary.tpot_p99_s = percentile(tpot, .99);
  return summary;
}

std::string table_of(std::span<const Summary> summaries, const Targets& targets) {
  std::vector<std::vector<std::string>> rows = {
      {"rule", "GPU hours", "cloud hours", "cloud cost", "TTFT p50", "p99", "TPOT p50", "p99",
       "TTFT<=" + fixed(targets.ttft_s, 1) + "s", "TPOT<=" + fixed(targets.tpot_s * 1000, 0) + "ms", "both",
       "most", "changes", "unanswered"}};
  for (const Summary& s : summaries) {
    rows.push_back({s.title, fixed(s.gpu_hours, 1), fixed(s.cloud_hours, 1), fixed(s.cloud_cost, 2),
                    fixed(s.ttft_p50_s, 3), fixed(s.ttft_p99_s, 2), fixed(s.tpot_p50_s * 1000, 1),
                    fixed(s.tpot_p99_s * 1000, 1), percent(s.ttft_met), percent(s.tpot_met),
                    percent(s.both_met), std::to_string(s.replicas_most), std::to_string(s.changes),
                    std::to_string(s.unanswered)});
  }
  return aligned(rows) +
         "TTFT in seconds, TPOT in milliseconds, targets in percent of all requests; most: replicas; "
         "changes: of their number\n";
}

std::string timeline_of(const Outcome& outcome, Duration lead) {
  std::string text;
  for (const Happening& each : outcome.chronicle.all()) {
    text += clock_text(each.at - TimePoint{} - lead) + "  " + sentence(each) + "\n";
  }
  return text;
}

}  // namespace tidegate::simulate
