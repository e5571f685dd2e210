#include "lib/quant/pieces.h"

#include <numeric>

#include "kernels/sums.h"
#include "kernels/xxh3_leaves.h"
#include "lib/quant/frames.h"

namespace mlq::quant {
namespace {

constexpr uint64_t kUsual = uint64_t{4} << 20;     // elements
constexpr uint64_t kLargest = uint64_t{32} << 20;  // elements

uint64_t leaf_elems(tensorfile::Dtype dtype) {
  return kernels::kHashLeaf * 8 / tensorfile::bits_per_element(dtype);
}

}  // namespace

std::optional<uint64_t> piece_elems(const Coding& coding, tensorfile::Dtype dtype) {
  const uint64_t elems = coding.shape.elems();
  const uint64_t steady = std::lcm(std::lcm(leaf_elems(dtype), kernels::kSumGroup), piece_unit(coding));
  uint64_t frame = 1;
  if (coding.spec.zstd != Zstd::off) {
    // The fewest elements whose codes are whole frames.
    const unsigned bits =
        format_info(coding.spec.format).code_bits == 0 ? 8 : format_info(coding.spec.format).code_bits;
    frame = std::lcm<uint64_t>(kFrameBytes * 8, bits) / bits;
  }
  const uint64_t unit = std::lcm(steady, frame);
  const uint64_t piece = unit > kUsual ? unit : kUsual / unit * unit;
  if (piece > kLargest && elems > kLargest) return std::nullopt;
  return piece;
}

uint64_t tile_elems(const Coding& coding, tensorfile::Dtype dtype, uint64_t piece) {
  if (rows_matter(coding)) return piece;
  const uint64_t tile = std::lcm(leaf_elems(dtype), piece_unit(coding));
  return piece % tile == 0 ? tile : piece;
}

}  // namespace mlq::quant
