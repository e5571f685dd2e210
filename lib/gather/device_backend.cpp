#include "lib/gather/device_backend.h"

#include <algorithm>

#include "kernels/block_int.h"
#include "kernels/cast.h"
#include "kernels/delta.h"
#include "kernels/dither.h"
#include "kernels/feedback.h"
#include "kernels/qwz.h"
#include "kernels/sums.h"
#include "kernels/xxh3_leaves.h"

namespace mlq::gather {

using namespace kernels;

namespace {

constexpr uint64_t kStaging = uint64_t{16} << 20;

uint64_t leaf_bytes(uint64_t bytes) { return (bytes + kHashLeaf - 1) / kHashLeaf * 16; }

uint8_t* codes_at(std::byte* payload, const Packing::Slot& slot) {
  return reinterpret_cast<uint8_t*>(payload + slot.codes);
}

// Added up as the CPU does: groups to pieces, pieces to the part.
PartError error_of(uint64_t elems, std::span<const ErrorSums> groups) {
  constexpr uint64_t kGroups = kPiece / kSumGroup;
  PartError error;
  for (uint64_t piece = 0; piece < pieces_of(elems); ++piece) {
    double weights = 0, errors = 0;
    for (uint64_t g = piece * kGroups; g < std::min<uint64_t>((piece + 1) * kGroups, groups.size()); ++g) {
      weights += groups[g].x2;
      errors += groups[g].e2;
    }
    error.weight_energy += weights;
    error.error_energy += errors;
  }
  return error;
}

}  // namespace

DeviceBackend::DeviceBackend(const device::Device& device)
    : device_(device), stream_(device), staged_{device::Event(device), device::Event(device)} {}

Memory DeviceBackend::allocate(uint64_t bytes) {
  const auto owner = std::make_shared<device::DeviceBuffer>(device_, bytes);
  zero(owner->data(), bytes);
  room<uint8_t>(digests_, leaf_bytes(bytes));  // not when it is hashed: see encode_parts()
  return {std::shared_ptr<std::byte>(owner, owner->data()), bytes};
}

Memory DeviceBackend::allocate_staging(uint64_t bytes) {
  const auto owner = std::make_shared<device::PinnedBuffer>(device_, bytes);
  return {std::shared_ptr<std::byte>(owner, owner->data()), bytes};
}

void DeviceBackend::upload(std::byte* to, std::span<const std::byte> from) {
  device::copy_to_device(to, from.data(), from.size(), stream_);
  stream_.sync();
}

void DeviceBackend::download(std::span<std::byte> to, const std::byte* from) {
  device::copy_to_host(to.data(), from, to.size(), stream_);
  stream_.sync();
}

void DeviceBackend::copy(std::byte* to, const std::byte* from, uint64_t bytes) {
  device::copy_on_device(to, from, bytes, stream_);
}

void DeviceBackend::zero(std::byte* to, uint64_t bytes) { device::zero(to, bytes, stream_); }

// Reads into one half of the staging memory while the other is copied.
void DeviceBackend::fill(std::byte* to, uint64_t bytes, const Read& read) {
  for (uint64_t at = 0, turn = 0; at < bytes; at += kStaging, turn = 1 - turn) {
    device::PinnedBuffer& staging = staging_[turn];
    if (staging.size() == 0) staging = device::PinnedBuffer(device_, kStaging);
    staged_[turn].sync();
    const uint64_t count = std::min(kStaging, bytes - at);
    read(at, {staging.data(), count});
    device::copy_to_device(to + at, staging.data(), count, stream_);
    staged_[turn].record(stream_);
  }
}

template <class T>
T* DeviceBackend::room(device::DeviceBuffer& buffer, uint64_t count) {
  const uint64_t bytes = std::max<uint64_t>(count, 1) * sizeof(T);
  if (buffer.size() < bytes) {
    buffer = {};  // not both at once
    buffer = device::DeviceBuffer(device_, bytes);
  }
  return reinterpret_cast<T*>(buffer.data());
}

void DeviceBackend::encode_residual(const Settings& settings, const Frame& frame, const OwnPart& own,
                                    uint8_t* codes, void* scales, Tally* tally) {
  const uint64_t elems = own.part.elems, scales_at = residual_scales(elems);
  const BlockLayout layout{1, elems, settings.block};
  const bool small = settings.residual_type == ResidualType::int8;
  const auto* const before = static_cast<const uint8_t*>(own.residual);
  auto* const after = static_cast<uint8_t*>(own.next_residual);
  auto* const x = room<float>(compensated_, elems);
  if (small)
    block_int_decode_cuda(kResidualSpec, layout, before, before + scales_at, Float::f32, x,
                          &tally->of_residual.saturated, stream_.handle());
  feedback_compensate_cuda(elems, own.part.source, own.weights, residual_share(settings, frame),
                           small ? x : reinterpret_cast<const float*>(before), x, stream_.handle());
  delta_encode_cuda(spec_of(settings, frame), layout, Float::f32, x, settings.state, own.next, codes, scales,
                    &tally->counts, &tally->saturated, stream_.handle());
  feedback_residual_cuda(elems, x, settings.state, own.next, small ? x : reinterpret_cast<float*>(after),
                         stream_.handle());
  if (small)
    block_int_encode_cuda(kResidualSpec, layout, Float::f32, x, after, after + scales_at,
                          &tally->of_residual.counts, stream_.handle());
}

void DeviceBackend::encode_part(const Settings& settings, const Frame& frame, const OwnPart& own,
                                uint8_t* codes, void* scales, Tally* tally) {
  const uint64_t elems = own.part.elems, bytes = elems * size_of(settings.state);
  auto* const next = static_cast<std::byte*>(own.next);
  const BlockLayout layout{1, elems, settings.block};
  if (is_raw(settings, frame)) {
    count_nonfinite_cuda(elems, own.part.source, own.weights, &tally->counts.nonfinite, stream_.handle());
    cast_cuda(elems, own.part.source, own.weights, settings.state, next, &tally->saturated, stream_.handle());
    copy(reinterpret_cast<std::byte*>(codes), next, bytes);
    return;
  }
  if (uses_state(settings, frame)) {
    copy(next, static_cast<const std::byte*>(own.held), bytes);
  } else {
    zero(next, bytes);
  }
  const BlockIntSpec spec = spec_of(settings, frame);
  if (uses_dither(settings, frame)) {
    const DitherKey key = dither_key(settings, own.part, frame);
    dither_encode_cuda(spec, layout, key, own.part.first, own.part.source, own.weights, codes, scales,
                       &tally->counts, stream_.handle());
    dither_decode_cuda(spec, layout, key, own.part.first, codes, scales, settings.state, next,
                       &tally->saturated, stream_.handle());
  } else if (settings.cancel == Cancel::residual) {
    encode_residual(settings, frame, own, codes, scales, tally);
  } else if (settings.qwz) {
    qwz_encode_cuda(spec, layout, own.part.source, own.weights, codes, scales, &tally->counts,
                    stream_.handle());
    delta_apply_cuda(spec, layout, codes, scales, settings.state, next, &tally->saturated, stream_.handle());
  } else {
    delta_encode_cuda(spec, layout, own.part.source, own.weights, settings.state, next, codes, scales,
                      &tally->counts, &tally->saturated, stream_.handle());
  }
}

std::vector<PartError> DeviceBackend::encode_parts(const Settings& settings, const Frame& frame,
                                                   const Packing& packing, std::span<const OwnPart> parts,
                                                   std::byte* payload, const Ready& ready) {
  device_.use();
  uint64_t groups = 0;
  for (const OwnPart& own : parts) groups += sum_groups(own.part.elems);
  // All that is needed is there before the first piece goes: to make or free memory the device waits for all
  // its streams, and pieces under way wait for other ranks.
  uint64_t largest = 0;
  for (const OwnPart& own : parts) largest = std::max(largest, own.part.elems);
  if (settings.cancel == Cancel::residual) room<float>(compensated_, largest);
  auto* const tallies = room<Tally>(tallies_, parts.size());
  auto* const sums = room<ErrorSums>(sums_, groups);
  device::zero(tallies, parts.size() * sizeof(Tally), stream_);
  zero(payload, packing.payload_bytes);
  uint64_t group = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const OwnPart& own = parts[i];
    const Packing::Slot& slot = packing.parts[i];
    encode_part(settings, frame, own, codes_at(payload, slot), payload + slot.scales, tallies + i);
    error_sums_cuda(own.part.elems, own.part.source, own.weights, settings.state, own.next, sums + group,
                    stream_.handle());
    group += sum_groups(own.part.elems);
    if (ready) ready(slot.codes + code_bytes(settings, frame, own.part.elems));
  }
  device::check_launch("an encoder");
  std::vector<Tally> counted(parts.size());
  std::vector<ErrorSums> added(groups);
  device::copy_to_host(counted.data(), tallies, parts.size() * sizeof(Tally), stream_);
  device::copy_to_host(added.data(), sums, groups * sizeof(ErrorSums), stream_);
  stream_.sync();
  if (ready) ready(packing.payload_bytes);
  std::vector<PartError> errors;
  group = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const uint64_t elems = parts[i].part.elems, count = sum_groups(elems);
    errors.push_back(error_of(elems, std::span(added).subspan(group, count)));
    errors.back().nonfinite = counted[i].counts.nonfinite;
    errors.back().saturated = counted[i].saturated;
    group += count;
  }
  return errors;
}

void DeviceBackend::apply_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                                std::span<const HeldPart> parts, const std::byte* payload) {
  device_.use();
  auto* const tally = room<Tally>(tallies_, 1);  // the owner has counted
  for (size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i].part;
    const uint64_t bytes = part.elems * size_of(settings.state);
    auto* const held = static_cast<std::byte*>(parts[i].held);
    const std::byte* const codes = payload + packing.parts[i].codes;
    const std::byte* const scales = payload + packing.parts[i].scales;
    if (is_raw(settings, frame)) {
      copy(held, codes, bytes);
      continue;
    }
    const BlockIntSpec spec = spec_of(settings, frame);
    const BlockLayout layout{1, part.elems, settings.block};
    const auto* const packed = reinterpret_cast<const uint8_t*>(codes);
    if (uses_dither(settings, frame)) {
      dither_decode_cuda(spec, layout, dither_key(settings, part, frame), part.first, packed, scales,
                         settings.state, held, &tally->saturated, stream_.handle());
      continue;
    }
    if (!uses_state(settings, frame)) zero(held, bytes);
    delta_apply_cuda(spec, layout, packed, scales, settings.state, held, &tally->saturated, stream_.handle());
  }
  device::check_launch("a decoder");
}

quant::Digest DeviceBackend::hash(const std::byte* at, uint64_t bytes) {
  device_.use();
  auto* const digests = room<uint8_t>(digests_, leaf_bytes(bytes));
  xxh3_leaves_cuda(at, bytes, digests, stream_.handle());
  device::check_launch("a hash");
  std::vector<uint8_t> leaves(leaf_bytes(bytes));
  device::copy_to_host(leaves.data(), digests, leaves.size(), stream_);
  stream_.sync();
  return quant::tensor_hash(leaves);
}

}  // namespace mlq::gather
