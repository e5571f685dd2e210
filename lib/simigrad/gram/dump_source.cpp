#include "lib/simigrad/gram/dump_source.h"

#include "lib/base/error.h"
#include "lib/simigrad/gram/gram_record.h"

namespace mlq::simigrad {
namespace {

// The folder of a step's files, or the one file that it has there.
std::string place_of(const StepFiles& files) {
  const std::string& path = files.groups.begin()->second.front().path;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(0, slash);
}

// Half of the distance from 1 to the next number of the type.
double unit_roundoff(kernels::GramType type) {
  switch (type) {
    case kernels::GramType::f64:
      return 0x1p-53;
    case kernels::GramType::f32:
      return 0x1p-24;
    case kernels::GramType::f16:
      return 0x1p-11;
    case kernels::GramType::bf16:
      return 0x1p-8;
    case kernels::GramType::e4m3:
      return 0x1p-4;
    case kernels::GramType::e5m2:
      return 0x1p-3;
  }
  return 0;
}

}  // namespace

DumpSource::DumpSource(DumpSet set, DumpOptions dumps, MeasureOptions measuring, DumpEvents events)
    : set_(std::move(set)),
      dumps_(std::move(dumps)),
      measuring_(std::move(measuring)),
      events_(std::move(events)) {}

bool DumpSource::next(records::Gram& out) {
  while (next_ < set_.steps.size()) {
    const StepFiles& files = set_.steps[next_++];
    where_ = place_of(files);
    const OpenedStep opened = open_step(files, set_.groups, dumps_);
    if (!opened.missing.empty()) {
      say_missing(files, opened.missing);
      continue;
    }
    warn_of_mixture(opened.step);
    EachTensor each;
    if (events_.tensor)
      each = [&](const std::string& name, std::span<const Leaf> parts, const Measured& sums) {
        events_.tensor(gram_tensor_record(opened.step, name, parts, sums, where_));
      };
    const auto measured = measure(opened.step, measuring_, each);
    stopped_ = !measured;
    if (stopped_) return false;
    warn_of_rounding(opened.step, *measured);
    out = gram_record(opened.step, *measured, where_);
    return true;
  }
  return false;
}

void DumpSource::say_missing(const StepFiles& files, const std::vector<uint64_t>& groups) {
  ++incomplete_;
  for (const uint64_t group : groups) {
    if (events_.missing) {
      records::MissingGroup record;
      record.step = files.step;
      record.group = group;
      if (files.incarnation != 0) record.incarnation = files.incarnation;
      events_.missing(record);
    }
  }
}

void DumpSource::warn_of_mixture(const Step& step) {
  if (!step.mixed || mixture_said_ || !events_.warn) return;
  mixture_said_ = true;
  events_.warn(
      fmt::format("{}: the tensors are of several types; rounding to the narrower ones adds noise that "
                  "looks like that of the gradients",
                  where_));
}

// Rounding each element of g_i is noise of at most u^2/3 of its square in the mean, which between_ss / (K -
// 1) takes for noise of the samples.
void DumpSource::warn_of_rounding(const Step& step, const Measured& measured) {
  if (step.mixed || rounding_said_ || !events_.warn || step.groups() < 2 || step.leaves.empty()) return;
  const unsigned groups = step.groups();
  const double u = unit_roundoff(step.leaves.front().type);
  double rounding = 0;
  for (unsigned i = 0; i < groups; ++i)
    rounding +=
        static_cast<double>(step.samples[i]) * measured.sums[kernels::gram_products(i + 1) - 1] * (u * u / 3);
  rounding /= groups;
  const double noise = measured.sums[kernels::gram_products(groups)] / (groups - 1);
  if (!(rounding > 0.01 * noise) || noise == 0) return;
  rounding_said_ = true;
  events_.warn(
      fmt::format("{}: rounding to {} may be {:.2g} % of what looks like the gradients' noise; dump a wider "
                  "type, or fewer samples a group",
                  where_, step.dtype(), 100 * rounding / noise));
}

}  // namespace mlq::simigrad
