#include "lib/quant/stored_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/float_convert.h"
#include "lib/base/error.h"
#include "lib/quant/nested_scale.h"

namespace mlq::quant {
namespace {

size_t at(Plane plane) { return static_cast<size_t>(plane); }

const std::string& value_of(const tensorfile::Metadata& metadata, std::string_view key) {
  static const std::string none;
  const auto it = metadata.find(key);
  return it == metadata.end() ? none : it->second;
}

bool all_finite(Float type, std::span<const std::byte> values) {
  for (size_t i = 0; i < values.size() / size_of(type); ++i)
    if (!std::isfinite(kernels::load(type, values.data(), i))) return false;
  return true;
}

// Scales of blocks as they are read; those of the whole tensor are checked as floats.
bool scales_finite(const Coding& coding, std::span<const std::byte> scales) {
  const auto none = [&](uint8_t bad, uint8_t mask) {
    return std::none_of(scales.begin(), scales.end(),
                        [&](std::byte b) { return (std::to_integer<uint8_t>(b) & mask) == bad; });
  };
  switch (coding.spec.format) {
    case Format::nvfp4:
      return none(0x7f, 0x7f);
    case Format::mxfp4:
    case Format::mxfp8:
      return none(0xff, 0xff);
    default:
      return coding.spec.double_quant || all_finite(coding.spec.scale, scales);
  }
}

}  // namespace

bool is_encoded(const tensorfile::Source& source) {
  for (size_t shard = 0; shard < source.shards(); ++shard)
    if (value_of(source.shard(shard).metadata, kKindKey) == kKind) return true;
  return false;
}

StoredModel::StoredModel(const tensorfile::Source& source) : source_(&source) {
  bool ours = false;
  for (size_t shard = 0; shard < source.shards(); ++shard) {
    const auto& metadata = source.shard(shard).metadata;
    const std::string& version = value_of(metadata, kVersionKey);
    if (version.empty()) continue;
    if (version != kMetaVersion)
      throw input_error("{}: written by a later mlq-quant (version {} of its metadata; this one reads {})",
                        source.shard(shard).file, version, kMetaVersion);
    ours = true;
    const std::string& kind = value_of(metadata, kKindKey);
    if (!kind.empty() && kind != kKind)
      throw input_error("{}: holds {}, not weights", source.shard(shard).file, tensorfile::in_quotes(kind));
    for (const std::string_view key : {kKindKey, kSourceHashKey, kDecodedHashKey}) {
      if (value_of(metadata, key).empty())
        throw input_error("{}: its metadata lack \"{}\"; the file is damaged", source.shard(shard).file, key);
    }
    source_hash_ = value_of(metadata, kSourceHashKey);
    decoded_hash_ = value_of(metadata, kDecodedHashKey);
    for (const auto& [key, value] : metadata)
      if (key.starts_with(kMetaPrefix)) add(key.substr(kMetaPrefix.size()), value, shard);
  }
  if (!ours)
    throw input_error("{}: not written by mlq-quant: it lacks the metadata \"{}\"", source.name(),
                      kVersionKey);
  std::sort(tensors_.begin(), tensors_.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.planes[0], a.meta.name) < std::pair(b.planes[0], b.meta.name);
  });
}

void StoredModel::add(const std::string& name, const std::string& json, size_t shard) {
  const std::string& file = source_->shard(shard).file;
  StoredTensor tensor;
  tensor.meta = parse_meta(name, json, file);
  for (const StoredPlane& plane : tensor.meta.planes) {
    const auto index = source_->find(plane.tensor);
    const auto fail = [&](std::string_view why) {
      throw input_error("{}: tensor {}: {} {}; the file is damaged", file, tensorfile::in_quotes(name),
                        tensorfile::in_quotes(plane.tensor), why);
    };
    if (!index || source_->tensors()[*index].shard != shard) fail("is missing");
    const tensorfile::TensorInfo& info = source_->tensors()[*index];
    if (plane.zstd ? info.size_bytes < seek_table_bytes(frames_of(plane.bytes))
                   : info.size_bytes != plane.bytes)
      fail(fmt::format("has {} bytes, which do not fit", info.size_bytes));
    tensor.planes[at(plane.plane)] = index;
    tensor.stored_bytes += info.size_bytes;
    // What compressed-tensors packs has the sign in its uppermost bit.
    if (tensor.meta.coding.spec.format == Format::int8 && plane.plane == Plane::codes &&
        info.dtype == tensorfile::Dtype::i32) {
      tensor.container = Container::compressed_tensors;
      tensor.meta.coding.spec.signed_codes = false;
    }
  }
  tensors_.push_back(std::move(tensor));
}

PlaneReader::PlaneReader(const StoredModel& model, const StoredTensor& tensor)
    : model_(model), tensor_(tensor), coding_(tensor.meta.coding) {
  for (const StoredPlane& plane : tensor.meta.planes) {
    if (!plane.zstd) continue;
    coding_.spec.zstd = Zstd::literal;  // pieces are to end with frames
    const size_t index = *tensor.planes[at(plane.plane)];
    const uint64_t packed = model.source().tensors()[index].size_bytes;
    std::vector<std::byte> tail(seek_table_bytes(frames_of(plane.bytes)));
    model.source().read(index, packed - tail.size(), tail);
    auto& entries = entries_[at(plane.plane)];
    entries = read_seek_table(tail, plane.bytes, packed, what(plane.plane));
    uint64_t offset = 0;
    for (const FrameEntry& entry : entries) {
      frame_offsets_[at(plane.plane)].push_back(offset);
      offset += entry.packed_bytes;
    }
  }
  const bool whole = coding_.spec.double_quant || coding_.spec.block_kind == BlockKind::tensor;
  const std::vector<std::byte> nested = read_all(Plane::nested), global = read_all(Plane::global);
  load_scales(coding_, whole ? read_all(Plane::scales) : std::vector<std::byte>(), nested, global);
  if (!all_finite(Float::f32, nested) || !std::isfinite(coding_.scale) ||
      !std::isfinite(coding_.nested_offset) || (!global.empty() && coding_.scale == 0))
    throw input_error("{}: a scale is no usable number; the file is damaged", what(Plane::scales));
}

const StoredPlane* PlaneReader::find(Plane plane) const {
  for (const StoredPlane& stored : tensor_.meta.planes)
    if (stored.plane == plane) return &stored;
  return nullptr;
}

std::string PlaneReader::what(Plane plane) const {
  const auto index = tensor_.planes[at(plane)];
  const size_t shard = index ? model_.source().tensors()[*index].shard : 0;
  return fmt::format("{}: tensor {}: {}", model_.source().shard(shard).file,
                     tensorfile::in_quotes(tensor_.meta.name), name_of(plane));
}

std::vector<std::byte> PlaneReader::read_all(Plane plane) const {
  const StoredPlane* stored = find(plane);
  if (stored == nullptr) return {};
  std::vector<std::byte> bytes(stored->bytes);
  model_.source().read(*tensor_.planes[at(plane)], 0, bytes);
  return bytes;
}

void PlaneReader::read(Plane plane, const Extent& extent, Worker& worker, std::vector<std::byte>& out) const {
  out.resize(extent.size);
  if (extent.size == 0) return;
  const size_t index = *tensor_.planes[at(plane)];
  if (!find(plane)->zstd) {
    model_.source().read(index, extent.offset, out);
    if (plane == Plane::scales && !scales_finite(coding_, out))
      throw input_error("{}: a scale is no finite number; the file is damaged", what(plane));
    return;
  }
  const auto& entries = entries_[at(plane)];
  const auto& offsets = frame_offsets_[at(plane)];
  const uint64_t first = extent.offset / kFrameBytes, last = (extent.offset + extent.size - 1) / kFrameBytes;
  worker.packed.resize(offsets[last] + entries[last].packed_bytes - offsets[first]);
  model_.source().read(index, offsets[first], worker.packed);
  worker.compute([&] {
    for (uint64_t i = first; i <= last; ++i)
      worker.unpacker.unpack(
          std::span(worker.packed).subspan(offsets[i] - offsets[first], entries[i].packed_bytes), entries[i],
          std::span(out).subspan(i * kFrameBytes - extent.offset, entries[i].bytes), what(plane));
  });
}

}  // namespace mlq::quant
