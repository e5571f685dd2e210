#include "lib/gather/part.h"

#include <algorithm>
#include <cstring>

#include "kernels/cast.h"
#include "kernels/delta.h"
#include "kernels/feedback.h"
#include "kernels/qwz.h"
#include "lib/gather/dither.h"

namespace mlq::gather {
namespace {

using namespace kernels;

void* at(void* array, Float type, uint64_t i) { return static_cast<uint8_t*>(array) + i * size_of(type); }
const void* at(const void* array, Float type, uint64_t i) {
  return static_cast<const uint8_t*>(array) + i * size_of(type);
}

// Where a piece lies in codes and scales.
struct Place {
  BlockIntSpec spec;
  BlockLayout layout;
  uint8_t* codes;
  void* scales;
};
Place place_of(const Settings& settings, const Frame& frame, const PieceRange& piece, uint8_t* codes,
               void* scales) {
  const BlockIntSpec spec = spec_of(settings, frame);
  return {spec,
          {1, piece.count, settings.block},
          codes + piece.first * spec.bits / 8,
          at(scales, spec.scale, piece.first / settings.block)};
}

// The residual of a piece: codes of the whole part, then its scales, or values.
class Residual {
 public:
  Residual(const Settings& settings, const Part& part, const PieceRange& piece, const void* memory)
      : small_(settings.residual_type == ResidualType::int8), layout_{1, piece.count, settings.block} {
    auto* const bytes = static_cast<uint8_t*>(const_cast<void*>(memory));
    codes_ = bytes + piece.first * (small_ ? 1 : sizeof(float));
    scales_ =
        bytes + residual_scales(part.elems) + piece.first / settings.block * size_of(kResidualSpec.scale);
  }
  static uint64_t bytes(const Settings& settings, uint64_t elems) {
    if (settings.residual_type == ResidualType::f32) return elems * sizeof(float);
    return residual_scales(elems) +
           BlockLayout{1, elems, settings.block}.blocks() * size_of(kResidualSpec.scale);
  }

  void load(float* values) const {
    uint64_t cut = 0;
    if (small_)
      return block_int_decode_simd(kResidualSpec, layout_, codes_, scales_, Float::f32, values, &cut);
    std::memcpy(values, codes_, layout_.cols * sizeof(float));
  }
  void store(const float* values) const {
    EncodeCounts counts;
    if (small_)
      return block_int_encode_simd(kResidualSpec, layout_, Float::f32, values, codes_, scales_, &counts);
    std::memcpy(codes_, values, layout_.cols * sizeof(float));
  }

 private:
  bool small_;
  BlockLayout layout_;
  uint8_t* codes_;
  void* scales_;
};

void encode_residual(const Settings& settings, const Part& part, const Frame& frame, const Place& place,
                     const void* w, const Residual& residual, const Residual& next_residual, void* next,
                     PartCounts& counts) {
  const uint64_t elems = place.layout.cols;
  float x[kPiece];
  residual.load(x);
  feedback_compensate_simd(elems, part.source, w, residual_share(settings, frame), x, x);
  delta_encode_simd(place.spec, place.layout, Float::f32, x, settings.state, next, place.codes, place.scales,
                    &counts.encoded, &counts.saturated);
  feedback_residual_simd(elems, x, settings.state, next, x);
  next_residual.store(x);
}

}  // namespace

DitherKey dither_key(const Settings& settings, const Part& part, const Frame& frame) {
  return dither_key(settings.seed, part.tensor, frame.step, settings.strata);
}

BlockIntSpec spec_of(const Settings& settings, const Frame& frame) {
  if (frame.key && settings.key_bits != 0 && settings.cancel == Cancel::delta)
    return {settings.key_bits, settings.key_bits == 8 ? Grid::absmax : Grid::sign, settings.scale, false};
  return {settings.bits, settings.grid, settings.scale, false};
}

bool is_raw(const Settings& settings, const Frame& frame) {
  return frame.raw || (frame.key && settings.key_bits == 0 && settings.cancel == Cancel::delta);
}

bool uses_state(const Settings& settings, const Frame& frame) {
  return settings.cancel == Cancel::delta && !frame.key;
}
bool uses_dither(const Settings& settings, const Frame& frame) {
  return settings.cancel == Cancel::dither && !frame.key;
}

uint64_t code_bytes(const Settings& settings, const Frame& frame, uint64_t elems) {
  if (is_raw(settings, frame)) return elems * size_of(settings.state);
  return BlockLayout{1, elems, settings.block}.code_bytes(spec_of(settings, frame).bits);
}
uint64_t scale_bytes(const Settings& settings, const Frame& frame, uint64_t elems) {
  if (is_raw(settings, frame)) return 0;
  return BlockLayout{1, elems, settings.block}.blocks() * size_of(settings.scale);
}

float residual_share(const Settings& settings, const Frame& frame) {
  const bool begins = settings.residual_reset != 0 && frame.step % settings.residual_reset == 0;
  return static_cast<float>(begins ? 0 : settings.beta);
}

uint64_t residual_bytes(const Settings& settings, uint64_t elems) { return Residual::bytes(settings, elems); }

void encode_piece(const Settings& settings, const Part& part, const Frame& frame, const PieceRange& piece,
                  const void* w, const void* held, void* next, const void* residual, void* next_residual,
                  uint8_t* codes, void* scales, PartCounts& counts) {
  const void* const from = at(w, part.source, piece.first);
  void* const to = at(next, settings.state, piece.first);
  if (is_raw(settings, frame)) {
    count_nonfinite_simd(piece.count, part.source, from, &counts.encoded.nonfinite);
    cast_simd(piece.count, part.source, from, settings.state, to, &counts.saturated);
    std::memcpy(codes + piece.first * size_of(settings.state), to, piece.count * size_of(settings.state));
    return;
  }
  const Place place = place_of(settings, frame, piece, codes, scales);
  if (uses_state(settings, frame)) {
    std::memcpy(to, at(held, settings.state, piece.first), piece.count * size_of(settings.state));
  } else {
    std::memset(to, 0, piece.count * size_of(settings.state));
  }
  if (uses_dither(settings, frame)) {
    const DitherKey key = dither_key(settings, part, frame);
    const uint64_t first = part.first + piece.first;
    dither_encode_simd(place.spec, place.layout, key, first, part.source, from, place.codes, place.scales,
                       &counts.encoded);
    dither_decode_simd(place.spec, place.layout, key, first, place.codes, place.scales, settings.state, to,
                       &counts.saturated);
  } else if (settings.cancel == Cancel::residual) {
    encode_residual(settings, part, frame, place, from, Residual(settings, part, piece, residual),
                    Residual(settings, part, piece, next_residual), to, counts);
  } else if (settings.qwz) {
    qwz_encode_simd(place.spec, place.layout, part.source, from, place.codes, place.scales, &counts.encoded);
    delta_apply_simd(place.spec, place.layout, place.codes, place.scales, settings.state, to,
                     &counts.saturated);
  } else {
    delta_encode_simd(place.spec, place.layout, part.source, from, settings.state, to, place.codes,
                      place.scales, &counts.encoded, &counts.saturated);
  }
}

void apply_piece(const Settings& settings, const Part& part, const Frame& frame, const PieceRange& piece,
                 const uint8_t* codes, const void* scales, void* held, uint64_t* saturated) {
  void* const to = at(held, settings.state, piece.first);
  if (is_raw(settings, frame)) {
    std::memcpy(to, codes + piece.first * size_of(settings.state), piece.count * size_of(settings.state));
    return;
  }
  const Place place =
      place_of(settings, frame, piece, const_cast<uint8_t*>(codes), const_cast<void*>(scales));
  if (uses_dither(settings, frame)) {
    dither_decode_simd(place.spec, place.layout, dither_key(settings, part, frame), part.first + piece.first,
                       place.codes, place.scales, settings.state, to, saturated);
    return;
  }
  if (!uses_state(settings, frame)) std::memset(to, 0, piece.count * size_of(settings.state));
  delta_apply_simd(place.spec, place.layout, place.codes, place.scales, settings.state, to, saturated);
}

}  // namespace mlq::gather
