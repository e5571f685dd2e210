// The trainer's side of mlq-simigrad follow, as Python text for a user to paste.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mlq::simigrad {

// `torch` (one process) or `ddp`; a usage Error for another name. Needs PyTorch and the standard library. The
// text measures gradients, sends a gram record a step, and gives back batch and learning-rate multiplier;
// whatever happens to the advisor, training goes on with the batch it has.
// `dump_every`: steps between dumps of each group's gradients; 0: none.
std::string hook_text(std::string_view variant, uint64_t dump_every);
std::span<const std::string_view> hook_variants();

}  // namespace mlq::simigrad
