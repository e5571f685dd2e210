// Stages of `mlq-loadgen xform`: text to struct and back, and the sources that do the work.
//
//   scale-rate X         divides times by X (and think_ns), rounding down; X an exact ratio > 0
//   thin P               keeps each arrival by its own coin: purpose thin, index i, stream = the stage's
//   place clip A..B [keep-time]  keeps t in [A, B) and shifts A to 0; either bound may be left out shift D
//   adds D, which may be negative; an arrival before 0 is an input Error loop N|T             N times, or
//   over and over up to T; the period is the trace's duration, not its last t splice FILE...       one trace
//   after the other, at their durations superpose FILE...    all at once, in the order (t_ns, source, i);
//   where every source has an `i` of its
//                        own, as shards have, (t_ns, i, source): the shards of a trace give that trace
//   dequantise none|uniform|even [P]
//                        spreads equal times inside the clock's step P (lib/arrival/import/dequantise.h);
//                        without P, the run record's resolution_ns or what a first pass finds
//
// Where arrivals are dropped or joined, they are numbered anew in order and after_i follows; their `i`, which
// is their place then, is not written. An after_i whose request is gone is dropped, with its think_ns. Memory
// is O(1), but for requests that others may wait for (those with a conversation) and for the arrivals of one
// stamp under dequantise. A loop, and a dequantise that must find P, read their input again; one that is no
// regular file is kept in a temporary file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/arrival/import/dequantise.h"
#include "lib/arrival/trace/source.h"
#include "lib/base/units.h"
#include "lib/records/writer.h"

namespace mlq::arrival {

struct ScaleRateStage {
  Ratio factor;
};
struct ThinStage {
  Ratio keep;  // at most 1
};
struct ClipStage {
  std::optional<int64_t> from_ns;
  std::optional<int64_t> to_ns;
  bool keep_time = false;
};
struct ShiftStage {
  int64_t by_ns = 0;
};
struct LoopStage {  // one of them
  std::optional<uint64_t> times;
  std::optional<int64_t> until_ns;
};
struct SpliceStage {
  std::vector<std::string> files;
};
struct SuperposeStage {
  std::vector<std::string> files;
};
struct DequantiseStage {
  Dequantise mode = Dequantise::none;
  std::optional<int64_t> resolution_ns;
};

using Stage = std::variant<ScaleRateStage, ThinStage, ClipStage, ShiftStage, LoopStage, SpliceStage,
                           SuperposeStage, DequantiseStage>;

// One stage from its text: words between spaces, file names with spaces in double or single quotes. A usage
// Error that quotes the text and says what is expected.
Stage parse_stage(std::string_view text);
// The stage in its one canonical form, which parse_stage reads back.
std::string format_stage(const Stage& stage);

struct XformOptions {
  TraceOptions trace;
  uint64_t seed = 1;
};

// Applies the stages, in order, to the trace in `file` and writes the result: `run` (base, and the stages,
// the inputs' run records and what still holds of them), the arrivals, `end`. A stop request ends the trace
// early and cleanly, with end.interrupted. Errors: usage for a stage's text, input and environment Errors of
// the files.
void run_xform(const std::vector<std::string>& stages, const std::string& file, const XformOptions& options,
               records::Run base, records::Writer& writer);

}  // namespace mlq::arrival
