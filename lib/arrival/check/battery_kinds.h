// The batteries by kind of claim. Inside lib/arrival only.
#pragma once

#include "lib/arrival/check/battery_common.h"

namespace mlq::arrival {

std::unique_ptr<Battery> make_poisson_battery(const BatteryLimits& limits);
// For a claim with a gap law and a path. The claim must outlive it.
std::unique_ptr<Battery> make_law_battery(Claim& claim, const BatteryLimits& limits);

}  // namespace mlq::arrival
