#include "lib/quant/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "kernels/nvfp4.h"
#include "lib/base/error.h"
#include "lib/base/units.h"

namespace mlq::quant {
namespace {

constexpr uint64_t kSmallestBlock = 16;
constexpr uint64_t kLargestBlock = 16384;

// The words of an enumeration, both ways.
template <class Enum>
struct Word {
  Enum value;
  std::string_view text;
};
constexpr Word<kernels::Grid> kGrids[] = {
    {kernels::Grid::absmax, "absmax"}, {kernels::Grid::sign, "signed"}, {kernels::Grid::mse, "mse"}};
constexpr Word<Float> kFloats[] = {{Float::f32, "f32"}, {Float::f16, "f16"}, {Float::bf16, "bf16"}};
constexpr Word<Zstd> kZstds[] = {
    {Zstd::off, "off"}, {Zstd::literal, "literal"}, {Zstd::match, "match"}, {Zstd::automatic, "auto"}};
constexpr Word<kernels::MxScale> kMxScales[] = {
    {kernels::MxScale::floor, "floor"}, {kernels::MxScale::even, "even"}, {kernels::MxScale::best, "best"}};

template <class Enum, size_t N>
std::string_view text_of(const Word<Enum> (&words)[N], Enum value) {
  return std::find_if(words, words + N, [&](const Word<Enum>& w) { return w.value == value; })->text;
}

template <class Enum, size_t N>
Enum parsed(const Word<Enum> (&words)[N], std::string_view text) {
  std::string known;
  for (const Word<Enum>& w : words) {
    if (w.text == text) return w.value;
    known += known.empty() ? "" : ", ";
    known += w.text;
  }
  throw usage_error("\"{}\" must be one of: {}", text, known);
}

bool has_scale_type(Format f) {
  return is_block_int(f) || f == Format::nf4 || f == Format::fp4 || f == Format::fp8e4m3;
}

}  // namespace

const std::vector<FormatInfo>& format_infos() {
  static const std::vector<FormatInfo> infos = {
      {Format::int8, "int8", "8-bit integers, a scale a block", 8},
      {Format::int4, "int4", "4-bit integers, a scale a block", 4},
      {Format::int3, "int3", "3-bit integers, a scale a block", 3},
      {Format::int2, "int2", "2-bit integers, a scale a block", 2},
      {Format::ec, "ec", "one step a tensor, entropy-coded: a stated error", 0},
      {Format::nf4, "nf4", "4-bit codes for normal data", 4},
      {Format::fp4, "fp4", "4-bit floats of bitsandbytes", 4},
      {Format::fp8e4m3, "fp8e4m3", "8-bit floats, scaled", 8},
      {Format::fp8e5m2, "fp8e5m2", "8-bit floats of wide range, a cast", 8},
      {Format::mxfp4, "mxfp4", "4-bit floats, a power of two for 32", 4},
      {Format::mxfp8, "mxfp8", "8-bit floats, a power of two for 32", 8},
      {Format::nvfp4, "nvfp4", "4-bit floats, an 8-bit scale for 16", 4},
      {Format::bf16, "bf16", "bfloat16, a cast", 16},
      {Format::raw, "raw", "as it is", 0},
  };
  return infos;
}

const FormatInfo& format_info(Format format) {
  const auto& infos = format_infos();
  return *std::find_if(infos.begin(), infos.end(), [&](const FormatInfo& i) { return i.format == format; });
}

Format parse_format(std::string_view name) {
  std::string known;
  for (const FormatInfo& info : format_infos()) {
    if (info.name == name) return info.format;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", info.name);
  }
  throw usage_error("\"{}\" must be one of: {}", name, known);
}

bool is_block_int(Format f) {
  return f == Format::int8 || f == Format::int4 || f == Format::int3 || f == Format::int2;
}

Spec default_spec(Format format) {
  Spec spec;
  spec.format = format;
  if (is_block_int(format) && format != Format::int8) spec.grid = kernels::Grid::sign;
  if (format == Format::fp8e4m3) {
    spec.block = 128;
    spec.scale = Float::f32;
  }
  if (format == Format::mxfp4 || format == Format::mxfp8) spec.block = kernels::kMxBlock;
  if (format == Format::nvfp4) spec.block = kernels::kNvfp4Block;
  if (format == Format::ec) spec.zstd = Zstd::automatic;
  return spec;
}

void validate(const Spec& spec) {
  const std::string_view name = format_info(spec.format).name;
  const Spec usual = default_spec(spec.format);
  const bool settled =
      spec.format == Format::mxfp4 || spec.format == Format::mxfp8 || spec.format == Format::nvfp4;
  if (settled && (spec.block_kind != usual.block_kind || spec.block != usual.block))
    throw usage_error("--block: {} has blocks of {}", name, usual.block);
  if (!is_block_int(spec.format) && spec.grid != usual.grid)
    throw usage_error("--grid: {} has none; the integer formats have", name);
  if (spec.grid == kernels::Grid::mse && spec.block_kind != BlockKind::fixed)
    throw usage_error("--grid mse needs --block of a number");
  if (spec.double_quant && spec.format != Format::nf4 && spec.format != Format::fp4)
    throw usage_error("--double-quant: {} has it not; nf4 and fp4 have", name);
  if (spec.double_quant && spec.block_kind != BlockKind::fixed)
    throw usage_error("--double-quant needs --block of a number");
  if (!has_scale_type(spec.format) && spec.scale != usual.scale)
    throw usage_error("--scale: {} has scales of its own", name);
  if (spec.block_kind == BlockKind::tensor && (spec.format == Format::nf4 || spec.format == Format::fp4))
    throw usage_error("--block tensor: {} has blocks of a number, or row", name);
}

std::string_view name_of(kernels::Grid grid) { return text_of(kGrids, grid); }
std::string_view name_of(Float type) { return text_of(kFloats, type); }
std::string_view name_of(Zstd zstd) { return text_of(kZstds, zstd); }
std::string_view name_of(kernels::MxScale scale) { return text_of(kMxScales, scale); }
kernels::Grid parse_grid(std::string_view text) { return parsed(kGrids, text); }
Float parse_float(std::string_view text) { return parsed(kFloats, text); }
Zstd parse_zstd(std::string_view text) { return parsed(kZstds, text); }
kernels::MxScale parse_mx_scale(std::string_view text) { return parsed(kMxScales, text); }

std::string block_text(const Spec& spec) {
  if (spec.block_kind == BlockKind::row) return "row";
  if (spec.block_kind == BlockKind::tensor) return "tensor";
  return fmt::format("{}", spec.block);
}

void parse_block(std::string_view text, Spec& spec) {
  spec.block_kind = text == "row" ? BlockKind::row : text == "tensor" ? BlockKind::tensor : BlockKind::fixed;
  if (spec.block_kind != BlockKind::fixed) return;
  spec.block = parse_count(text);
  if (spec.block < kSmallestBlock || spec.block > kLargestBlock || !std::has_single_bit(spec.block))
    throw usage_error("\"{}\" must be a power of two from {} to {}, row or tensor", text, kSmallestBlock,
                      kLargestBlock);
}

Shape2d as_rows(const std::vector<uint64_t>& shape) {
  Shape2d result{1, 1};
  for (const uint64_t extent : shape) {
    result.rows *= result.cols;
    result.cols = extent;
  }
  if (result.cols == 0 || result.rows == 0) return {0, 0};
  return result;
}

kernels::BlockLayout layout_of(const Spec& spec, const Shape2d& shape) {
  switch (spec.block_kind) {
    case BlockKind::tensor:
      return {1, shape.elems(), std::max<uint64_t>(shape.elems(), 1)};
    case BlockKind::row:
      return {shape.rows, shape.cols, std::max<uint64_t>(shape.cols, 1)};
    case BlockKind::fixed:
      break;
  }
  if (spec.row_blocks) return {shape.rows, shape.cols, spec.block};
  return {1, shape.elems(), spec.block};
}

}  // namespace mlq::quant
