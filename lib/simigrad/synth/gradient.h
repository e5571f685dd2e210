// Gaussian gradients whose noise scale is known, element by element.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "lib/simigrad/synth/gram_law.h"
#include "lib/tensorfile/dtype.h"

namespace mlq::simigrad {

// The gradients behind a GramLaw: P coordinates, the noise in the first law.d_eff of them.
struct GradientLaw {
  GramLaw law;            // its alignment is not looked at
  bool uniform = false;   // the true gradient is 1/sqrt(P) everywhere instead of 1 in the first coordinate
  uint64_t params = 200;  // P, at least law.d_eff
  uint64_t tensors = 1;   // they are cut into, 1 to P; the first ones are larger by one element
};

// Elements of tensor `index`.
uint64_t tensor_elems(const GradientLaw& gradient, uint64_t index);
// `t0`, with zeros in front where there are more than ten, so that byte order is their order.
std::string tensor_name(const GradientLaw& gradient, uint64_t index);

// Elements first .. first + out.size() - 1 of a tensor in the mean gradient of one group. Each has a counter
// of its own, so that the bytes do not depend on how they are asked for. Pure, thread-safe.
void fill_gradient(const GradientLaw& gradient, uint64_t seed, uint64_t step, uint64_t group, uint64_t tensor,
                   uint64_t first, std::span<double> out);

enum class DumpFormat : uint8_t { safetensors, npy };

// Writes one group's file, whole or not at all; its path is FOLDER/step{step}/group{group} with the ending of
// the format. Safetensors files say their place and samples in their metadata. Makes the folders. A usage
// Error for npy files of several tensors or of bf16; errors of Output.
struct WrittenDump {
  std::string path;
  uint64_t size_bytes = 0;  // of the tensors
};
WrittenDump write_dump(const GradientLaw& gradient, uint64_t seed, uint64_t step, uint64_t group,
                       tensorfile::Dtype dtype, DumpFormat format, const std::string& folder);

}  // namespace mlq::simigrad
