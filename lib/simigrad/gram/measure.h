// A step's gradients, reduced to their inner products.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/stop.h"
#include "lib/device/device.h"
#include "lib/simigrad/dump/step.h"
#include "lib/simigrad/stream/window_reader.h"

namespace mlq::simigrad {

struct MeasureOptions {
  unsigned threads = 1;
  uint64_t memory_bytes = uint64_t{64} << 20;  // for windows that are under way, of all threads
  Io io = Io::automatic;
  std::optional<device::Device> device = {};  // that makes the sums; the CPU without one
  const StopFlag* stop = nullptr;             // may be null; seen between windows
  // Called with the bytes of each window when it is done, from any thread.
  std::function<void(uint64_t)> progress = {};
};

// Elements of a group that are NaN or infinite.
struct NonFiniteElements {
  uint64_t count = 0;
  std::string tensor;  // of the first: least tensor, least index
  uint64_t index = 0;
};

// Sums over all elements, as kernels/gram_block.h has them: the lower triangle of inner products by rows,
// then between_ss. The tree goes on over blocks, parts of a tensor, and tensors in byte order of their names.
struct Measured {
  std::vector<double> sums;
  std::vector<NonFiniteElements> nonfinite;  // of each group

  uint64_t nonfinite_count() const;
};

// Takes the sums of each tensor, in byte order of the names; called by one thread at a time.
using EachTensor = std::function<void(const std::string& name, std::span<const Leaf> parts, const Measured&)>;

// Reads all of `step` once. The bits of the result do not depend on threads, memory, device, or how files are
// read.
// Nothing if it was stopped. `each` may be empty. Errors: those of WindowReader, and of
// Source::check_unchanged. A usage Error if not even one thread's windows fit the memory.
std::optional<Measured> measure(const Step& step, const MeasureOptions& options, const EachTensor& each = {});

}  // namespace mlq::simigrad
