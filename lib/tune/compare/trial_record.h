// The record of a trial on a surface.
#pragma once

#include <string>

#include "lib/tune/compare/virtual_run.h"

namespace mlq::tune {

records::Trial trial_record(const VirtualTrial& trial, const Surface& surface, const std::string& tuner);

}  // namespace mlq::tune
