// `mlq-loadgen check`: does a trace keep a claim? A battery of statistical tests and one verdict.
#pragma once

#include <cstdint>
#include <string>

#include "lib/arrival/trace/source.h"
#include "lib/records/trace.h"
#include "lib/records/writer.h"

namespace mlq::arrival {

struct CheckOptions {
  TraceOptions trace;
  // The claim: `poisson` (of any constant rate), `self` (the spec in the trace's run record) or the text of a
  // spec. Empty: `self` where the trace has a spec, else `poisson`.
  std::string against;
  double alpha = 0.01;   // family-wise: the chance that a trace that keeps the claim fails, by Holm's rule
  std::string data_dir;  // folder of the data that presets name
  uint64_t seed = 1;     // of the sample that is kept of a trace too long for the memory
};

// Reads the trace in `file`, writes `run`, one `test` a test, one `verdict` and `end`, and returns the
// verdict. Errors: those of open_trace; a usage Error for a claim that cannot be read; an input Error, after
// the records, for a trace without arrivals.
records::Verdict run_check(const std::string& file, const CheckOptions& options, records::Run base,
                           records::Writer& writer);

}  // namespace mlq::arrival
