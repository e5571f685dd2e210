// The sources behind the stages. Each owns the source that it wraps. Inside lib/arrival only.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "lib/arrival/trace/source.h"
#include "lib/arrival/xform/stage.h"

namespace mlq::arrival {

using SourcePtr = std::unique_ptr<Source>;

// A stage over one source; what it does not change comes from there.
class Wrapper : public Source {
 public:
  explicit Wrapper(SourcePtr in) : in_(std::move(in)), about_(in_->about()) {}
  int64_t duration_ns() const override { return in_->duration_ns(); }
  const records::Run& about() const override { return about_; }
  std::string truncation() const override { return in_->truncation(); }

 protected:
  SourcePtr in_;
  records::Run about_;
};

// Old numbers of requests that others of the same trace may wait for, and the new ones. Bounded: an input
// Error beyond.
class Links {
 public:
  // Numbers the arrival `i` and mends its after_i; an after_i whose request is not known is dropped.
  void renumber(records::Arrival& arrival, uint64_t i);
  void clear() { new_number_.clear(); }

 private:
  std::unordered_map<uint64_t, uint64_t> new_number_;
};

// Times add up with an input Error where they pass 2^63 - 1 ns.
int64_t add_times(int64_t a, int64_t b);

// Keeps of `about` what is also true of `other`. Prefix blocks of different sizes do not mix: an input Error.
void keep_common(records::Run& about, const records::Run& other);

SourcePtr make_scale_rate(SourcePtr in, const ScaleRateStage& stage);
// `place` keeps the coins of several thin stages apart.
SourcePtr make_thin(SourcePtr in, const ThinStage& stage, uint64_t seed, uint32_t place);
SourcePtr make_clip(SourcePtr in, const ClipStage& stage);
SourcePtr make_shift(SourcePtr in, const ShiftStage& stage);
// `again` opens another copy of `in`.
SourcePtr make_loop(SourcePtr in, std::function<SourcePtr()> again, const LoopStage& stage);
SourcePtr make_splice(std::vector<SourcePtr> in);
// `by_number`: of equal times the lower `i` goes first, so that the shards of a trace give the trace.
SourcePtr make_superpose(std::vector<SourcePtr> in, bool by_number);
// `resolution_ns` is the step of the clock. Holds the arrivals of one stamp.
SourcePtr make_dequantise(SourcePtr in, Dequantise mode, int64_t resolution_ns, uint64_t seed);

}  // namespace mlq::arrival
