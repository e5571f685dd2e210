// How weights travel between ranks: what all of them have to agree on.
//
// Error laws, of one gather and of the mean of T gathers of constant weights, with D the distance of
// neighbouring values, c the relative error of the block quantiser, u the spread of one update:
//   none      D^2/12                                 the same: what is rounded away stays away
//   delta     c^2 u^2 / (1 - c^2)                    kernels/delta.h
//   residual  up to D^2/6                            |r_0 - r_T| / T: error feedback (Seide et al., "1-bit
//                                                    stochastic gradient descent", Interspeech 2014)
//   dither    D^2/12, independent of the weights     1/n over n strata, 1/sqrt(T) over periods: subtractive
//                                                    dither (Roberts 1962; Schuchman, "Dither signals and
//                                                    their effect on quantization noise", 1964)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/quant/format.h"

namespace mlq::gather {

using kernels::Float;

enum class Cancel : uint8_t { none, delta, residual, dither };
// How a residual is kept: 4 bytes an element, or 1 and a bf16 scale a block, on the grid absmax.
enum class ResidualType : uint8_t { f32, int8 };

// Plain values; validate() says what does not go together.
struct Settings {
  Cancel cancel = Cancel::delta;
  unsigned bits = 4;  // of a code: 8, 4, 3 or 2
  kernels::Grid grid = kernels::Grid::sign;
  uint64_t block = 64;          // elements with one scale: a power of two from 16 to 16384
  Float scale = Float::bf16;    // type of the scales
  Float state = Float::bf16;    // type of what receivers hold
  unsigned key_bits = 8;        // of a key frame's codes; 0: values of the state's type
  unsigned strata = 1;          // of dither: gathers over which the offsets of an element are spread evenly
  double beta = 1;              // of residual: share of the residual that is kept
  uint64_t residual_reset = 0;  // of residual: steps after which it begins anew at 0; 0: never
  ResidualType residual_type = ResidualType::f32;
  uint64_t seed = 1;  // of dither
  // As ZeRO++ gathers weights: scale 2 max / 2^bits, so the extreme is cut where it is positive. For `none`.
  bool qwz = false;
  bool operator==(const Settings&) const = default;
};

// `cancel` with the grid that suits it: dither is even about 0 with absmax; so is `none` at 8 bits.
Settings default_settings(Cancel cancel, unsigned bits);
// A usage Error if a setting is out of range or the mode does not have it.
void validate(const Settings& settings);

std::string_view name_of(Cancel cancel);
// `none`, `delta`, `residual`, `dither:N`; sets cancel and strata.
void parse_cancel(std::string_view text, Settings& settings);

ResidualType parse_residual_type(std::string_view text);

// A text by which ranks compare what they were told.
std::string fingerprint(const Settings& settings);

}  // namespace mlq::gather
