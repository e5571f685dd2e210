#include "lib/quant/device_coder.h"

#include <algorithm>

#include "kernels/ec.h"
#include "kernels/sums.h"
#include "kernels/xxh3_leaves.h"

namespace mlq::quant {
namespace {

// Parts of the pinned output begin on these.
constexpr size_t kAlign = 64;

size_t padded(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

size_t leaf_bytes(size_t bytes) { return (bytes + kernels::kHashLeaf - 1) / kernels::kHashLeaf * 16; }

// What the device counts of a piece.
struct DeviceTally {
  EncodeTally encoded;
  uint64_t saturated = 0;
};

}  // namespace

DeviceCoder::DeviceCoder(const device::Device& device) : device_(device), stream_(device) {}

uint8_t* DeviceCoder::Room::get(const device::Device& device, size_t bytes) {
  if (buffer.size() < bytes || buffer.data() == nullptr) buffer = device::DeviceBuffer(device, bytes);
  return reinterpret_cast<uint8_t*>(buffer.data());
}

std::span<std::byte> DeviceCoder::input(size_t bytes) {
  if (input_.size() < bytes) input_ = device::PinnedBuffer(device_, bytes);
  input_bytes_ = bytes;
  return {input_.data(), bytes};
}

size_t DeviceCoder::bring(const void* from, size_t bytes) {
  const size_t offset = output_bytes_;
  output_bytes_ += padded(bytes);
  if (bytes > 0) device::copy_to_host(output_.data() + offset, from, bytes, stream_);
  return offset;
}

void DeviceCoder::encode(const Coding& coding, const Range& range, Piece& out, PieceTotals& totals) {
  const size_t bytes = input_bytes_, digests = leaf_bytes(bytes);
  const size_t codes = plane_extent(coding, Plane::codes, range).size;
  const size_t high = plane_extent(coding, Plane::high, range).size;
  const size_t scales = encoded_scale_bytes(coding, range);
  const size_t sums = kernels::sum_groups(range.count) * sizeof(kernels::ErrorSums);
  const size_t needed = padded(codes) + padded(high) + padded(scales) + padded(sums) +
                        padded(sizeof(DeviceTally)) + 2 * padded(digests);
  if (output_.size() < needed) output_ = device::PinnedBuffer(device_, needed);
  output_bytes_ = 0;

  uint8_t* x = values_.get(device_, bytes);
  const PlanePointers<uint8_t> planes = {
      codes_.get(device_, codes), high_.get(device_, high), scales_.get(device_, scales),
      escapes_.get(device_, has_plane(coding, Plane::escapes) ? bytes : 0)};
  uint8_t* decoded = decoded_.get(device_, bytes);
  uint8_t* hashes = digests_.get(device_, 2 * digests);
  auto* errors = reinterpret_cast<kernels::ErrorSums*>(sums_.get(device_, sums));
  auto* tally = reinterpret_cast<DeviceTally*>(tally_.get(device_, sizeof(DeviceTally)));
  Backend backend;
  backend.stream = stream_.handle();
  if (coding.spec.format == Format::ec)
    backend.scratch = scratch_.get(device_, kernels::ec_scratch_bytes(range.count));

  device::copy_to_device(x, input_.data(), bytes, stream_);
  device::zero(tally, sizeof(DeviceTally), stream_);
  kernels::xxh3_leaves_cuda(x, bytes, hashes, *backend.stream);
  // A scale for the whole tensor is read, not written. From memory that is not pinned a copy is done when it
  // returns.
  const std::vector<std::byte> one_scale =
      coding.spec.double_quant ? std::vector<std::byte>() : tensor_plane(coding, Plane::scales);
  device::copy_to_device(planes.scales, one_scale.data(), one_scale.size(), stream_);
  encode_planes(coding, range, x, planes, &tally->encoded, backend);
  const size_t codes_at = bring(planes.codes, codes), high_at = bring(planes.high, high);
  const size_t scales_at = bring(planes.scales, scales);
  // What double quantisation made of the absmax stands in its place for the decoder.
  const std::span<const float> absmax = absmax_of(coding, range);
  device::copy_to_device(planes.scales, absmax.data(), absmax.size_bytes(), stream_);
  decode_planes(coding, range, {planes.codes, planes.high, planes.scales, planes.escapes}, coding.source,
                decoded, &tally->saturated, backend);
  kernels::error_sums_cuda(range.count, coding.source, x, coding.source, decoded, errors, *backend.stream);
  kernels::xxh3_leaves_cuda(decoded, bytes, hashes + digests, *backend.stream);
  device::check_launch("an encoder");
  const size_t sums_at = bring(errors, sums), tally_at = bring(tally, sizeof(DeviceTally));
  const size_t source_at = bring(hashes, digests), decoded_at = bring(hashes + digests, digests);
  stream_.sync();

  const auto take = [&](size_t at, size_t size, auto& to) {
    using T = typename std::remove_reference_t<decltype(to)>::value_type;
    const auto* from = reinterpret_cast<const T*>(output_.data() + at);
    to.assign(from, from + size / sizeof(T));
  };
  take(codes_at, codes, out.codes);
  take(high_at, high, out.high);
  take(scales_at, scales, out.scales);
  take(sums_at, sums, totals.errors);
  take(source_at, digests, totals.source_leaves);
  take(decoded_at, digests, totals.decoded_leaves);
  const auto& counted = *reinterpret_cast<const DeviceTally*>(output_.data() + tally_at);
  totals.counts = counted.encoded.counts;
  totals.saturated = counted.saturated;
  out.escape_count = counted.encoded.escapes;
  const size_t escaped = out.escape_count * size_of(coding.source);
  out.escapes.resize(escaped);
  if (escaped == 0) return;
  if (output_.size() < escaped) output_ = device::PinnedBuffer(device_, escaped);
  device::copy_to_host(output_.data(), planes.escapes, escaped, stream_);
  stream_.sync();
  std::copy_n(output_.data(), escaped, out.escapes.begin());
}

}  // namespace mlq::quant
