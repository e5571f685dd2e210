// `rate-file`: a series of rates or counts as a rate path.
#pragma once

#include <vector>

#include "lib/arrival/path/path.h"
#include "lib/arrival/process/sequential.h"
#include "lib/arrival/process/spec.h"

namespace mlq::arrival {

// The file (the argument, `-` is standard input) holds `bin` records of one class (--class chooses), `rate`
// records, or a table. With --bin each row of a table is the count of one bin, in its second or only column,
// in order; without it, rows are (time in seconds, rate per second), the last of them an end.
RatePathPtr rate_file_path(const Settings& settings);
// For --counts keep: bins with whole counts.
std::vector<CountedBin> rate_file_bins(const Settings& settings);

}  // namespace mlq::arrival
