// Which layer of a model a tensor belongs to.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mlq::plot {

// The first part of a dotted name that is a number: 12 of `model.layers.12.mlp.up_proj.weight`; none of
// `lm_head.weight`.
std::optional<uint64_t> layer_of(std::string_view name);

}  // namespace mlq::plot
