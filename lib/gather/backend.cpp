#include "lib/gather/backend.h"

#include <cstring>

#include "lib/quant/values.h"

namespace mlq::gather {

Memory host_memory(uint64_t bytes) {
  const auto owner = std::make_shared<std::vector<std::byte>>(bytes);
  return {std::shared_ptr<std::byte>(owner, owner->data()), bytes};
}

void HostBackend::upload(std::byte* to, std::span<const std::byte> from) {
  copy(to, from.data(), from.size());
}

void HostBackend::download(std::span<std::byte> to, const std::byte* from) {
  copy(to.data(), from, to.size());
}

void HostBackend::copy(std::byte* to, const std::byte* from, uint64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

void HostBackend::zero(std::byte* to, uint64_t bytes) {
  if (bytes > 0) std::memset(to, 0, bytes);
}

void HostBackend::fill(std::byte* to, uint64_t bytes, const Read& read) {
  if (bytes > 0) read(0, {to, bytes});
}

std::vector<PartError> HostBackend::encode_parts(const Settings& settings, const Frame& frame,
                                                 const Packing& packing, std::span<const OwnPart> parts,
                                                 std::byte* payload, const Ready& ready) {
  return gather::encode_parts(settings, frame, packing, parts, {payload, packing.payload_bytes}, threads_,
                              ready);
}

void HostBackend::apply_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                              std::span<const HeldPart> parts, const std::byte* payload) {
  gather::apply_parts(settings, frame, packing, parts, {payload, packing.payload_bytes}, threads_);
}

quant::Digest HostBackend::hash(const std::byte* at, uint64_t bytes) {
  return quant::tensor_hash(quant::leaf_digests({at, bytes}));
}

}  // namespace mlq::gather
