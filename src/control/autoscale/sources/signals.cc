#include "control/autoscale/sources/signals.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tidegate::sources {
namespace {

constexpr std::string_view kRateSuffix = "_per_second";
constexpr Duration kWindow = std::chrono::seconds(30);

const std::string* label(const Labels& labels, const char* name) {
  const auto found = labels.find(name);
  return found == labels.end() ? nullptr : &found->second;
}

// The youngest page at least a window old, or else the oldest there is.
PagePtr page_before(const History& history, WallTime now) {
  PagePtr before;
  for (const PagePtr& page : history.pages) {
    if (before == nullptr || page->at + kWindow <= now) before = page;
  }
  return before == history.pages.back() ? nullptr : before;
}

// How far a counter rose; one that fell began anew.
double rise(double before, double after) { return after >= before ? after - before : after; }

std::map<Labels, double> by_labels(const Page& page, const std::string& name, const Accepts& accepts) {
  std::map<Labels, double> values;
  for (const Series& series : page.series) {
    if (series.name == name && accepts(series.labels)) values[series.labels] += series.value;
  }
  return values;
}

std::map<Labels, double> rises(const Signal& signal, const Page& before, const Page& after,
                               const Accepts& accepts) {
  std::map<Labels, double> values = by_labels(after, signal.series, accepts);
  const auto old = by_labels(before, signal.series, accepts);
  for (auto& [labels, value] : values) {
    const auto found = old.find(labels);
    value = rise(found == old.end() ? 0.0 : found->second, value);
  }
  return values;
}

// As Prometheus' histogram_quantile: linear within the bucket, the lower edge of the last.
std::optional<double> percentile(const std::map<Labels, double>& buckets, double quantile) {
  std::map<double, double> cumulative;
  for (const auto& [labels, count] : buckets) {
    const std::string* le = label(labels, "le");
    if (le == nullptr) continue;
    double bound = INFINITY;
    if (*le != "+Inf") {
      const auto [end, error] = std::from_chars(le->data(), le->data() + le->size(), bound);
      if (error != std::errc{} || end != le->data() + le->size()) continue;
    }
    cumulative[bound] += count;
  }
  if (cumulative.empty() || cumulative.rbegin()->second <= 0) return std::nullopt;
  const double rank = quantile * cumulative.rbegin()->second;
  double lower = 0;
  double below = 0;
  for (const auto& [bound, count] : cumulative) {
    if (count >= rank && count > below) {
      if (std::isinf(bound)) return lower;
      return lower + (bound - lower) * (rank - below) / (count - below);
    }
    lower = bound;
    below = count;
  }
  return lower;
}

}  // namespace

Signal signal_of(std::string_view metric) {
  if (metric.ends_with(kRateSuffix)) {
    return {Signal::Kind::kRate, std::string(metric.substr(0, metric.size() - kRateSuffix.size())), 0};
  }
  const std::size_t mark = metric.rfind("_p");
  if (mark != std::string_view::npos && metric.size() - mark == 4) {
    int percent = 0;
    const char* const digits = metric.data() + mark + 2;
    const auto [end, error] = std::from_chars(digits, digits + 2, percent);
    if (error == std::errc{} && end == digits + 2 && percent > 0) {
      return {Signal::Kind::kPercentile, std::string(metric.substr(0, mark)) + "_bucket", percent / 100.0};
    }
  }
  return {Signal::Kind::kValue, std::string(metric), 0};
}

std::vector<double> values_of(const Signal& signal, const History& history, const Accepts& accepts,
                              WallTime now, Duration stale_after) {
  const PagePtr page = history.newest(now, stale_after);
  if (page == nullptr) return {};
  std::vector<double> values;
  if (signal.kind == Signal::Kind::kValue) {
    for (const auto& [labels, value] : by_labels(*page, signal.series, accepts)) values.push_back(value);
    return values;
  }
  const PagePtr before = page_before(history, now);
  if (before == nullptr || before->at >= page->at) return {};
  const auto risen = rises(signal, *before, *page, accepts);
  if (signal.kind == Signal::Kind::kPercentile) {
    if (const auto value = percentile(risen, signal.quantile)) values.push_back(*value);
    return values;
  }
  for (const auto& [labels, value] : risen) values.push_back(value / seconds(page->at - before->at));
  return values;
}

std::optional<double> value_of_pod(const Page& page, std::string_view metric, const PodName& pod, bool own,
                                   const Accepts& accepts) {
  struct Names {
    const char* namespace_;
    const char* pod;
  };
  static constexpr Names kNames[] = {
      {"NamespaceName", "PodName"}, {"exported_namespace", "exported_pod"}, {"namespace", "pod"}};
  const auto belongs = [&](const Labels& labels) {
    for (const Names& names : kNames) {
      const std::string* name = label(labels, names.pod);
      if (name == nullptr || name->empty()) continue;
      const std::string* space = label(labels, names.namespace_);
      return *name == pod.name && (space == nullptr || space->empty() || *space == pod.namespace_);
    }
    return own;
  };
  std::map<std::string, double> by_device;
  double sum = 0;
  bool any = false;
  for (const Series& series : page.series) {
    if (series.name != metric || !belongs(series.labels) || !accepts(series.labels)) continue;
    any = true;
    if (const std::string* device = label(series.labels, "UUID"); device != nullptr && !device->empty()) {
      by_device[*device] += series.value;
    } else {
      sum += series.value;
    }
  }
  if (!any) return std::nullopt;
  double devices = 0;
  for (const auto& [device, value] : by_device) devices += value;
  if (!by_device.empty()) sum += devices / static_cast<double>(by_device.size());
  return sum;
}

}  // namespace tidegate::sources
