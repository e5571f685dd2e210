#include "lib/gather/settings.h"

#include <bit>

#include "kernels/delta.h"
#include "lib/base/error.h"
#include "lib/base/units.h"

namespace mlq::gather {
namespace {

constexpr unsigned kMostStrata = 65536;

}  // namespace

Settings default_settings(Cancel cancel, unsigned bits) {
  Settings settings;
  settings.cancel = cancel;
  settings.bits = bits;
  if (cancel == Cancel::dither || (cancel == Cancel::none && bits == 8))
    settings.grid = kernels::Grid::absmax;
  return settings;
}

void validate(const Settings& s) {
  const auto is_width = [](unsigned bits) { return bits == 8 || bits == 4 || bits == 3 || bits == 2; };
  if (!is_width(s.bits)) throw usage_error("codes have 8, 4, 3 or 2 bits, not {}", s.bits);
  if (s.key_bits != 0 && !is_width(s.key_bits))
    throw usage_error("key frames have 8, 4, 3 or 2 bits, or are raw, not {}", s.key_bits);
  if (s.block < 16 || s.block > kernels::kDeltaLargestBlock || !std::has_single_bit(s.block))
    throw usage_error("a block is a power of two from 16 to 16384, not {}", s.block);
  if (s.cancel == Cancel::dither && s.grid == kernels::Grid::mse)
    throw usage_error("dither has no grid mse; its scale may not depend on the offsets");
  if (s.cancel == Cancel::dither && (s.strata < 1 || s.strata > kMostStrata))
    throw usage_error("dither has 1 to {} strata, not {}", kMostStrata, s.strata);
  if (!(s.beta >= 0 && s.beta <= 1))
    throw usage_error("what is kept of a residual is 0 to 1, not {}", s.beta);
  if (s.cancel != Cancel::residual &&
      (s.beta != 1 || s.residual_reset != 0 || s.residual_type != ResidualType::f32))
    throw usage_error("only residual has something to keep");
  if (s.qwz && s.cancel != Cancel::none) throw usage_error("the rival qwz cancels nothing");
}

std::string_view name_of(Cancel cancel) {
  switch (cancel) {
    case Cancel::none:
      return "none";
    case Cancel::delta:
      return "delta";
    case Cancel::residual:
      return "residual";
    default:
      return "dither";
  }
}

void parse_cancel(std::string_view text, Settings& settings) {
  constexpr std::string_view kDither = "dither";
  settings.strata = 1;
  for (const Cancel cancel : {Cancel::none, Cancel::delta, Cancel::residual})
    if (text == name_of(cancel)) {
      settings.cancel = cancel;
      return;
    }
  if (!text.starts_with("dither:"))
    throw usage_error("\"{}\" must be none, delta, residual or dither:N", text);
  settings.cancel = Cancel::dither;
  const uint64_t strata = parse_count(text.substr(kDither.size() + 1));
  if (strata < 1 || strata > kMostStrata)
    throw usage_error("dither has 1 to {} strata, not {}", kMostStrata, strata);
  settings.strata = static_cast<unsigned>(strata);
}

std::string fingerprint(const Settings& s) {
  const std::string_view residual = s.residual_type == ResidualType::int8 ? " residual=int8" : "";
  return fmt::format(
      "{} bits={} grid={} block={} scale={} state={} key={} strata={} beta={} reset={} seed={} qwz={}{}",
      name_of(s.cancel), s.bits, quant::name_of(s.grid), s.block, quant::name_of(s.scale),
      quant::name_of(s.state), s.key_bits, s.strata, s.beta, s.residual_reset, s.seed, s.qwz, residual);
}

ResidualType parse_residual_type(std::string_view text) {
  if (text == "f32") return ResidualType::f32;
  if (text == "int8") return ResidualType::int8;
  throw usage_error("\"{}\" must be f32 or int8", text);
}

}  // namespace mlq::gather
