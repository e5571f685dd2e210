// The element types of safetensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mlq::tensorfile {

// In the order of the reference (the enum Dtype of safetensors' tensor.rs), which decides in what order
// tensors are written. `boolean` is the reference's BOOL; the others are its names in small letters.
enum class Dtype : uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64,
};
constexpr size_t kDtypes = 22;

// As it stands in files: `BOOL`, `F8_E4M3`, `BF16`.
std::string_view dtype_name(Dtype dtype);
// None for a text that is no such name; letters count as they are.
std::optional<Dtype> find_dtype(std::string_view name);
// 4, 6, 8, 16, 32 or 64.
unsigned bits_per_element(Dtype dtype);
// F16, BF16, F32, F64: numbers that a quantizer takes as weights.
bool is_float_weight(Dtype dtype);

}  // namespace mlq::tensorfile
