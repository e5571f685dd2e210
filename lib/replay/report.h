// `mlq-replay report`: the accounts of a run made anew, with another objective, of a slice of it, or in
// another form. Several streams count as one run; whether they are all of it is the business of merge.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/records/reader.h"
#include "lib/records/writer.h"
#include "lib/replay/summary.h"
#include "lib/replay/windows.h"

namespace mlq::replay {

struct ReportOptions {
  records::ReaderOptions reader;
  std::optional<std::string> slo;  // in place of the run's
  // The slice: a class, due times in [from_ns, to_ns), outcomes.
  std::optional<std::string> klass;
  std::optional<int64_t> from_ns, to_ns;
  std::vector<Outcome> outcomes;
  std::optional<WindowOptions> windows;
  // Told what people should know and no record says, one line each; may be empty.
  std::function<void(const std::string&)> notice;

  bool sliced() const { return klass || from_ns || to_ns || !outcomes.empty(); }
};

struct Report {
  records::Run run;      // of the first stream; default if it has none
  std::string history;   // run records of the streams, as elements of a JSON array
  std::string slo_text;  // empty if there is none
  std::vector<stats::SloTerm> slo;
  Accounts accounts;
  RunFacts facts;
  std::vector<records::LoadWindow> windows;
  std::vector<records::Summary> summaries;  // "*" first
  bool interrupted = false;                 // a stop request ended the reading
};

// Reads the streams. What needs single requests (a slice by time or outcome, windows, another per-request
// term) comes from result records; all else from hist, outcome and summary records where they are there, so
// that a run without results can be reported too. Gaps between tokens that the results do not hold come from
// the hist records if nothing is sliced, and are absent otherwise; note says so. inflight and CPU are of
// whole runs only. Results due before the end of the warm-up stay out unless --from asks for them, for which
// the files are read twice.
//
// Input Errors: no results where they are needed, or fewer than the run had requests (--results errors, none,
// sample); a cut stream, unless the reader's options allow it; nothing in the slice. Memory: the accounts, of
// every window at once (8 bytes a value and metric, at most 42 kB a metric).
Report make_report(const std::vector<std::string>& files, const ReportOptions& options);

// The report as records: run, load_window, hist, outcome, summary, end. Closes the writer.
void write_report(const Report& report, records::Run base, records::Writer& writer);

// For people, as a Markdown document.
std::string report_markdown(const Report& report);
// A line of field names (those of summary), then one line a summary and one a window; `type` tells them
// apart. RFC 4180.
std::string report_csv(const Report& report);
// The percentiles of latency in the text form of HdrHistogram, in ms. Where requests went unanswered it stops
// at the last percentile that is known, and a comment says so.
std::string report_hgrm(const Report& report);

}  // namespace mlq::replay
