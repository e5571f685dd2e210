// Arrival traces. Exact: counts in the windows that are drawn, the index of dispersion, the ranks of gaps
// (their values to 0.4 %: lib/stats/histogram.h). What stat has measured (bin, idc, acf) is drawn as it
// stands.
#include <algorithm>
#include <optional>

#include "lib/plot/ccdf.h"
#include "lib/plot/collector.h"
#include "lib/plot/rate.h"
#include "lib/plot/rows.h"
#include "lib/plot/thinned.h"
#include "lib/records/arrival.h"
#include "lib/records/trace.h"
#include "lib/stats/histogram.h"
#include "lib/stats/idc.h"

namespace mlq::plot {
namespace {

constexpr std::string_view kPoisson = "Poisson";

class TraceCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void end(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  void arrival(const records::Reader& at);
  void draw_rate(const std::string& prefix, Picture& into) const;
  void draw_gaps(const std::string& prefix, Picture& into) const;
  void draw_idc(const std::string& prefix, Picture& into) const;
  void draw_acf(const std::string& prefix, Picture& into) const;
  void draw_qq(const std::string& prefix, Picture& into) const;
  void draw_theory(const std::string& prefix, Picture& into) const;
  bool histogram(const records::Reader& at);

  RateCurve arrivals_;
  stats::Histogram gaps_;
  stats::IdcCounter idc_;
  int64_t last_ns_ = -1;
  int64_t duration_ns_ = 0;
  int64_t rate_end_ns_ = 0;
  Thinned bins_, path_, measured_idc_, acf_, acf_bound_, qq_;
  stats::Histogram measured_gaps_;
  std::optional<records::Expected> expected_;
  std::optional<records::TraceStat> stat_;
};

void TraceCollector::arrival(const records::Reader& at) {
  const int64_t t_ns = at.as<records::Arrival>().t_ns;
  if (t_ns < 0)
    throw input_error("{}: arrival: t_ns is {}; times count from the start of the trace", at.where(), t_ns);
  if (t_ns < last_ns_)
    throw input_error("{}: arrival: t_ns goes back; sort the trace: mlq-loadgen xform --do sort", at.where());
  if (last_ns_ >= 0) gaps_.record(t_ns - last_ns_);
  arrivals_.add(t_ns);
  idc_.add(t_ns);
  last_ns_ = t_ns;
}

bool TraceCollector::histogram(const records::Reader& at) {
  const auto h = at.as<records::Hist>();
  if (h.metric != "gap_ns" || h.klass != "*") return false;
  const auto counted = histogram_of(h, at.where());
  if (counted) measured_gaps_.merge(*counted);
  return counted.has_value();
}

bool TraceCollector::take(const records::Reader& at) {
  const std::string_view type = at.type();
  if (type == "arrival") {
    arrival(at);
  } else if (type == "bin") {
    const auto bin = at.as<records::Bin>();
    if (bin.klass && *bin.klass != "*") return false;
    if (bin.dt_ns <= 0) throw input_error("{}: bin: dt_ns is {}; it must be above 0", at.where(), bin.dt_ns);
    bins_.add({static_cast<double>(bin.t_ns) / 1e9, bin.count / (static_cast<double>(bin.dt_ns) / 1e9)});
  } else if (type == "rate") {
    const auto rate = at.as<records::RatePoint>();
    path_.add({static_cast<double>(rate.t_ns) / 1e9, rate.rate_per_s});
  } else if (type == "idc") {
    const auto idc = at.as<records::Idc>();
    measured_idc_.add({static_cast<double>(idc.window_ns) / 1e9, idc.idc, idc.idc_lo.value_or(kNone),
                       idc.idc_hi.value_or(kNone)});
  } else if (type == "acf") {
    const auto acf = at.as<records::Acf>();
    acf_.add({static_cast<double>(acf.lag), acf.acf});
    acf_bound_.add({static_cast<double>(acf.lag), acf.bound});
  } else if (type == "qq") {
    const auto q = at.as<records::Qq>();
    qq_.add({static_cast<double>(q.expected_ns) / 1e9, static_cast<double>(q.observed_ns) / 1e9});
  } else if (type == "hist") {
    return histogram(at);
  } else if (type == "expected") {
    expected_ = at.as<records::Expected>();
  } else if (type == "trace_stat") {
    auto stat = at.as<records::TraceStat>();
    if (stat.klass != "*") return false;
    stat_ = std::move(stat);
  } else {
    return false;
  }
  return true;
}

void TraceCollector::end(const records::Reader& at) {
  arrivals_.settle();
  duration_ns_ = std::max<int64_t>(last_ns_, 0);
  rate_end_ns_ = arrivals_.end_ns();
  if (!at.end() || !at.end()->duration_ns) return;
  duration_ns_ = std::max(duration_ns_, *at.end()->duration_ns);
  rate_end_ns_ = duration_ns_;
}

void TraceCollector::draw_rate(const std::string& prefix, Picture& into) const {
  into.title = "Arrival rate";
  into.x = {.label = "time", .quantity = Quantity::time};
  into.y = {.label = "arrivals/s", .from_zero = true};
  if (last_ns_ >= 0)
    into.curves.push_back(
        {prefix + arrivals_.label("arrivals"), Shape::line, arrivals_.points(0, rate_end_ns_)});
  if (bins_.count() > 0) into.curves.push_back({prefix + "counted", Shape::steps, bins_.points()});
  if (path_.count() > 0) into.curves.push_back({prefix + "rate path", Shape::steps, path_.points()});
  if (expected_) into.marks.push_back({prefix + "expected", expected_->rate_per_s, false});
}

void TraceCollector::draw_gaps(const std::string& prefix, Picture& into) const {
  into.title = "Gaps between arrivals, CCDF";
  ccdf_axes("gap", into);
  const stats::Histogram& gaps = gaps_.count() > 0 ? gaps_ : measured_gaps_;
  if (gaps.count() > 0) into.curves.push_back({prefix + "gaps", Shape::steps_to, ccdf(gaps)});
}

void TraceCollector::draw_idc(const std::string& prefix, Picture& into) const {
  into.title = "Index of dispersion for counts";
  into.x = {.label = "window", .quantity = Quantity::time, .logarithmic = true};
  into.y = {.label = "variance / mean", .logarithmic = true};
  std::vector<Point> points = measured_idc_.points();
  if (points.empty() && last_ns_ >= 0) {
    for (const stats::IdcPoint& p : idc_.points(duration_ns_)) {
      if (p.idc > 0) points.push_back({static_cast<double>(p.window_ns) / 1e9, p.idc, p.lo, p.hi});
    }
  }
  if (expected_ && expected_->idc_limit)
    into.marks.push_back({prefix + "expected in long windows", *expected_->idc_limit, false});
  if (points.empty()) return;
  into.curves.push_back({prefix + "counts", Shape::points, std::move(points)});
  const auto is_poisson = [](const Mark& mark) { return mark.label == kPoisson; };
  if (std::none_of(into.marks.begin(), into.marks.end(), is_poisson))
    into.marks.push_back({std::string(kPoisson), 1, false});
}

void TraceCollector::draw_acf(const std::string& prefix, Picture& into) const {
  into.title = "Autocorrelation of gaps";
  into.x = {.label = "lag", .from_zero = true};
  into.y = {.label = "correlation"};
  if (acf_.count() == 0) return;
  into.curves.push_back({prefix + "gaps", Shape::line, acf_.points()});
  into.curves.push_back({prefix + "95 % of independent gaps", Shape::line, acf_bound_.points()});
}

void TraceCollector::draw_qq(const std::string& prefix, Picture& into) const {
  into.title = "Gaps against an exponential law, by quantile";
  into.x = {.label = "exponential", .quantity = Quantity::time, .logarithmic = true};
  into.y = {.label = "observed", .quantity = Quantity::time, .logarithmic = true};
  if (qq_.count() == 0) return;
  const std::vector<Point> points = qq_.points();
  into.curves.push_back({prefix + "gaps", Shape::points, points});
  Curve equal{prefix + "equal", Shape::line, {}};
  for (const Point& p : points) equal.points.push_back({p.x, p.x});
  into.curves.push_back(std::move(equal));
}

// What theory says of a process, what was measured of a trace, or both.
void TraceCollector::draw_theory(const std::string& prefix, Picture& into) const {
  into.title = "What theory expects, and what was measured";
  into.x = {.label = "value", .logarithmic = true};
  const auto draw = [&](const std::string& label, const std::optional<double>& rate,
                        const std::optional<double>& cv, const std::optional<double>& idc) {
    Rows rows;
    if (rate) rows.add("arrivals/s", {*rate, 0});
    if (cv) rows.add("variation of the gaps", {*cv, 0});
    if (idc) rows.add("dispersion, long windows", {*idc, 0});
    rows.draw(prefix + label, into);
  };
  if (expected_) draw("expected", expected_->rate_per_s, expected_->cv, expected_->idc_limit);
  if (!stat_) return;
  const std::vector<Point> idc = measured_idc_.points();
  draw("measured", stat_->rate_per_s, stat_->gap_cv,
       idc.empty() ? std::nullopt : std::optional<double>(idc.back().y));
}

void TraceCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "rate") draw_rate(prefix, into);
  if (picture == "gaps") draw_gaps(prefix, into);
  if (picture == "idc") draw_idc(prefix, into);
  if (picture == "acf") draw_acf(prefix, into);
  if (picture == "qq") draw_qq(prefix, into);
  if (picture == "theory") draw_theory(prefix, into);
}

}  // namespace

Kind trace_kind() {
  return {"trace",
          "arrival traces, and what mlq-loadgen stat and explain say of them",
          {"arrival", "bin", "rate", "idc", "acf", "qq", "hist", "expected", "trace_stat"},
          {{"rate", "arrivals a second over time"},
           {"gaps", "share of the gaps that are at least so long"},
           {"idc", "index of dispersion against the window, with its interval"},
           {"acf", "autocorrelation of gaps (from stat)"},
           {"qq", "quantiles of gaps against an exponential law (from stat)"},
           {"theory", "rate, variation, dispersion: expected and measured (from explain, stat)"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<TraceCollector>()); }};
}

}  // namespace mlq::plot
