// The gram record of what was measured.
#pragma once

#include <string>

#include "lib/records/simigrad.h"
#include "lib/simigrad/gram/measure.h"

namespace mlq::simigrad {

// Of the whole step. `source`: where its files are. `note` says why sums are null (`nonfinite` and the place,
// `overflow`) or what they cannot tell (`one_group`, `zero_norm`).
records::Gram gram_record(const Step& step, const Measured& measured, const std::string& source);
// Of one tensor, with its parts.
records::GramTensor gram_tensor_record(const Step& step, const std::string& tensor,
                                       std::span<const Leaf> parts, const Measured& measured,
                                       const std::string& source);

}  // namespace mlq::simigrad
