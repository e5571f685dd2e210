#include "lib/patch/lossy.h"

#include <bit>
#include <cmath>

#include "kernels/cast.h"
#include "kernels/delta.h"
#include "kernels/float_convert.h"
#include "lib/base/error.h"
#include "lib/quant/format.h"
#include "lib/quant/tensor_meta.h"

namespace mlq::patch {
namespace {

using kernels::Float;
using quant::Extent;
using quant::Range;

constexpr uint64_t kSmallestBlock = 16;

kernels::BlockLayout flat(const LossySpec& spec, uint64_t elems) { return {1, elems, spec.block}; }

uint64_t code_bytes(const LossySpec& spec, uint64_t elems) {
  return flat(spec, elems).code_bytes(spec.code.bits);
}

uint8_t* data_of(std::vector<std::byte>& bytes) { return reinterpret_cast<uint8_t*>(bytes.data()); }

}  // namespace

void validate(const LossySpec& spec) {
  const unsigned bits = spec.code.bits;
  if (bits != 8 && (bits < 2 || bits > 4)) throw usage_error("--bits: {} must be 2, 3, 4 or 8", bits);
  if (spec.block < kSmallestBlock || spec.block > kernels::kDeltaLargestBlock ||
      !std::has_single_bit(spec.block))
    throw usage_error("--block: {} must be a power of two from {} to {}", spec.block, kSmallestBlock,
                      kernels::kDeltaLargestBlock);
}

std::string spec_json(const LossySpec& spec) {
  return fmt::format(R"("bits":{},"block":{},"grid":"{}","scale":"{}")", spec.code.bits, spec.block,
                     quant::name_of(spec.code.grid), quant::name_of(spec.code.scale));
}

Extent code_extent(const LossySpec& spec, const Range& range) {
  return {range.first / 8 * spec.code.bits, code_bytes(spec, range.count)};
}

Extent scale_extent(const LossySpec& spec, uint64_t elems, const Range& range) {
  const uint64_t size = size_of(spec.code.scale);
  return {code_bytes(spec, elems) + range.first / spec.block * size, flat(spec, range.count).blocks() * size};
}

uint64_t stored_bytes(const LossySpec& spec, uint64_t elems) {
  return code_bytes(spec, elems) + flat(spec, elems).blocks() * size_of(spec.code.scale);
}

std::optional<Float> state_float(tensorfile::Dtype dtype) {
  return dtype == tensorfile::Dtype::f64 ? std::nullopt : quant::source_float(dtype);
}

tensorfile::Dtype dtype_of(Float type) {
  return type == Float::f32   ? tensorfile::Dtype::f32
         : type == Float::f16 ? tensorfile::Dtype::f16
                              : tensorfile::Dtype::bf16;
}

uint64_t count_nonfinite(Float type, std::span<const std::byte> values) {
  uint64_t count = 0;
  for (size_t i = 0; i < values.size() / size_of(type); ++i)
    count += std::isfinite(kernels::load(type, values.data(), i)) ? 0 : 1;
  return count;
}

void cast_state(Float from, Float to, std::vector<std::byte>& values, std::vector<std::byte>& scratch) {
  if (from == to) return;
  const uint64_t elems = values.size() / size_of(from);
  scratch.resize(elems * size_of(to));
  uint64_t saturated = 0;
  kernels::cast_simd(elems, from, values.data(), to, scratch.data(), &saturated);
  values.swap(scratch);
}

LossyPiece encode_lossy(const LossySpec& spec, Float source, std::span<const std::byte> w, Float state_type,
                        std::span<std::byte> state) {
  const uint64_t elems = w.size() / size_of(source);
  const kernels::BlockLayout layout = flat(spec, elems);
  LossyPiece piece;
  piece.codes.resize(layout.code_bytes(spec.code.bits));
  piece.scales.resize(layout.blocks() * size_of(spec.code.scale));
  uint64_t saturated = 0;
  kernels::delta_encode_simd(spec.code, layout, source, w.data(), state_type, state.data(),
                             data_of(piece.codes), piece.scales.data(), &piece.counts, &saturated);
  return piece;
}

void apply_lossy(const LossySpec& spec, std::span<const std::byte> codes, std::span<const std::byte> scales,
                 Float state_type, std::span<std::byte> state, const std::string& what) {
  if (count_nonfinite(spec.code.scale, scales) > 0)
    throw input_error("{}: a scale is no finite number; the file is damaged", what);
  uint64_t saturated = 0;
  kernels::delta_apply_simd(spec.code, flat(spec, state.size() / size_of(state_type)),
                            reinterpret_cast<const uint8_t*>(codes.data()), scales.data(), state_type,
                            state.data(), &saturated);
}

}  // namespace mlq::patch
