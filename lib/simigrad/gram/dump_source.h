// The gram records of a set of dumps, measured step by step.
#pragma once

#include <functional>
#include <string>

#include "lib/simigrad/dump/dump_set.h"
#include "lib/simigrad/estimate/source.h"
#include "lib/simigrad/gram/measure.h"

namespace mlq::simigrad {

// What is met on the way. Each may be empty.
struct DumpEvents {
  std::function<void(const records::MissingGroup&)> missing;
  std::function<void(const records::GramTensor&)> tensor;  // each tensor's sums are asked for by setting it
  std::function<void(const std::string&)> warn;
};

// One step is in work at a time. Errors: those of open_step and measure.
class DumpSource : public GramSource {
 public:
  DumpSource(DumpSet set, DumpOptions dumps, MeasureOptions measuring, DumpEvents events);
  // Passes over steps of which a group is missing.
  bool next(records::Gram& out) override;
  std::string where() const override { return where_; }
  // Steps that were passed over.
  uint64_t incomplete_steps() const { return incomplete_; }
  bool stopped() const { return stopped_; }

 private:
  void say_missing(const StepFiles& files, const std::vector<uint64_t>& groups);
  void warn_of_mixture(const Step& step);
  void warn_of_rounding(const Step& step, const Measured& measured);

  DumpSet set_;
  DumpOptions dumps_;
  MeasureOptions measuring_;
  DumpEvents events_;
  size_t next_ = 0;
  uint64_t incomplete_ = 0;
  bool stopped_ = false, mixture_said_ = false, rounding_said_ = false;
  std::string where_;
};

}  // namespace mlq::simigrad
