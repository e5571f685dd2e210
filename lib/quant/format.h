// How the values of a tensor are stored: the formats that mlq-quant writes, and what each can be told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/block_int.h"
#include "kernels/layout.h"
#include "kernels/mx.h"

namespace mlq::quant {

using kernels::Float;

enum class Format : uint8_t {
  raw,  // as it was
  bf16,
  int8,
  int4,
  int3,
  int2,
  ec,
  nf4,
  fp4,
  fp8e4m3,
  fp8e5m2,
  mxfp8,
  mxfp4,
  nvfp4,
};

struct FormatInfo {
  Format format;
  std::string_view name;
  std::string_view summary;  // a few words
  unsigned code_bits;        // of a code; 0: the source's, or not fixed
};
// All of them, in the order of the help.
const std::vector<FormatInfo>& format_infos();
const FormatInfo& format_info(Format format);
// A usage Error that names the formats if `name` is none.
Format parse_format(std::string_view name);
bool is_block_int(Format format);

enum class BlockKind : uint8_t { fixed, row, tensor };
// How planes of codes are compressed: not; with Huffman codes alone; with matches too; by whichever of these
// is smaller at the beginning of each piece.
enum class Zstd : uint8_t { off, literal, match, automatic };

// What a tensor's format is told. Plain values; validate() says what does not go together.
struct Spec {
  Format format = Format::int8;
  BlockKind block_kind = BlockKind::fixed;
  uint64_t block = 64;      // elements, of BlockKind::fixed
  bool row_blocks = false;  // no block crosses a row (the last dimension)
  kernels::Grid grid = kernels::Grid::absmax;
  bool positive_scales = false;
  Float scale = Float::bf16;
  bool double_quant = false;                                     // nf4, fp4: 8-bit absmax in groups of 256
  kernels::MxScale mx_scale = kernels::MxScale::best;            // mxfp4, mxfp8
  bool four_or_six = true;                                       // nvfp4
  bool eighth_for_zero = false;                                  // nvfp4: an all-zero block has scale 0.125
  kernels::NibbleOrder order = kernels::NibbleOrder::low_first;  // nf4, fp4
  bool signed_codes = true;  // int8: a byte is the code, not the code + 128
  double step = 0;           // ec; 0: from the budget
  Zstd zstd = Zstd::off;
  bool operator==(const Spec&) const = default;
};

// The usual settings of a format: int8 absmax; int4, int3, int2 sign; blocks of 64, fp8e4m3 128; zstd for ec.
Spec default_spec(Format format);
// A usage Error if a setting is out of range or the format does not have it.
void validate(const Spec& spec);

std::string_view name_of(kernels::Grid grid);
std::string_view name_of(Float type);
std::string_view name_of(Zstd zstd);
std::string_view name_of(kernels::MxScale scale);
// "64", "row", "tensor".
std::string block_text(const Spec& spec);
kernels::Grid parse_grid(std::string_view text);
Float parse_float(std::string_view text);
Zstd parse_zstd(std::string_view text);
kernels::MxScale parse_mx_scale(std::string_view text);
// Sets block_kind and block: a power of two from 16 to 16384, `row` or `tensor`.
void parse_block(std::string_view text, Spec& spec);

// A tensor as rows: its last dimension is a row; a tensor of one dimension, or none, is one row.
struct Shape2d {
  uint64_t rows = 1;
  uint64_t cols = 0;
  uint64_t elems() const { return rows * cols; }
};
Shape2d as_rows(const std::vector<uint64_t>& shape);

// How the blocks of a tensor lie: BlockKind::tensor is one block over all.
kernels::BlockLayout layout_of(const Spec& spec, const Shape2d& shape);

}  // namespace mlq::quant
