// The header of an .npy file, versions 1, 2 and 3 (numpy, lib/format.py): `\x93NUMPY`, major, minor, length
// of the header (u16 in version 1, u32 later), a Python dict literal of `descr`, `fortran_order` and `shape`,
// the elements.
#pragma once

#include <string>

#include "lib/tensorfile/byte_file.h"
#include "lib/tensorfile/tensor.h"

namespace mlq::tensorfile {

constexpr std::string_view kNpyMagic = "\x93NUMPY";
constexpr uint64_t kLargestNpyHeader = uint64_t{1} << 20;  // bytes

// The one tensor of the file, which fills it from `file_offset` to its end. Throws an input Error for what is
// damaged, big-endian, of Python objects, of another type that safetensors does not have, or, unless
// `fortran`, in Fortran order, which becomes strides. `u2_is_bf16`: elements of 16 bits that numpy has no
// name for (`|V2`), and `<u2`, are BF16.
TensorInfo read_npy_header(const ByteFile& file, std::string name, bool u2_is_bf16, bool fortran = false);

// The header of version 1 for one dimension of f16, f32 or f64, padded to 64 bytes as numpy does.
std::string npy_header(Dtype dtype, uint64_t elems);

}  // namespace mlq::tensorfile
