#include "lib/plot/metric.h"

#include <algorithm>

#include "lib/plot/ccdf.h"

namespace mlq::plot {

void Metric::Cell::record(int64_t value_ns) {
  if (!values) values.emplace();
  values->record(value_ns);
}

void Metric::Cell::merge(const Cell& other) {
  if (!other.values) return;
  if (!values) values.emplace();
  values->merge(*other.values);
}

void Metric::add(double t_s, const records::MetricStats& stats) {
  if (stats.p50) p50_.add({t_s, static_cast<double>(*stats.p50) / 1e9});
  if (stats.p99) p99_.add({t_s, static_cast<double>(*stats.p99) / 1e9});
}

void Metric::add(const records::MetricStats& stats) {
  known_.clear();
  const std::pair<double, std::optional<int64_t>> all[] = {
      {0.5, stats.p50}, {0.1, stats.p90}, {0.05, stats.p95}, {0.01, stats.p99}, {0.001, stats.p999}};
  for (const auto& [share, value_ns] : all) {
    if (value_ns) known_.push_back({static_cast<double>(*value_ns) / 1e9, share});
  }
}

void Metric::draw_distribution(const std::string& label, Picture& into) const {
  const stats::Histogram& counted = all_.count() > 0 ? all_ : measured_;
  if (counted.count() > 0)
    into.curves.push_back({label, Shape::steps_to, ccdf(counted)});
  else if (!known_.empty())
    into.curves.push_back({label, Shape::line, known_});
}

// The curve breaks where nothing was measured for a twentieth of the whole.
std::vector<Point> Metric::quantile(const Ratio& q) const {
  std::vector<Point> out;
  const auto& cells = windows_.cells();
  const int64_t span = cells.rbegin()->first - cells.begin()->first + 1;
  int64_t before = cells.begin()->first;
  for (const auto& [index, cell] : cells) {
    const double middle = (static_cast<double>(index) + 0.5) * static_cast<double>(windows_.width_ns()) / 1e9;
    if (index - before > std::max<int64_t>(2, span / 20)) out.push_back({middle, kNone});
    if (cell.values) out.push_back({middle, static_cast<double>(*cell.values->quantile(q)) / 1e9});
    before = index;
  }
  return out;
}

void Metric::draw_quantiles(const std::string& prefix, Picture& into) const {
  const bool counted = !windows_.cells().empty();
  const std::string width = counted ? " in " + format_duration(windows_.width_ns()) : "";
  const auto draw = [&](std::string_view name, const Ratio& q, const Thinned& given) {
    std::vector<Point> points = counted ? quantile(q) : given.points();
    if (!points.empty())
      into.curves.push_back({prefix + std::string(name) + width, Shape::line, std::move(points)});
  };
  if (prefix.empty()) draw("p50", {1, 2}, p50_);
  draw("p99", {99, 100}, p99_);
}

}  // namespace mlq::plot
