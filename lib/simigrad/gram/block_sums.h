// Where the sums of blocks are made: on the CPU or on a CUDA device, with the same bits.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/gram_block.h"
#include "lib/device/device.h"

namespace mlq::simigrad {

// One a thread.
class BlockSums {
 public:
  virtual ~BlockSums() = default;
  // As kernels::gram_blocks_cpu, from host memory. A device's fault is an environment Error.
  virtual void add(const kernels::GramGroups& groups, uint64_t elems, double* sums,
                   kernels::NonFinite* nonfinite) = 0;
};

std::unique_ptr<BlockSums> cpu_block_sums();
// For at most `groups` groups and `bytes` of each; takes as much pinned memory and memory of the device. Its
// stream is its own, so that one thread's copies run beside another's kernels.
std::unique_ptr<BlockSums> device_block_sums(const device::Device& device, unsigned groups, uint64_t bytes);

}  // namespace mlq::simigrad
