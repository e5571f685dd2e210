// What a trace is claimed to be, ready to be tested. Inside lib/arrival only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/arrival/process/process.h"
#include "lib/records/stream.h"
#include "lib/records/trace.h"

namespace mlq::arrival {

struct Claim {
  std::string text;        // for people
  bool free_rate = false;  // a Poisson process of any constant rate; nothing below is set then

  std::optional<ProcessSpec> spec;  // expanded
  LawPtr law;                       // of the gaps in operational time; null where there is none
  RatePathPtr path;                 // null where it must come from rate records
  bool random_path = false;
  bool batches = false;      // several arrivals an instant are part of the claim
  bool fixed_count = false;  // the number of arrivals and the duration were both fixed
  // Arrivals at a fixed distance, give or take.
  struct Spacing {
    Rate rate;
    double slack_ns;
  };
  std::optional<Spacing> spacing;
  std::optional<records::Expected> expected;  // what theory says, where there is no law to test
  std::optional<int64_t> seam_ns;             // length of a period at whose borders seams could be
};

// `against` as in CheckOptions; `about` is the run record of the trace. Errors: see run_check.
Claim make_claim(const std::string& against, const records::Run& about, const std::string& data_dir);

}  // namespace mlq::arrival
