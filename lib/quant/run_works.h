// Works with the threads and the memory that they may have. For lib/quant and what is built on it.
#pragma once

#include "lib/quant/encode.h"
#include "lib/quant/schedule.h"

namespace mlq::quant {

// False if it was interrupted. A failure wakes those that wait at `turns`.
bool run_works(std::span<const std::unique_ptr<Work>> works, const Resources& resources, Turnstile& turns);

}  // namespace mlq::quant
