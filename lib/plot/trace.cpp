// Arrival traces. Exact: counts in the windows that are drawn, the index of dispersion, the ranks of gaps
// (their values to 0.4 %: lib/stats/histogram.h). What stat has measured (bin, idc, acf) is drawn as it
// stands.
#include "lib/records/trace.h"
#include "lib/plot/ccdf.h"
#include "lib/plot/collector.h"
#include "lib/plot/rate.h"
#include "lib/plot/thinned.h"
#include "lib/records/arrival.h"
#include "lib/stats/histogram.h"
#include "lib/stats/idc.h"

namespace mlq::plot {
namespace {

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

  RateCurve arrivals_;
  stats::Histogram gaps_;
  stats::IdcCounter idc_;
  int64_t last_ns_ = -1;
  int64_t duration_ns_ = 0;
  int64_t rate_end_ns_ = 0;
  Thinned bins_, path_, measured_idc_, acf_, acf_bound_;
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
}

void TraceCollector::draw_gaps(const std::string& prefix, Picture& into) const {
  into.title = "Gaps between arrivals, CCDF";
  ccdf_axes("gap", "share of gaps at least so long", into);
  if (gaps_.count() > 0) into.curves.push_back({prefix + "gaps", Shape::steps_to, ccdf(gaps_)});
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
  if (points.empty()) return;
  into.curves.push_back({prefix + "counts", Shape::points, std::move(points)});
  if (into.marks.empty()) into.marks.push_back({"Poisson", 1, false});
}

void TraceCollector::draw_acf(const std::string& prefix, Picture& into) const {
  into.title = "Autocorrelation of counts";
  into.x = {.label = "lag", .from_zero = true};
  into.y = {.label = "correlation"};
  if (acf_.count() == 0) return;
  into.curves.push_back({prefix + "counts", Shape::line, acf_.points()});
  into.curves.push_back({prefix + "bound of none", Shape::line, acf_bound_.points()});
}

void TraceCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "rate") draw_rate(prefix, into);
  if (picture == "gaps") draw_gaps(prefix, into);
  if (picture == "idc") draw_idc(prefix, into);
  if (picture == "acf") draw_acf(prefix, into);
}

}  // namespace

Kind trace_kind() {
  return {"trace",
          "arrival traces, and what mlq-loadgen stat says of them",
          {"arrival", "bin", "rate", "idc", "acf"},
          {{"rate", "arrivals a second over time"},
           {"gaps", "share of the gaps that are at least so long"},
           {"idc", "index of dispersion against the window, with its interval"},
           {"acf", "autocorrelation of counts (from stat)"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<TraceCollector>()); }};
}

}  // namespace mlq::plot
