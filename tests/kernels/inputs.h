// Tensors that a kernel must treat alike on every device: made from Philox, so the same everywhere. The
// standard library and kernels/ only, so that device tests can take them too.
#pragma once

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/float_convert.h"
#include "kernels/philox.h"

namespace mlq::kernels::test {

enum class Input {
  normal,
  zero,
  negative_zero,
  nonfinite,
  subnormal,
  huge,
  outlier,
  spread,
  small_integers,
  tiny_blocks
};
inline constexpr Input kInputs[] = {
    Input::normal, Input::zero,    Input::negative_zero, Input::nonfinite,      Input::subnormal,
    Input::huge,   Input::outlier, Input::spread,        Input::small_integers, Input::tiny_blocks};

inline const char* name_of(Input input) {
  constexpr const char* kNames[] = {"normal", "zero",    "negative_zero", "nonfinite",      "subnormal",
                                    "huge",   "outlier", "spread",        "small_integers", "tiny_blocks"};
  return kNames[static_cast<int>(input)];
}
inline const char* name_of(Float type) {
  return type == Float::f32 ? "f32" : type == Float::f16 ? "f16" : "bf16";
}
inline constexpr Float kFloats[] = {Float::f32, Float::f16, Float::bf16};

// Bytes of an array of floats, aligned for any of them.
class Array {
 public:
  Array() = default;
  Array(Float type, uint64_t elems) : type_(type), elems_(elems), words_((elems * size_of(type) + 7) / 8) {}
  Float type() const { return type_; }
  uint64_t elems() const { return elems_; }
  uint64_t bytes() const { return elems_ * size_of(type_); }
  void* data() { return words_.data(); }
  const void* data() const { return words_.data(); }
  float at(uint64_t i) const { return load(type_, data(), i); }
  void set(uint64_t i, float x) { store(type_, data(), i, x); }
  bool operator==(const Array& other) const {
    return bytes() == other.bytes() && (bytes() == 0 || std::memcmp(data(), other.data(), bytes()) == 0);
  }

 private:
  Float type_ = Float::f32;
  uint64_t elems_ = 0;
  std::vector<uint64_t> words_;
};

inline PhiloxCounter random_words(uint64_t i, uint32_t stream) {
  return philox4x32_10({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), stream, 0}, {2024, 11});
}

// Normal with unit spread, by Box and Muller: element i of a stream.
inline float normal_at(uint64_t i, uint32_t stream) {
  const PhiloxCounter w = random_words(i / 2, stream);
  const double u = (w.c0 + 0.5) * 0x1p-32, angle = (w.c1 + 0.5) * 0x1p-32 * 6.283185307179586;
  const double radius = std::sqrt(-2 * std::log(u));
  return static_cast<float>(radius * (i % 2 ? std::sin(angle) : std::cos(angle)));
}

inline float element_of(Input input, Float type, uint64_t i, uint32_t stream) {
  const uint32_t r = random_words(i, stream + 1000).c2;
  const float normal = normal_at(i, stream), inf = f32_from_bits(0x7f800000u);
  const float largest = type == Float::f16    ? 65504.0f
                        : type == Float::bf16 ? f32_from_bits(0x7f7f0000u)
                                              : f32_from_bits(0x7f7fffffu);
  switch (input) {
    case Input::normal:
      return normal;
    case Input::zero:
      return 0.0f;
    case Input::negative_zero:
      return r % 3 ? -0.0f : r % 5 ? 0.0f : normal;
    case Input::nonfinite:  // a few, and a stretch of nothing else
      if (i / 64 == 2) return r % 2 ? inf : f32_from_bits(0x7fc00000u);
      return r % 97 == 0 ? (r % 2 ? -inf : inf) : r % 89 == 0 ? f32_from_bits(0xffc00001u) : normal;
    case Input::subnormal:
      return normal * (type == Float::f16 ? 0x1p-20f : r % 3 ? 0x1p-130f : 0x1p-124f);
    case Input::huge:
      return (r % 7 ? normal / 8 : r % 2 ? -1.0f : 1.0f) * largest;
    case Input::outlier:
      return i % 1024 == 700 ? 1e4f : i % 1024 == 300 ? -9e3f : normal;
    case Input::spread:  // blocks of all magnitudes
      return std::ldexp(normal, static_cast<int>((i / 16 * 37) % 260) - 140);
    case Input::small_integers:  // ties of rounding, extremes of both signs
      return static_cast<float>(static_cast<int>(r % 17) - 8) * 0.5f;
    case Input::tiny_blocks:  // scales about the smallest that are kept
      return std::ldexp(normal, -126 + static_cast<int>(i / 32 % 12));
  }
  return 0;
}

// Elements beyond the type's range are its largest, except those that are to be infinite.
inline Array make_input(Input input, Float type, uint64_t elems, uint32_t stream = 0) {
  Array out(type, elems);
  for (uint64_t i = 0; i < elems; ++i) out.set(i, element_of(input, type, i, stream));
  return out;
}

inline Array make_normal(Float type, uint64_t elems, float sigma = 1) {
  Array out(type, elems);
  for (uint64_t i = 0; i < elems; ++i) out.set(i, sigma * normal_at(i, 7));
  return out;
}

}  // namespace mlq::kernels::test
