// Tables and codes of lut4.h.
#pragma once

#include "kernels/block_math.h"
#include "kernels/lut4.h"

namespace mlq::kernels {

struct Lut4Values {
  float at[16];
};

inline constexpr Lut4Values kNf4Values = {
    {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
     -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f,
     0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
     0.7229568362236023f, 1.0f}};

// Bit 8 is the sign; that of zero is not kept.
inline constexpr Lut4Values kFp4Values = {{0.0f, 0.0625f / 12, 8.0f / 12, 1.0f, 4.0f / 12, 6.0f / 12,
                                           2.0f / 12, 3.0f / 12, 0.0f, -0.0625f / 12, -8.0f / 12, -1.0f,
                                           -4.0f / 12, -6.0f / 12, -2.0f / 12, -3.0f / 12}};

// NF4: the i-th is the midpoint of values i and i + 1 in the decimal digits of bitsandbytes, which four times
// are nearer to the fp32 neighbour that rounding to even would not take.
struct Nf4Midpoints {
  float at[15];
};
inline constexpr Nf4Midpoints kNf4Midpoints = {
    {-0.8480964004993439f, -0.6106329262256622f, -0.4599952697753906f, -0.33967943489551544f,
     -0.23460740596055984f, -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f,
     0.1202552504837513f, 0.2035212516784668f, 0.2920137718319893f, 0.3893125355243683f, 0.5016634166240692f,
     0.6427869200706482f, 0.8614784181118011f}};

// FP4: the magnitudes between which bitsandbytes changes the code, and the codes in ascending order.
struct Fp4Steps {
  float above[7];
  uint8_t code[8];
};
inline constexpr Fp4Steps kFp4Steps = {
    {0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f, 0.4166667f, 0.583333f, 0.8333333f},
    {0, 1, 6, 7, 4, 5, 2, 3}};

// The code of v = x * (1 / a). The steps come in as arguments, so that a device may keep them where it likes.
MLQ_HOST_DEVICE constexpr uint8_t nf4_code(const Nf4Midpoints& midpoints, float v) {
  unsigned code = 0;
  for (int i = 0; i < 15; ++i) code += midpoints.at[i] < v ? 1 : 0;
  return static_cast<uint8_t>(code);
}
MLQ_HOST_DEVICE constexpr uint8_t fp4_code(const Fp4Steps& steps, float v) {
  const float magnitude = absolute(v);
  unsigned step = 0;
  for (int i = 0; i < 7; ++i) step += steps.above[i] < magnitude ? 1 : 0;
  return static_cast<uint8_t>(steps.code[step] | (v < 0 ? 8 : 0));
}

}  // namespace mlq::kernels
