// Does a trace have this gap law around this rate path?
//
// By time rescaling (Brown et al. 2002) the gaps x_k = R(t_k) - R(t_(k-1)) of a modulated renewal process are
// independent with law F, so the u_k = F(x_k) are uniform and the e_k = -ln(1 - u_k) are the gaps of a
// Poisson process of rate 1, whatever F and R: what is known of that process is tested.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/arrival/check/battery_kinds.h"
#include "lib/arrival/check/phase_cells.h"
#include "lib/arrival/path/path_clock.h"
#include "lib/base/fmath.h"
#include "lib/base/units.h"
#include "lib/stats/sum.h"

namespace mlq::arrival {
namespace {

// Shorter gaps (ns) are wrong by more than 1 % from the rounding of times to nanoseconds. A law with a pole
// at 0 (gamma, Weibull of large CV) may have several percent of them, so they are counted, and the others are
// tested under the condition that they are longer.
constexpr int64_t kShortest = 100;

// The Poisson process of rate 1 is put on a clock of whole numbers, so many ticks a unit.
constexpr double kTicks = 1e6;

std::string arrivals_text(int64_t ticks) {
  return fmt::format("{}_arrivals", ticks / static_cast<int64_t>(kTicks));
}

std::vector<int64_t> dispersion_windows() {
  std::vector<int64_t> windows;
  for (int64_t arrivals = 10; arrivals <= 1'000'000; arrivals *= 10) {
    windows.push_back(arrivals * static_cast<int64_t>(kTicks));
  }
  return windows;
}

// The compensator since the last arrival: -ln(1 - F(x)).
double hazard_of(double u) { return -fmath::log1p(-std::min(u, 1 - 0x1p-53)); }

class LawBattery final : public Battery {
 public:
  LawBattery(Claim& claim, const BatteryLimits& limits)
      : claim_(claim),
        clock_(*claim.path),
        u_(sample_capacity(limits.memory_bytes), limits.seed),
        rounding_(limits.seed, Purpose::bootstrap),
        idc_(dispersion_windows()) {
    phases_.emplace_back(1'000'000'000);
    if (claim.seam_ns && claim.seam_ns != phases_[0].period_ns()) phases_.emplace_back(*claim.seam_ns);
  }

  void add(int64_t t_ns) override {
    if (claim_.batches && times_.count() > 0 && t_ns == times_.last_ns())
      return;  // the instant is what has a gap
    if (times_.count() > 0) add_gap(t_ns);
    last_mass_ = clock_.mass_at(t_ns);
    times_.add(t_ns);
    clock_.arrived(t_ns);
  }

  void finish(int64_t, Findings& findings) override {
    const bool fixed = claim_.law->cv() == 0;
    const std::string why = fixed && times_.count() >= kFewestArrivals ? "" : obstacle();
    if (!why.empty()) {
      for (const char* name : {"gap_ks", "gap_anderson_darling", "pieces", "rate", "ljung_box", "runs",
                               "dispersion", "phase_1s", "memory_local_whittle"}) {
        findings.skip(name, why, times_.count());
      }
      return;
    }
    if (fixed) {
      test_fixed(findings);
      return;
    }
    test_rate(findings);
    if (!claim_.law->continuous()) {
      findings.skip("gap_ks", "the gap law is not continuous", gaps_);
      return;
    }
    test_short_gaps(findings);
    test_uniform(findings);
    test_pieces(findings);
    test_independence(u_, findings);
    test_dispersion(idc_.points(unit_ticks()), arrivals_text, findings);
    for (PhaseCells& phase : phases_) test_phase(phase, findings);
    test_memory(series_, unit_ticks(), findings);
  }

 private:
  int64_t unit_ticks() const { return static_cast<int64_t>(unit_time_ * kTicks); }

  void add_gap(int64_t t_ns) {
    const bool is_short = t_ns - times_.last_ns() < kShortest;
    if (!is_short) update_short_u(times_.last_ns() + kShortest);
    walk_phases(t_ns);
    const double x = fixed_to_double(clock_.mass_at(t_ns) - last_mass_);
    ++gaps_;
    sum_ += x;
    squares_ += x * x;
    cubes_ += x * x * x;
    worst_ = std::max(worst_, std::fabs(x - 1));
    expected_short_ += short_u_;
    if (is_short) {
      ++short_gaps_;
      return;
    }
    // The gap that was rounded to whole nanoseconds lay about within half a one on either side.
    const double rounding = short_x_ / kShortest * (rounding_.uniform(gaps_, 0, kRoundingStream) - 0.5);
    const double u = std::max(0.0, (claim_.law->cdf(x + rounding) - short_u_) / (1 - short_u_));
    u_.add(u);
    // A clock of 63 bits holds 9e12 units.
    unit_time_ = std::min(unit_time_ + hazard_of(u), 9e12);
    idc_.add(unit_ticks());
    series_.add(unit_ticks());
  }

  // F of a gap of kShortest, for the rate after the last arrival. The rate seldom changes much from one gap
  // to the next.
  void update_short_u(int64_t end_ns) {
    const double x = fixed_to_double(clock_.mass_at(end_ns) - last_mass_);
    if (std::fabs(x - short_x_) <= 1e-9 * short_x_) return;
    short_x_ = x;
    short_u_ = claim_.law->cdf(x * (kShortest - 0.5) / kShortest);
  }

  // Ties that the law does not account for.
  std::string obstacle() const {
    if (static_cast<double>(short_gaps_) < 2 * expected_short_.value() && times_.count() >= kFewestArrivals)
      return "";
    return times_.obstacle();
  }

  void test_short_gaps(Findings& findings) const {
    const double n = static_cast<double>(gaps_);
    const double expected = expected_short_.value();
    constexpr double enough = 20;
    if (expected < enough) return;  // the law hardly has any; one too many is for the tests of the others
    const double error = std::sqrt(expected * (1 - expected / n));
    findings.add("short_gaps", stats::moment_test(static_cast<double>(short_gaps_), expected, error, gaps_),
                 fmt::format("{} gaps below {} ns, {:.6g} expected", short_gaps_, kShortest, expected));
  }

  // What was expected of each cell since the last arrival. Bounded: of a long trace, only the beginning is
  // looked at.
  void walk_phases(int64_t t_ns) {
    constexpr uint64_t most_steps = uint64_t{1} << 21;
    double hazard = 0;
    for (int64_t at = times_.last_ns(); at < t_ns && phase_steps_ < most_steps; ++phase_steps_) {
      int64_t border = t_ns;
      for (const PhaseCells& phase : phases_) border = std::min(border, phase.border_after(at));
      const double until = hazard_of(claim_.law->cdf(fixed_to_double(clock_.mass_at(border) - last_mass_)));
      for (PhaseCells& phase : phases_) phase.expect(at, until - hazard);
      hazard = until;
      at = border;
    }
    if (phase_steps_ >= most_steps) return;
    for (PhaseCells& phase : phases_) phase.arrived(t_ns);
    phase_end_ns_ = t_ns;
  }

  void test_fixed(Findings& findings) const {
    // Times are rounded down to a nanosecond, which counts for more where the rate is high; ten times the
    // mean rate is allowed for.
    const double per_ns = sum_.value() / static_cast<double>(times_.last_ns() - times_.first_ns());
    findings.add_exact("spacing", worst_, 1e-6 + 20 * per_ns, gaps_,
                       "largest distance of a gap in operational time from 1");
  }

  void test_rate(Findings& findings) const {
    const double n = static_cast<double>(gaps_);
    const double mean = sum_.value() / n;
    const double variance = std::max(squares_.value() / n - mean * mean, 1e-300);
    const double third = cubes_.value() / n - 3 * mean * squares_.value() / n + 2 * mean * mean * mean;
    const double skewness = third / (variance * std::sqrt(variance));
    const double cv = claim_.law->cv();
    if (claim_.fixed_count) {
      findings.skip("rate", "count and duration were both fixed", gaps_);
    } else if (!std::isfinite(cv)) {
      findings.skip("rate", "the gap law has no variance", gaps_);
    } else if (n < 100 * skewness * skewness) {
      findings.skip("rate", "too few gaps for a law with such a tail", gaps_);
    } else {
      findings.add("rate", stats::moment_test(mean, 1, cv / std::sqrt(n), gaps_),
                   fmt::format("mean gap {:.6g} of what the rate says", mean));
    }
  }

  void test_uniform(Findings& findings) const {
    std::vector<double> sorted = u_.values();
    std::sort(sorted.begin(), sorted.end());
    const std::string note = sample_note(u_);
    findings.add("gap_ks", stats::ks_uniform(sorted), note);
    findings.add("gap_anderson_darling", stats::anderson_darling_uniform(sorted), note);
  }

  // Piece by piece the rate need not be right: what is tested is the gaps' shape.
  void test_pieces(Findings& findings) const {
    constexpr size_t pieces = 20;
    constexpr size_t enough = 200;
    if (!u_.complete() || gaps_ < enough) {
      findings.skip("pieces", u_.complete() ? "fewer than 200 gaps" : "needs all gaps; raise --memory",
                    gaps_);
      return;
    }
    std::vector<double> times;
    double t = 0;
    for (const double u : u_.values()) times.push_back(t += hazard_of(u));
    std::vector<double> transformed;
    size_t from = 0;
    for (size_t k = 0; k < pieces; ++k) {
      const double begin = t * static_cast<double>(k) / pieces;
      const double end = t * static_cast<double>(k + 1) / pieces;
      size_t to = from;
      while (to < times.size() && times[to] < end) ++to;
      stats::append_log_transform(std::span(times).subspan(from, to - from), begin, end, transformed);
      from = to;
    }
    findings.add("pieces", stats::lewis_test(transformed), "log transform in 20 pieces");
  }

  void test_phase(PhaseCells& phase, Findings& findings) {
    const bool whole = phase_end_ns_ == times_.last_ns();
    findings.add("phase_" + format_duration(phase.period_ns()), phase.test(phase_end_ns_),
                 "time within the period, in 100 cells" +
                     (whole ? std::string() : ", of the first " + format_duration(phase_end_ns_)));
  }

  Claim& claim_;
  PathClock clock_;
  Times times_;
  u128 last_mass_ = 0;
  uint64_t gaps_ = 0;
  stats::Sum sum_, squares_, cubes_;
  double worst_ = 0;  // |x - 1|
  double short_x_ = 0;
  double short_u_ = 0;
  uint64_t short_gaps_ = 0;
  stats::Sum expected_short_;
  stats::Reservoir<double> u_;
  RandomStream rounding_;
  double unit_time_ = 0;
  stats::IdcCounter idc_;
  CountSeries series_;
  std::vector<PhaseCells> phases_;
  uint64_t phase_steps_ = 0;
  int64_t phase_end_ns_ = 0;
};

}  // namespace

std::unique_ptr<Battery> make_law_battery(Claim& claim, const BatteryLimits& limits) {
  return std::make_unique<LawBattery>(claim, limits);
}

}  // namespace mlq::arrival
