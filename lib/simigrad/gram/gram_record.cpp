#include "lib/simigrad/gram/gram_record.h"

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"

namespace mlq::simigrad {
namespace {

constexpr std::string_view kSum = "f64-16x64x64";

std::string nonfinite_note(const Measured& measured) {
  const auto group =
      std::ranges::find_if(measured.nonfinite, [](const NonFiniteElements& g) { return g.count > 0; });
  return fmt::format("nonfinite: group {}, tensor {}, element {}", group - measured.nonfinite.begin(),
                     tensorfile::in_quotes(group->tensor), group->index);
}

void fill(records::GramSums& record, const Step& step, const Measured& measured, const std::string& source) {
  const unsigned groups = step.groups(), products = kernels::gram_products(groups);
  record.step = step.step;
  record.batch_samples = step.batch_samples();
  record.groups = groups;
  if (step.incarnation != 0) record.incarnation = step.incarnation;
  if (std::ranges::adjacent_find(step.samples, std::ranges::not_equal_to()) != step.samples.end())
    record.group_samples = step.samples;
  record.loss_scale = step.loss_scale;
  record.nonfinite = measured.nonfinite_count();
  record.sum = kSum;
  record.source = source;
  const auto finite = [](double x) { return std::isfinite(x); };
  if (*record.nonfinite > 0 || !std::ranges::all_of(measured.sums, finite)) {
    record.note = *record.nonfinite > 0 ? nonfinite_note(measured) : "overflow";
    return;
  }
  record.gram.emplace(measured.sums.begin(), measured.sums.begin() + products);
  record.between_ss = measured.sums[products];
  uint64_t zeros = 0;
  for (unsigned i = 0; i < groups; ++i) zeros += measured.sums[kernels::gram_products(i + 1) - 1] == 0;
  record.zero_groups = zeros;
  if (groups == 1) {
    record.note = "one_group";
  } else if (zeros > 0) {
    record.note = "zero_norm";
  }
}

}  // namespace

records::Gram gram_record(const Step& step, const Measured& measured, const std::string& source) {
  records::Gram record;
  fill(record, step, measured, source);
  record.params = step.params();
  record.tensors = step.tensors();
  record.dtype = step.dtype();
  return record;
}

records::GramTensor gram_tensor_record(const Step& step, const std::string& tensor,
                                       std::span<const Leaf> parts, const Measured& measured,
                                       const std::string& source) {
  records::GramTensor record;
  fill(record, step, measured, source);
  record.tensor = tensor;
  uint64_t params = 0;
  for (const Leaf& part : parts) params += part.elems;
  record.params = params;
  record.dtype = dtype_name(step.info(parts.front().places.front()).dtype);
  return record;
}

}  // namespace mlq::simigrad
