#include "lib/gather/capi.h"

#include <cmath>
#include <cstring>
#include <exception>

#include "kernels/float_convert.h"
#include "lib/base/error.h"
#include "lib/gather/codec.h"
#include "lib/quant/values.h"

#define MLQ_EXPORT __attribute__((visibility("default")))

using namespace mlq;
using namespace mlq::gather;

struct mlq_gather {
  Settings settings;
  Part part;
  unsigned threads = 1;
  std::vector<std::byte> held, next, residual, next_residual;
  std::optional<quant::Digest> encoded;  // the payload that next_residual belongs to
  bool has_begun = false;                // a frame that later ones can be differences to was applied
};

namespace {

thread_local std::string last_error;

template <class Work>
int guarded(const Work& work) {
  try {
    last_error.clear();
    work();
    return 0;
  } catch (const Error& error) {
    last_error = error.what();
    return static_cast<int>(error.kind());
  } catch (const std::exception& error) {
    last_error = error.what();
    return static_cast<int>(ExitKind::bug);
  }
}

kernels::Float float_of(mlq_float type) {
  switch (type) {
    case MLQ_F32:
      return kernels::Float::f32;
    case MLQ_F16:
      return kernels::Float::f16;
    case MLQ_BF16:
      return kernels::Float::bf16;
  }
  throw usage_error("{} is no type of numbers", static_cast<int>(type));
}

Settings settings_of(const mlq_gather_options& o) {
  Settings parsed;
  parse_cancel(o.cancel == nullptr ? "delta" : o.cancel, parsed);
  Settings s = default_settings(parsed.cancel, o.bits);
  s.strata = parsed.strata;
  if (o.grid != nullptr) s.grid = quant::parse_grid(o.grid);
  s.block = o.block;
  s.scale = float_of(o.scale);
  s.state = float_of(o.state);
  s.key_bits = o.key_bits;
  s.beta = o.beta;
  s.residual_reset = o.residual_reset;
  s.seed = o.seed;
  validate(s);
  return s;
}

Packing packing_of(const mlq_gather& g, const Frame& frame) {
  return pack_parts(g.settings, frame, {&g.part, 1}, {});
}

void encode(mlq_gather& g, const Frame& frame, const void* weights, std::span<std::byte> packet,
            uint64_t* size, double* rel_rmse) {
  const Packing packing = packing_of(g, frame);
  WireHeader header = make_header(g.settings, frame, 0, 1);
  header.elems = g.part.elems;
  header.payload_bytes = packing.payload_bytes;
  *size = sizeof header + packing.payload_bytes;
  if (*size > packet.size())
    throw usage_error("a packet of {} bytes does not fit into {}", *size, packet.size());
  const auto payload = packet.subspan(sizeof header, packing.payload_bytes);
  const OwnPart own{g.part, weights, g.held.data(), g.next.data(), g.residual.data(), g.next_residual.data()};
  const PartError error = encode_parts(g.settings, frame, packing, {&own, 1}, payload, g.threads).front();
  if (error.nonfinite != 0) {
    const auto unfit = find_nonfinite(g.part.source, weights, g.part.elems);
    if (!unfit) throw input_error("weights differ from what is held by more than fp32 can say");
    throw input_error("element {} is {}; only finite weights can be quantised", unfit->element, unfit->text);
  }
  header.digest = quant::tensor_hash(quant::leaf_digests(payload));
  g.encoded = header.digest;
  std::memcpy(packet.data(), &header, sizeof header);
  if (rel_rmse != nullptr)
    *rel_rmse = error.weight_energy == 0 ? 0 : std::sqrt(error.error_energy / error.weight_energy);
}

// The frame that a packet says it is.
Frame frame_of(std::span<const std::byte> packet) {
  WireHeader header{};
  if (packet.size() < sizeof header) throw input_error("{} bytes are no packet", packet.size());
  std::memcpy(&header, packet.data(), sizeof header);
  return {header.step, (header.flags & WireHeader::key) != 0, false};
}

void apply(mlq_gather& g, std::span<const std::byte> packet) {
  const Frame frame = frame_of(packet);
  const WireHeader header =
      parse_header(packet, packet.size() - sizeof(WireHeader), g.settings, frame, "packet");
  const Packing packing = packing_of(g, frame);
  const auto payload = packet.subspan(sizeof header, header.payload_bytes);
  if (header.elems != g.part.elems || header.payload_bytes != packing.payload_bytes)
    throw input_error("packet: is of {} elements, not of {}", header.elems, g.part.elems);
  if (quant::tensor_hash(quant::leaf_digests(payload)) != header.digest)
    throw input_error("packet: is damaged: its hash differs");
  if (g.settings.cancel == Cancel::delta && !frame.key && !g.has_begun)
    throw input_error("packet: is a difference, and nothing is held yet; begin with a key frame");
  const HeldPart held{g.part, g.held.data()};
  apply_parts(g.settings, frame, packing, {&held, 1}, payload, g.threads);
  if (g.encoded == header.digest) g.residual.swap(g.next_residual);
  g.encoded.reset();
  g.has_begun = true;
}

}  // namespace

extern "C" {

MLQ_EXPORT int mlq_gather_open(const mlq_gather_options* options, mlq_gather** out) {
  return guarded([&] {
    auto g = std::make_unique<mlq_gather>();
    g->settings = settings_of(*options);
    g->part = {options->elems, kernels::Float::f32, options->tensor, options->first};
    g->threads = std::max(options->threads, 1u);
    g->held.resize(g->part.elems * size_of(g->settings.state));
    g->next.resize(g->held.size());
    if (g->settings.cancel == Cancel::residual) {
      g->residual.resize(residual_bytes(g->settings, g->part.elems));
      g->next_residual.resize(g->residual.size());
    }
    *out = g.release();
  });
}

MLQ_EXPORT void mlq_gather_close(mlq_gather* gather) { delete gather; }

MLQ_EXPORT uint64_t mlq_gather_bound(const mlq_gather* gather) {
  return sizeof(WireHeader) + std::max(packing_of(*gather, {0, false, false}).payload_bytes,
                                       packing_of(*gather, {0, true, false}).payload_bytes);
}

MLQ_EXPORT int mlq_gather_encode(mlq_gather* gather, uint64_t step, int key, const void* weights,
                                 mlq_float type, void* packet, uint64_t capacity, uint64_t* size,
                                 double* rel_rmse) {
  return guarded([&] {
    gather->part.source = float_of(type);
    const bool is_delta = gather->settings.cancel == Cancel::delta;
    encode(*gather, {step, is_delta && key != 0, false}, weights, {static_cast<std::byte*>(packet), capacity},
           size, rel_rmse);
  });
}

MLQ_EXPORT int mlq_gather_apply(mlq_gather* gather, const void* packet, uint64_t size) {
  return guarded([&] { apply(*gather, {static_cast<const std::byte*>(packet), size}); });
}

MLQ_EXPORT const void* mlq_gather_state(const mlq_gather* gather) { return gather->held.data(); }

MLQ_EXPORT int mlq_gather_hash(const mlq_gather* gather, uint8_t digest[16]) {
  return guarded([&] {
    const quant::Digest hash = quant::tensor_hash(quant::leaf_digests(gather->held));
    std::copy(hash.begin(), hash.end(), digest);
  });
}

MLQ_EXPORT int mlq_gather_restore(mlq_gather* gather, const void* state) {
  return guarded([&] {
    for (uint64_t i = 0; i < gather->part.elems; ++i)
      if (!kernels::is_finite(kernels::load(gather->settings.state, state, i)))
        throw input_error("element {} of the state is not finite", i);
    std::memcpy(gather->held.data(), state, gather->held.size());
    gather->has_begun = true;
  });
}

MLQ_EXPORT const char* mlq_gather_error(void) { return last_error.c_str(); }

}  // extern "C"
