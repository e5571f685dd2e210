// What all kernels have in common: element types, how blocks lie in a tensor, and what is counted. Host and
// device code share this header, so it includes nothing but the standard's plainest.
//
// A kernel takes plain pointers and sizes; it allocates nothing, starts no thread, keeps no state and reports
// no error: what it asks of its arguments is said in its header and checked by the caller. Each is there as
// X_cpu (the twin: plain code, and the definition), as X_simd where that pays, and as X_cuda (device pointers
// and a stream); all give the same bytes. X_cuda returns at once; the caller looks at cudaGetLastError().
//
// Asked of all: arrays are aligned to their elements and do not overlap; counters are not null; blocks are
// multiples of 8 elements or not shorter than a row; scales, steps and factors given to decoders are finite.
// A decoded value is one fp32 product, rounded once more to the target; where it is beyond the target's
// range, fp32's too, it becomes the largest finite value and is counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/philox.h"  // MLQ_HOST_DEVICE

namespace mlq::kernels {

// A cudaStream_t, whose header host code does not see.
using Stream = void*;

// What weights, scales and outputs are stored as.
enum class Float : uint8_t { f32, f16, bf16 };
MLQ_HOST_DEVICE constexpr size_t size_of(Float type) { return type == Float::f32 ? 4 : 2; }
// use.operator()<type>(): from a type that is known when the program runs to one known to the compiler.
template <class Use>
void with_float(Float type, Use&& use) {
  switch (type) {
    case Float::f32:
      return use.template operator()<Float::f32>();
    case Float::f16:
      return use.template operator()<Float::f16>();
    case Float::bf16:
      return use.template operator()<Float::bf16>();
  }
}

// Which half of a byte holds the first of two 4-bit codes: mlq and compressed-tensors low, bitsandbytes high.
enum class NibbleOrder : uint8_t { low_first, high_first };

// `rows` x `cols` elements, row after row. Blocks of `block` elements begin with each row and never cross
// one; the last block of a row may be shorter. Where blocks may cross rows ("flat") the whole is one row.
struct BlockLayout {
  uint64_t rows = 1;
  uint64_t cols = 0;
  uint64_t block = 64;

  MLQ_HOST_DEVICE constexpr uint64_t elems() const { return rows * cols; }
  MLQ_HOST_DEVICE constexpr uint64_t blocks_per_row() const { return (cols + block - 1) / block; }
  MLQ_HOST_DEVICE constexpr uint64_t blocks() const { return rows * blocks_per_row(); }
  // Bytes of packed codes: rows begin on a byte.
  MLQ_HOST_DEVICE constexpr uint64_t row_bytes(unsigned bits) const { return (cols * bits + 7) / 8; }
  MLQ_HOST_DEVICE constexpr uint64_t code_bytes(unsigned bits) const { return rows * row_bytes(bits); }
};

// What an encoder met. Kernels add to it (on the device with atomics: integers, so in any order).
struct EncodeCounts {
  uint64_t nonfinite = 0;  // elements that are NaN or infinite; they are encoded as +0
  uint64_t flushed_blocks =
      0;  // blocks that are not all zero, yet whose scale is below 2^-126: all codes 0, scale 0
  uint64_t scale_overflow = 0;  // blocks whose scale was cut to the largest finite value of its type
};
static_assert(sizeof(EncodeCounts) == 24);

// Elements of one group of sums (tensor_stats.h, error_sums.h). Pieces of a tensor are cut at multiples of
// it.
inline constexpr uint64_t kSumGroup = 4096;

}  // namespace mlq::kernels
