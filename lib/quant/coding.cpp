#include "lib/quant/coding.h"

#include <algorithm>
#include <cstring>

#include "kernels/block_int.h"
#include "kernels/cast.h"
#include "kernels/ec.h"
#include "kernels/float8.h"
#include "kernels/float_convert.h"
#include "kernels/lut4.h"
#include "kernels/mx.h"
#include "kernels/nvfp4.h"
#include "lib/base/error.h"
#include "lib/quant/nested_scale.h"

namespace mlq::quant {
namespace {

using kernels::BlockLayout;

kernels::BlockIntSpec int_spec(const Coding& c) {
  return {format_info(c.spec.format).code_bits, c.spec.grid, c.spec.scale, c.spec.positive_scales};
}

// Double quantisation codes by the exact absmax; it is this that is coded anew afterwards.
kernels::Lut4Spec lut_spec(const Coding& c) {
  return {c.spec.format == Format::nf4 ? kernels::Table4::nf4 : kernels::Table4::fp4,
          c.spec.double_quant ? Float::f32 : c.spec.scale, c.spec.order};
}

kernels::Float8Spec float8_spec(const Coding& c) {
  return {c.spec.format == Format::fp8e4m3 ? kernels::Float8::e4m3 : kernels::Float8::e5m2, c.spec.scale};
}

kernels::MxSpec mx_spec(const Coding& c) {
  return {c.spec.format == Format::mxfp4 ? kernels::MxElement::e2m1 : kernels::MxElement::e4m3,
          c.spec.mx_scale};
}

kernels::Nvfp4Spec nvfp4_spec(const Coding& c) {
  return {c.scale, c.spec.four_or_six, c.spec.eighth_for_zero};
}

bool one_scale(const Coding& c) {
  return c.spec.block_kind == BlockKind::tensor &&
         (is_block_int(c.spec.format) || c.spec.format == Format::fp8e4m3);
}

unsigned code_bits(const Coding& c) {
  if (c.spec.format == Format::raw) return static_cast<unsigned>(8 * size_of(c.source));
  if (c.spec.format == Format::ec) return 8;
  return format_info(c.spec.format).code_bits;
}

size_t scale_bytes(const Coding& c) {
  switch (c.spec.format) {
    case Format::mxfp4:
    case Format::mxfp8:
    case Format::nvfp4:
      return 1;
    case Format::nf4:
    case Format::fp4:
      return c.spec.double_quant ? 1 : size_of(c.spec.scale);
    default:
      return size_of(c.spec.scale);
  }
}

BlockLayout whole_layout(const Coding& c) {
  BlockLayout layout = layout_of(c.spec, c.shape);
  // Rows of whole blocks, and of whole bytes of codes, are as good as one long row.
  if (layout.rows > 1 && layout.cols % layout.block == 0 && layout.cols * code_bits(c) % 8 == 0)
    return {1, layout.elems(), layout.block};
  return layout;
}

BlockLayout piece_layout(const Coding& c, const Range& range) {
  BlockLayout layout = whole_layout(c);
  if (layout.rows == 1) {
    layout.cols = range.count;
    if (one_scale(c)) layout.block = std::max<uint64_t>(range.count, 1);
    // Kernels take blocks of other sizes as rows only.
    if (layout.block % 8 != 0 && layout.block < range.count)
      return {range.count / layout.block, layout.block, layout.block};
  } else {
    layout.rows = range.count / layout.cols;
  }
  return layout;
}

// A scale's bytes as the spec's type.
std::vector<std::byte> scale_as_bytes(Float type, float scale) {
  std::vector<std::byte> bytes(size_of(type));
  kernels::store(type, bytes.data(), 0, scale);
  return bytes;
}

uint8_t* bytes_of(std::vector<std::byte>& v) { return reinterpret_cast<uint8_t*>(v.data()); }
const uint8_t* bytes_of(std::span<const std::byte> v) { return reinterpret_cast<const uint8_t*>(v.data()); }

// An operation on the CPU or the device: all have one signature, but for the stream.
#define MLQ_KERNEL(backend, name, ...)                                      \
  ((backend).stream  ? kernels::name##_cuda(__VA_ARGS__, *(backend).stream) \
   : (backend).plain ? kernels::name##_cpu(__VA_ARGS__)                     \
                     : kernels::name##_simd(__VA_ARGS__))

void encode_ec(const Coding& c, const Range& range, const void* x, const PlanePointers<uint8_t>& out,
               EncodeTally* tally, const Backend& backend) {
  uint8_t* high = c.wide ? out.high : nullptr;
  if (backend.stream)
    return kernels::ec_encode_cuda(c.step, range.count, c.source, x, out.codes, high, out.escapes,
                                   &tally->escapes, backend.scratch, &tally->counts, *backend.stream);
  const auto encode = backend.plain ? kernels::ec_encode_cpu : kernels::ec_encode_simd;
  tally->escapes = encode(c.step, range.count, c.source, x, out.codes, high, out.escapes, &tally->counts);
}

void decode_ec(const Coding& c, const Range& range, const PlanePointers<const uint8_t>& planes, Float target,
               void* out, uint64_t* saturated, const Backend& backend) {
  const uint8_t* high = c.wide ? planes.high : nullptr;
  if (backend.stream)
    return kernels::ec_decode_cuda(c.step, range.count, planes.codes, high, c.source, planes.escapes, target,
                                   out, backend.scratch, saturated, *backend.stream);
  const auto decode = backend.plain ? kernels::ec_decode_cpu : kernels::ec_decode_simd;
  decode(c.step, range.count, planes.codes, high, c.source, planes.escapes, target, out, saturated);
}

}  // namespace

std::string_view name_of(Plane plane) {
  constexpr std::string_view names[] = {"codes", "high", "scales", "nested", "global", "escapes"};
  return names[static_cast<size_t>(plane)];
}

std::vector<std::byte>& Piece::plane(Plane which) {
  switch (which) {
    case Plane::high:
      return high;
    case Plane::scales:
      return scales;
    case Plane::escapes:
      return escapes;
    default:
      return codes;
  }
}

Coding unsettled_coding(const Spec& spec, Float source, const Shape2d& shape) {
  Coding coding;
  coding.spec = spec;
  coding.source = source;
  coding.shape = shape;
  return coding;
}

bool has_plane(const Coding& c, Plane plane) {
  const Format f = c.spec.format;
  switch (plane) {
    case Plane::codes:
      return true;
    case Plane::high:
      return f == Format::ec && c.wide;
    case Plane::scales:
      return f != Format::raw && f != Format::bf16 && f != Format::fp8e5m2 && f != Format::ec;
    case Plane::nested:
      return c.spec.double_quant;
    case Plane::global:
      return f == Format::nvfp4;
    case Plane::escapes:
      return f == Format::ec;
  }
  return false;
}

uint64_t plane_bytes(const Coding& c, Plane plane) {
  if (!has_plane(c, plane)) return 0;
  const BlockLayout layout = whole_layout(c);
  switch (plane) {
    case Plane::codes:
      return layout.code_bytes(code_bits(c));
    case Plane::high:
      return c.shape.elems();
    case Plane::scales:
      return (one_scale(c) ? 1 : layout.blocks()) * scale_bytes(c);
    case Plane::nested:
      return nested_groups(layout.blocks()) * sizeof(float);
    case Plane::global:
      return sizeof(float);
    case Plane::escapes:
      return c.shape.elems() * size_of(c.source);
  }
  return 0;
}

Extent plane_extent(const Coding& c, Plane plane, const Range& range) {
  if (!has_plane(c, plane)) return {};
  const BlockLayout layout = whole_layout(c);
  const BlockLayout piece = piece_layout(c, range);
  if (plane == Plane::high) return {range.first, range.count};
  if (plane == Plane::codes) {
    const unsigned bits = code_bits(c);
    const uint64_t offset =
        layout.rows == 1 ? range.first * bits / 8 : range.first / layout.cols * layout.row_bytes(bits);
    return {offset, piece.code_bytes(bits)};
  }
  if (one_scale(c)) return {0, scale_bytes(c)};
  const uint64_t block =
      layout.rows == 1 ? range.first / layout.block : range.first / layout.cols * layout.blocks_per_row();
  return {block * scale_bytes(c), piece.blocks() * scale_bytes(c)};
}

bool rows_matter(const Coding& c) { return whole_layout(c).rows > 1; }

uint64_t piece_unit(const Coding& c) {
  const BlockLayout layout = whole_layout(c);
  if (layout.rows > 1) return layout.cols;
  // Eight codes always end on a byte.
  return one_scale(c) ? 8 : std::max<uint64_t>(layout.block, 8);
}

uint64_t encoded_scale_bytes(const Coding& c, const Range& range) {
  if (c.spec.double_quant) return piece_layout(c, range).blocks() * sizeof(float);
  return plane_extent(c, Plane::scales, range).size;
}

std::span<const float> absmax_of(const Coding& c, const Range& range) {
  if (!c.spec.double_quant) return {};
  const BlockLayout whole = whole_layout(c);
  const uint64_t first =
      whole.rows == 1 ? range.first / whole.block : range.first / whole.cols * whole.blocks_per_row();
  return std::span(c.absmax).subspan(first, piece_layout(c, range).blocks());
}

void encode_planes(const Coding& c, const Range& range, const void* x, const PlanePointers<uint8_t>& out,
                   EncodeTally* tally, const Backend& backend) {
  const BlockLayout layout = piece_layout(c, range);
  switch (c.spec.format) {
    case Format::raw:
      throw Error(ExitKind::bug, "raw tensors are copied, not encoded");
    case Format::bf16:
      return MLQ_KERNEL(backend, cast, range.count, c.source, x, Float::bf16, out.codes, &tally->cut);
    case Format::int8:
    case Format::int4:
    case Format::int3:
    case Format::int2:
      if (one_scale(c))
        return MLQ_KERNEL(backend, block_int_encode_scaled, int_spec(c), layout, c.source, x, c.scale,
                          out.codes, &tally->counts);
      return MLQ_KERNEL(backend, block_int_encode, int_spec(c), layout, c.source, x, out.codes, out.scales,
                        &tally->counts);
    case Format::nf4:
    case Format::fp4:
      return MLQ_KERNEL(backend, lut4_encode, lut_spec(c), layout, c.source, x, out.codes, out.scales,
                        &tally->counts);
    case Format::fp8e4m3:
    case Format::fp8e5m2:
      if (one_scale(c))
        return MLQ_KERNEL(backend, float8_encode_scaled, range.count, c.source, x, c.scale, out.codes,
                          &tally->counts);
      return MLQ_KERNEL(backend, float8_encode, float8_spec(c), layout, c.source, x, out.codes, out.scales,
                        &tally->counts);
    case Format::mxfp4:
    case Format::mxfp8:
      return MLQ_KERNEL(backend, mx_encode, mx_spec(c), layout, c.source, x, out.codes, out.scales,
                        &tally->counts);
    case Format::nvfp4:
      return MLQ_KERNEL(backend, nvfp4_encode, nvfp4_spec(c), layout, c.source, x, out.codes, out.scales,
                        &tally->counts);
    case Format::ec:
      return encode_ec(c, range, x, out, tally, backend);
  }
}

void encode_piece(const Coding& c, const Range& range, const void* x, Piece& out,
                  kernels::EncodeCounts& counts) {
  for (const Plane plane : {Plane::codes, Plane::high})
    out.plane(plane).resize(plane_extent(c, plane, range).size);
  out.scales.resize(encoded_scale_bytes(c, range));
  if (one_scale(c)) out.scales = scale_as_bytes(c.spec.scale, c.scale);
  out.escapes.resize(has_plane(c, Plane::escapes) ? range.count * size_of(c.source) : 0);
  if (c.spec.format == Format::raw) {
    std::memcpy(out.codes.data(), x, out.codes.size());
    out.escape_count = 0;
    return;
  }
  EncodeTally tally{counts};
  encode_planes(c, range, x,
                {bytes_of(out.codes), bytes_of(out.high), bytes_of(out.scales), bytes_of(out.escapes)},
                &tally, {c.plain});
  counts = tally.counts;
  out.escape_count = tally.escapes;
  out.escapes.resize(out.escape_count * size_of(c.source));
}

PieceView view_of(const Piece& piece) { return {piece.codes, piece.high, piece.scales, piece.escapes}; }

bool same_planes(const PieceView& one, const PieceView& longer) {
  return std::ranges::equal(one.codes, longer.codes) && std::ranges::equal(one.high, longer.high) &&
         std::ranges::equal(one.scales, longer.scales) && one.escapes.size() <= longer.escapes.size() &&
         std::ranges::equal(one.escapes, longer.escapes.first(one.escapes.size()));
}

PieceView part_of(const Coding& c, const PieceView& whole, const Range& whole_range, const Range& part) {
  const auto cut = [&](Plane plane, std::span<const std::byte> bytes) {
    if (!has_plane(c, plane)) return bytes;
    const Extent base = plane_extent(c, plane, whole_range);
    const Extent wanted = plane_extent(c, plane, part);
    return bytes.subspan(wanted.offset - base.offset, wanted.size);
  };
  PieceView view = whole;
  view.codes = cut(Plane::codes, whole.codes);
  view.high = cut(Plane::high, whole.high);
  if (!c.spec.double_quant) view.scales = cut(Plane::scales, whole.scales);
  return view;
}

void decode_planes(const Coding& c, const Range& range, const PlanePointers<const uint8_t>& planes,
                   Float target, void* out, uint64_t* saturated, const Backend& backend) {
  const BlockLayout layout = piece_layout(c, range);
  const auto& [codes, high, scales, escapes] = planes;
  switch (c.spec.format) {
    case Format::raw:
      return MLQ_KERNEL(backend, cast, range.count, c.source, codes, target, out, saturated);
    case Format::bf16:
      return MLQ_KERNEL(backend, cast, range.count, Float::bf16, codes, target, out, saturated);
    case Format::int8:
    case Format::int4:
    case Format::int3:
    case Format::int2:
      return MLQ_KERNEL(backend, block_int_decode, int_spec(c), layout, codes, scales, target, out,
                        saturated);
    case Format::nf4:
    case Format::fp4:
      return MLQ_KERNEL(backend, lut4_decode, lut_spec(c), layout, codes, scales, target, out, saturated);
    case Format::fp8e4m3:
    case Format::fp8e5m2:
      return MLQ_KERNEL(backend, float8_decode, float8_spec(c), layout, codes, scales, target, out,
                        saturated);
    case Format::mxfp4:
    case Format::mxfp8:
      return MLQ_KERNEL(backend, mx_decode, mx_spec(c), layout, codes, scales, target, out, saturated);
    case Format::nvfp4:
      return MLQ_KERNEL(backend, nvfp4_decode, nvfp4_spec(c), layout, codes, scales, target, out, saturated);
    case Format::ec:
      return decode_ec(c, range, planes, target, out, saturated, backend);
  }
}

void decode_piece(const Coding& c, const Range& range, const PieceView& planes, Float target, void* out,
                  uint64_t* saturated) {
  const std::span<const float> absmax = absmax_of(c, range);
  const uint8_t* scales =
      c.spec.double_quant ? reinterpret_cast<const uint8_t*>(absmax.data()) : bytes_of(planes.scales);
  decode_planes(c, range, {bytes_of(planes.codes), bytes_of(planes.high), scales, bytes_of(planes.escapes)},
                target, out, saturated, {c.plain});
}

uint64_t count_escapes(const Coding& c, const PieceView& planes) {
  uint64_t count = 0;
  for (size_t i = 0; i < planes.codes.size(); ++i)
    count += planes.codes[i] == std::byte{0} && (!c.wide || planes.high[i] == std::byte{0}) ? 1 : 0;
  return count;
}

void load_scales(Coding& c, std::span<const std::byte> scales, std::span<const std::byte> nested,
                 std::span<const std::byte> global) {
  if (c.spec.double_quant) {
    c.nested_codes.resize(scales.size());
    std::memcpy(c.nested_codes.data(), scales.data(), scales.size());
    c.nested_absmax.resize(nested.size() / sizeof(float));
    std::memcpy(c.nested_absmax.data(), nested.data(), c.nested_absmax.size() * sizeof(float));
    c.absmax = nested_decode(c.nested_codes, c.nested_absmax, c.nested_offset);
  } else if (one_scale(c)) {
    c.scale = kernels::load(c.spec.scale, scales.data(), 0);
  } else if (c.spec.format == Format::nvfp4) {
    std::memcpy(&c.scale, global.data(), sizeof c.scale);
  }
}

std::vector<std::byte> tensor_plane(const Coding& c, Plane plane) {
  const auto copied = [](const auto& values) {
    const auto bytes = std::as_bytes(std::span(values));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  };
  if (c.spec.double_quant && plane == Plane::scales) return copied(c.nested_codes);
  if (c.spec.double_quant && plane == Plane::nested) return copied(c.nested_absmax);
  if (c.spec.format == Format::nvfp4 && plane == Plane::global) return scale_as_bytes(Float::f32, c.scale);
  if (one_scale(c) && plane == Plane::scales) return scale_as_bytes(c.spec.scale, c.scale);
  return {};
}

double bits_per_weight(uint64_t bytes, uint64_t elems) {
  return elems == 0 ? 0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(elems);
}

}  // namespace mlq::quant
