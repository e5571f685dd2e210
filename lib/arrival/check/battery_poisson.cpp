// Is this a Poisson process of any constant rate?
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/arrival/check/battery_kinds.h"
#include "lib/arrival/check/phase_cells.h"
#include "lib/base/units.h"

namespace mlq::arrival {
namespace {

class PoissonBattery final : public Battery {
 public:
  explicit PoissonBattery(const BatteryLimits& limits)
      : within_(limits.seed, Purpose::bootstrap),
        gaps_(sample_capacity(limits.memory_bytes), limits.seed),
        phase_(1'000'000'000) {}

  void add(int64_t t_ns) override {
    // Given the nanosecond of an arrival of a Poisson process, all times within it are as likely. Without
    // them, gaps of 0 would upset the tests of the gaps' law.
    const double v = within_.uniform(times_.count(), 0, kRoundingStream);
    const bool tied = times_.count() > 0 && t_ns == times_.last_ns();
    const double part = tied ? last_part_ + (1 - last_part_) * v : v;
    if (times_.count() > 0) gaps_.add(static_cast<double>(t_ns - times_.last_ns()) + (part - last_part_));
    last_part_ = part;
    times_.add(t_ns);
    idc_.add(t_ns);
    series_.add(t_ns);
    phase_.arrived(t_ns);
  }

  void finish(int64_t duration_ns, Findings& findings) override {
    const std::string obstacle = times_.obstacle();
    if (!obstacle.empty()) {
      for (const char* name : {"gap_ks", "gap_anderson_darling", "lewis", "cv", "ljung_box", "runs",
                               "dispersion", "phase_1s", "memory_local_whittle"}) {
        findings.skip(name, obstacle, times_.count());
      }
      return;
    }
    test_gaps(duration_ns, findings);
    test_independence(gaps_, findings);
    test_dispersion(idc_.points(duration_ns), format_duration, findings);
    findings.add("phase_1s", phase_.test(duration_ns), "time within the second, in 100 cells");
    test_memory(series_, duration_ns, findings);
  }

 private:
  void test_gaps(int64_t duration_ns, Findings& findings) {
    std::vector<double> sorted = gaps_.values();
    std::sort(sorted.begin(), sorted.end());
    const std::string note = sample_note(gaps_);
    findings.add("gap_ks", stats::ks_exponential(sorted), note);
    findings.add("gap_anderson_darling", stats::anderson_darling_exponential(sorted), note);
    if (gaps_.complete()) {
      // A trace that begins or ends with an arrival by definition says nothing there.
      if (times_.first_ns() > 0) sorted.push_back(static_cast<double>(times_.first_ns()));
      if (duration_ns > times_.last_ns())
        sorted.push_back(static_cast<double>(duration_ns - times_.last_ns()));
      findings.add("lewis", stats::lewis_test(sorted));
    } else {
      findings.skip("lewis", "needs all gaps; raise --memory", gaps_.seen());
    }
    // The coefficient of variation of n exponentials has standard error n^-1/2.
    constexpr uint64_t enough = 1000;
    const stats::Moments moments = stats::moments(gaps_.values());
    if (moments.n < enough) {
      findings.skip("cv", "fewer than 1,000 gaps", moments.n);
    } else {
      const double error = 1 / std::sqrt(static_cast<double>(moments.n));
      findings.add("cv", stats::moment_test(moments.cv, 1, error, moments.n),
                   fmt::format("gap CV {:.6g}", moments.cv));
    }
  }

  Times times_;
  RandomStream within_;
  double last_part_ = 0;  // where in its nanosecond the last arrival was put
  stats::Reservoir<double> gaps_;
  stats::IdcCounter idc_;
  CountSeries series_;
  PhaseCells phase_;
};

}  // namespace

std::unique_ptr<Battery> make_poisson_battery(const BatteryLimits& limits) {
  return std::make_unique<PoissonBattery>(limits);
}

}  // namespace mlq::arrival
