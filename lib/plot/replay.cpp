// Load tests. Results are taken one by one where there are any: quantiles in windows and over all are exact
// in their ranks and to 0.4 % in their values (lib/stats/histogram.h), counts are exact. Else load_window and
// hist records are drawn as they stand.
#include <optional>

#include "lib/plot/ccdf.h"
#include "lib/plot/collector.h"
#include "lib/plot/rate.h"
#include "lib/plot/thinned.h"
#include "lib/records/load_schema.h"
#include "lib/records/trace.h"
#include "lib/stats/slo.h"

namespace mlq::plot {
namespace {

// A time that every request has one of: as a distribution, and in windows.
class Metric {
 public:
  void add(int64_t t_ns, int64_t value_ns) {
    all_.record(value_ns);
    windows_.at(t_ns).record(value_ns);
  }
  void add(const stats::Histogram& measured) { measured_.merge(measured); }
  // Windows of which only quantiles are known.
  void add(double t_s, const records::MetricStats& stats);

  void settle() { windows_.limit(windows_for(all_.count())); }

  std::vector<Point> distribution() const { return ccdf(all_.count() > 0 ? all_ : measured_); }
  void add_quantiles(const std::string& prefix, Picture& into) const;

 private:
  struct Cell {
    std::optional<stats::Histogram> values;
    void record(int64_t value_ns) {
      if (!values) values.emplace();
      values->record(value_ns);
    }
    void merge(const Cell& other) {
      if (!other.values) return;
      if (!values) values.emplace();
      values->merge(*other.values);
    }
  };
  std::vector<Point> quantile(const Ratio& q) const;

  stats::Histogram all_, measured_;
  Windows<Cell> windows_{120};
  Thinned p50_, p99_;
};

void Metric::add(double t_s, const records::MetricStats& stats) {
  if (stats.p50) p50_.add({t_s, static_cast<double>(*stats.p50) / 1e9});
  if (stats.p99) p99_.add({t_s, static_cast<double>(*stats.p99) / 1e9});
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

// One quantile an input where there are several: more lines would hide one another.
void Metric::add_quantiles(const std::string& prefix, Picture& into) const {
  const bool counted = !windows_.cells().empty();
  const std::string width = counted ? " in " + format_duration(windows_.width_ns()) : "";
  const auto add = [&](std::string_view name, const Ratio& q, const Thinned& given) {
    std::vector<Point> points = counted ? quantile(q) : given.points();
    if (!points.empty())
      into.curves.push_back({prefix + std::string(name) + width, Shape::line, std::move(points)});
  };
  if (prefix.empty()) add("p50", {1, 2}, p50_);
  add("p99", {99, 100}, p99_);
}

class ReplayCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void end(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  bool result(const records::Reader& at);
  bool window(const records::Reader& at);
  bool histogram(const records::Reader& at);
  Metric* metric_named(std::string_view name);
  const Metric& metric_of(std::string_view picture) const;
  void draw_rate(const std::string& prefix, Picture& into) const;
  void add_limits(stats::SloMetric metric, bool vertical, Picture& into) const;

  Metric latency_, ttft_, tpot_, lag_;
  RateCurve due_, ok_;
  Thinned offered_, good_;
  std::string slo_;
};

bool ReplayCollector::result(const records::Reader& at) {
  const auto r = at.as<records::Result>();
  due_.add(r.due_ns);
  const auto add = [&](Metric& metric, const std::optional<int64_t>& value_ns) {
    if (!value_ns) return;
    if (*value_ns < 0)
      throw input_error("{}: result: a time is {}; it must not be negative", at.where(), *value_ns);
    metric.add(r.due_ns, *value_ns);
  };
  if (r.lag_ns && *r.lag_ns >= 0) add(lag_, r.lag_ns);
  if (r.outcome != "ok") return true;
  ok_.add(r.due_ns);
  add(latency_, r.latency_ns);
  add(ttft_, r.ttft_ns);
  add(tpot_, r.tpot_ns);
  return true;
}

bool ReplayCollector::window(const records::Reader& at) {
  const auto w = at.as<records::LoadWindow>();
  if (w.klass != "*") return false;
  const double middle = (static_cast<double>(w.from_ns) + static_cast<double>(w.to_ns)) / 2e9;
  latency_.add(middle, w.latency);
  ttft_.add(middle, w.ttft);
  tpot_.add(middle, w.tpot);
  lag_.add(middle, w.lag);
  if (w.offered_per_s) offered_.add({middle, *w.offered_per_s});
  if (w.good_per_s) good_.add({middle, *w.good_per_s});
  return true;
}

Metric* ReplayCollector::metric_named(std::string_view name) {
  if (name == "latency") return &latency_;
  if (name == "ttft") return &ttft_;
  if (name == "tpot") return &tpot_;
  if (name == "lag") return &lag_;
  return nullptr;
}

bool ReplayCollector::histogram(const records::Reader& at) {
  const auto h = at.as<records::Hist>();
  Metric* metric = metric_named(h.metric);
  if (metric == nullptr || h.klass != "*" || h.window || h.unit != "ns" ||
      h.sub_bits != stats::Histogram::kSubBits)
    return false;
  try {
    metric->add(stats::Histogram::from_fields({h.count, h.sum, h.min, h.max, h.clamped.value_or(0), h.bins}));
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: hist: {}", at.where(), error.what()));
  }
  return true;
}

bool ReplayCollector::take(const records::Reader& at) {
  if (at.type() == "result") return result(at);
  if (at.type() == "load_window") return window(at);
  if (at.type() == "hist") return histogram(at);
  return false;
}

void ReplayCollector::end(const records::Reader& at) {
  for (Metric* metric : {&latency_, &ttft_, &tpot_, &lag_}) metric->settle();
  due_.settle();
  ok_.settle();
  for (const records::Run& run : at.runs()) {
    if (run.slo) slo_ = *run.slo;
  }
}

const Metric& ReplayCollector::metric_of(std::string_view picture) const {
  if (picture.starts_with("ttft")) return ttft_;
  if (picture.starts_with("tpot")) return tpot_;
  if (picture == "lag") return lag_;
  return latency_;
}

void ReplayCollector::draw_rate(const std::string& prefix, Picture& into) const {
  into.title = "Requests due and answered well";
  into.x = {.label = "due time", .quantity = Quantity::time};
  into.y = {.label = "requests/s", .from_zero = true};
  if (!due_.empty()) {
    into.curves.push_back({prefix + due_.label("due"), Shape::line, due_.points(0, due_.end_ns())});
    into.curves.push_back({prefix + ok_.label("ok"), Shape::line, ok_.points(0, due_.end_ns())});
  } else {
    if (offered_.count() > 0) into.curves.push_back({prefix + "offered", Shape::line, offered_.points()});
    if (good_.count() > 0) into.curves.push_back({prefix + "good", Shape::line, good_.points()});
  }
}

// The run's objective on this metric, once for all inputs that have the same.
void ReplayCollector::add_limits(stats::SloMetric metric, bool vertical, Picture& into) const {
  if (slo_.empty()) return;
  std::vector<stats::SloTerm> terms;
  try {
    terms = stats::parse_slo(slo_);
  } catch (const Error&) {
    return;  // of a version with other terms; the picture stands without it
  }
  for (const stats::SloTerm& term : terms) {
    if (term.metric != metric || term.unit() != stats::SloUnit::ns) continue;
    const Mark mark{"SLO " + stats::slo_text(term), static_cast<double>(term.limit_ns) / 1e9, vertical};
    const auto same = [&](const Mark& other) { return other.label == mark.label; };
    if (std::none_of(into.marks.begin(), into.marks.end(), same)) into.marks.push_back(mark);
  }
}

void ReplayCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "rate") return draw_rate(prefix, into);
  const bool distribution = picture.ends_with("ccdf");
  const Metric& metric = metric_of(picture);
  const std::string what = &metric == &ttft_   ? "time to first token"
                           : &metric == &tpot_ ? "time per output token"
                           : &metric == &lag_  ? "lag of sending"
                                               : "latency";
  std::string capital = what;
  capital[0] = static_cast<char>(capital[0] - 'a' + 'A');
  if (distribution) {
    into.title = capital + ", CCDF";
    ccdf_axes(what, "share of requests at least so long", into);
    std::vector<Point> points = metric.distribution();
    if (points.empty()) return;
    into.curves.push_back({prefix + what, Shape::steps_to, std::move(points)});
  } else {
    into.title = capital + " over time";
    into.x = {.label = "due time", .quantity = Quantity::time};
    into.y = {.label = what, .quantity = Quantity::time, .from_zero = true};
    const size_t before = into.curves.size();
    metric.add_quantiles(prefix, into);
    if (into.curves.size() == before) return;
  }
  if (&metric == &latency_) add_limits(stats::SloMetric::latency, distribution, into);
  if (&metric == &ttft_) add_limits(stats::SloMetric::ttft, distribution, into);
  if (&metric == &tpot_) add_limits(stats::SloMetric::tpot, distribution, into);
}

}  // namespace

Kind replay_kind() {
  return {"replay",
          "load tests of mlq-replay",
          {"result", "load_window", "hist"},
          {{"latency", "quantiles of latency over time, with the SLO"},
           {"ccdf", "distribution of latency on log scales, with the SLO"},
           {"ttft", "time to first token over time"},
           {"ttft-ccdf", "its distribution"},
           {"tpot", "time per output token over time"},
           {"tpot-ccdf", "its distribution"},
           {"rate", "requests a second: due, and answered well"},
           {"lag", "how late the load generator was"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<ReplayCollector>()); }};
}

}  // namespace mlq::plot
