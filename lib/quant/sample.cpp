#include "lib/quant/sample.h"

#include <algorithm>
#include <cmath>

#include "lib/quant/values.h"

namespace mlq::quant {
namespace {

constexpr uint64_t kRun = 16384;

void read_run(const tensorfile::Source& source, size_t index, uint64_t first, uint64_t count, Sample& sample,
              Worker& worker) {
  const auto& info = source.tensors()[index];
  const size_t width = tensorfile::bits_per_element(info.dtype) / 8;
  worker.input.resize(count * width);
  source.read(index, first * width, worker.input);
  const auto* values = static_cast<const std::byte*>(as_values(info.dtype, worker.input, worker.values));
  sample.values.insert(sample.values.end(), values, values + count * size_of(sample.type));
}

struct Sums {
  double signal = 0, noise = 0;
};
Sums sums_of(const Sample& sample, const std::vector<std::byte>& decoded) {
  std::vector<kernels::ErrorSums> groups(kernels::sum_groups(sample.elems));
  kernels::error_sums_simd(sample.elems, sample.type, sample.values.data(), sample.type, decoded.data(),
                           groups.data());
  Sums sums;
  for (const auto& group : groups) {
    sums.signal += group.x2;
    sums.noise += group.e2;
  }
  return sums;
}

uint64_t packed_size(const std::vector<std::byte>& plane, Zstd how, Worker& worker) {
  if (how == Zstd::off || plane.empty()) return plane.size();
  std::vector<std::byte> packed;
  std::vector<FrameEntry> entries;
  worker.packer.pack(plane, how == Zstd::automatic ? worker.packer.better(plane) : how, packed, entries);
  return packed.size();
}

}  // namespace

Sample take_sample(const tensorfile::Source& source, size_t index, Worker& worker) {
  const auto& info = source.tensors()[index];
  Sample sample;
  sample.type = *source_float(info.dtype);
  const uint64_t runs = kSampleElems / kRun;
  if (info.elems <= kSampleElems) {
    read_run(source, index, 0, info.elems, sample, worker);
  } else {
    for (uint64_t run = 0; run < runs; ++run) {
      // (elems - kRun) * run would not fit 64 bits for the largest tensors.
      const uint64_t span = info.elems - kRun;
      const uint64_t first = span / (runs - 1) * run + span % (runs - 1) * run / (runs - 1);
      read_run(source, index, first, kRun, sample, worker);
    }
  }
  sample.elems = sample.values.size() / size_of(sample.type);
  sample.energy = sums_of(sample, sample.values).signal;
  return sample;
}

Candidate try_format(const Sample& sample, const Spec& spec, Worker& worker) {
  Preparation preparation(spec, sample.type, {1, sample.elems}, {}, 1);
  const Range all{0, sample.elems};
  for (unsigned pass = 0; pass < preparation.passes(); ++pass) {
    preparation.collect(pass, 0, all, sample.values.data());
    preparation.end_pass(pass);
  }
  const Coding& coding = preparation.coding();
  Piece piece;
  kernels::EncodeCounts counts;
  encode_piece(coding, all, sample.values.data(), piece, counts);
  uint64_t saturated = 0;
  worker.decoded.resize(sample.values.size());
  decode_piece(coding, all, view_of(piece), sample.type, worker.decoded.data(), &saturated);
  uint64_t bytes = packed_size(piece.codes, spec.zstd, worker) + packed_size(piece.high, spec.zstd, worker) +
                   piece.escapes.size();
  if (has_plane(coding, Plane::scales) && spec.block_kind != BlockKind::tensor)
    bytes += plane_bytes(coding, Plane::scales) + plane_bytes(coding, Plane::nested);
  return {coding.spec, bits_per_weight(bytes, sample.elems), sums_of(sample, worker.decoded).noise};
}

std::vector<Candidate> try_steps(const Sample& sample, double first_db, double spacing_db, int count,
                                 Worker& worker) {
  std::vector<Candidate> candidates;
  const double rms = std::sqrt(sample.energy / static_cast<double>(std::max<uint64_t>(sample.elems, 1)));
  for (int i = 0; i < count && rms > 0; ++i) {
    Spec spec = default_spec(Format::ec);
    spec.step = rms * std::sqrt(12.0) * amplitude_of_db(-(first_db + spacing_db * i));
    candidates.push_back(try_format(sample, spec, worker));
    candidates.back().spec.step = spec.step;
  }
  return candidates;
}

}  // namespace mlq::quant
