// Claims without a gap law: equal spacing, and processes of which theory knows the mean rate and the
// dispersion.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/arrival/check/battery_kinds.h"
#include "lib/base/fixed.h"

namespace mlq::arrival {
namespace {

class SpacingBattery final : public Battery {
 public:
  explicit SpacingBattery(const Claim::Spacing& spacing) : spacing_(spacing) {}

  void add(int64_t t_ns) override {
    if (count_ == 0) first_ns_ = t_ns;
    // Against the whole schedule, so that no drift passes unseen.
    const u128 due = u128{count_} * spacing_.rate.ns / spacing_.rate.events;
    const double off = static_cast<double>(t_ns - first_ns_) - static_cast<double>(due);
    worst_ = std::max(worst_, std::fabs(off));
    ++count_;
  }
  void finish(int64_t, Findings& findings) override {
    if (count_ < 2) {
      findings.skip("spacing", "fewer than two arrivals", count_);
      return;
    }
    findings.add_exact(
        "spacing", worst_, spacing_.slack_ns, count_,
        fmt::format("largest distance from the schedule in ns, at most {}", spacing_.slack_ns));
  }

 private:
  Claim::Spacing spacing_;
  uint64_t count_ = 0;
  int64_t first_ns_ = 0;
  double worst_ = 0;
};

class ExpectedBattery final : public Battery {
 public:
  explicit ExpectedBattery(const Claim& claim) : claim_(claim) {}

  void add(int64_t) override { ++count_; }
  void finish(int64_t duration_ns, Findings& findings) override {
    findings.skip("gap_ks",
                  claim_.random_path
                      ? "the rate is random and the trace has no rate records (gen --emit-path)"
                      : "no gap law is known of " + claim_.spec->process,
                  count_);
    constexpr double enough = 1000;
    const double mean = claim_.expected->rate_per_s * static_cast<double>(duration_ns) * 1e-9;
    if (claim_.fixed_count) {
      findings.skip("rate", "count and duration were both fixed", count_);
    } else if (!claim_.expected->idc_limit || !(mean >= enough)) {
      findings.skip("rate",
                    claim_.expected->idc_limit ? "fewer than 1,000 arrivals were expected"
                                               : "theory knows no dispersion of the count",
                    count_);
    } else {
      const double error = std::sqrt(mean * std::max(*claim_.expected->idc_limit, 1e-9));
      findings.add(
          "rate", stats::moment_test(static_cast<double>(count_), mean, error, count_),
          fmt::format("{} arrivals of {:.6g} expected, by the dispersion of long windows", count_, mean));
    }
  }

 private:
  const Claim& claim_;
  uint64_t count_ = 0;
};

}  // namespace

std::unique_ptr<Battery> make_battery(Claim& claim, const BatteryLimits& limits) {
  if (claim.free_rate) return make_poisson_battery(limits);
  if (claim.spacing) return std::make_unique<SpacingBattery>(*claim.spacing);
  if (claim.law && claim.path) return make_law_battery(claim, limits);
  return std::make_unique<ExpectedBattery>(claim);
}

}  // namespace mlq::arrival
