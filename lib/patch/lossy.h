// Lossy changes: codes of blocks of differences, with a scale each, in a closed loop (kernels/delta.h). The
// tensor that they lead to, the state, is what receivers hold; a key frame is a difference to zeros, and
// needs no state before it.
//
// What is stored of a tensor: the codes of all its elements, then the scales of all its blocks; or both
// compressed (code_stream.h). Blocks may cross rows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/block_int.h"
#include "lib/patch/model.h"
#include "lib/quant/coding.h"

namespace mlq::patch {

struct LossySpec {
  kernels::BlockIntSpec code;
  uint64_t block = 64;  // elements, a power of two from 16 to 16384
};
// A usage Error for what no kernel has.
void validate(const LossySpec& spec);
// As an object of JSON's members: `"bits":4,"block":64,"grid":"signed","scale":"bf16"`.
std::string spec_json(const LossySpec& spec);

// Where the codes and scales of the elements of a range lie in what is stored of a tensor of `elems`. The
// range begins on a block, and ends on one or with the tensor.
quant::Extent code_extent(const LossySpec& spec, const quant::Range& range);
quant::Extent scale_extent(const LossySpec& spec, uint64_t elems, const quant::Range& range);
uint64_t stored_bytes(const LossySpec& spec, uint64_t elems);

// Floats that a state can be kept in: none for F64 and what is no float.
std::optional<kernels::Float> state_float(tensorfile::Dtype dtype);
tensorfile::Dtype dtype_of(kernels::Float type);
// Elements of values of `type` that are NaN or infinite.
uint64_t count_nonfinite(kernels::Float type, std::span<const std::byte> values);

// Turns values of one type into those of another, rounded to nearest even, as a state that changes its type
// does.
void cast_state(kernels::Float from, kernels::Float to, std::vector<std::byte>& values,
                std::vector<std::byte>& scratch);

// The codes and scales of one piece.
struct LossyPiece {
  std::vector<std::byte> codes, scales;
  kernels::EncodeCounts counts = {};
};
// From the state to `w`; moves the state, which is finite. `state` has values of `state_type`, `w` of
// `source`.
LossyPiece encode_lossy(const LossySpec& spec, kernels::Float source, std::span<const std::byte> w,
                        kernels::Float state_type, std::span<std::byte> state);
// What a receiver does. An input Error naming `what` for a scale that is no finite number.
void apply_lossy(const LossySpec& spec, std::span<const std::byte> codes, std::span<const std::byte> scales,
                 kernels::Float state_type, std::span<std::byte> state, const std::string& what);

}  // namespace mlq::patch
