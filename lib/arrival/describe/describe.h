// `mlq-loadgen stat`: a trace described in records, in one pass and constant memory.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/arrival/trace/source.h"
#include "lib/records/trace.h"
#include "lib/records/writer.h"

namespace mlq::arrival {

// Kinds of records that stat can write.
enum class StatKind { trace_stat, idc, acf, qq, hist, bin };

// `trace_stat,idc,...`; `all`. A usage Error that lists the kinds otherwise.
std::set<StatKind> parse_stat_kinds(std::string_view text);

struct StatOptions {
  TraceOptions trace;
  std::set<StatKind> emit = {StatKind::trace_stat, StatKind::idc,  StatKind::acf,
                             StatKind::qq,         StatKind::hist, StatKind::bin};
  std::optional<int64_t>
      bin_ns;  // width of the bins; by default about a hundredth of the trace, a round number
};

// For people: what a table and a chart on a terminal show.
struct StatSummary {
  std::vector<records::TraceStat> stats;  // "*" first, then the classes
  std::vector<records::Idc> idc;
  int64_t bin_ns = 0;
  std::vector<double> bins;  // counts, at most about 200 of them
};

// Rows (name, value) that describe one trace_stat; values are formatted for people, missing ones left out.
std::vector<std::pair<std::string, std::string>> summary_rows(const records::TraceStat& stat);

// Reads the trace in `file` (arrivals, or `bin` records of a series of counts) and writes `run`, the records
// asked for and `end`. Bins of a given width are written as they close, before all other records; round ones
// come last. Memory: about 3 MB, 42 to 126 kB a class up to 1,000 of them, the prefix blocks seen, up to
// trace.memory_bytes (about 64 bytes each), and the bins of a series of counts. Errors: those of open_trace;
// input Errors for bins that overlap.
StatSummary run_stat(const std::string& file, const StatOptions& options, records::Run base,
                     records::Writer& writer);

}  // namespace mlq::arrival
