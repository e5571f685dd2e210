#include "lib/quant/model_writer.h"

#include <algorithm>
#include <filesystem>

#include "lib/base/error.h"

namespace mlq::quant {
namespace {

namespace fs = std::filesystem;
using tensorfile::kModelFile;
using tensorfile::Metadata;

constexpr uint64_t kReadBlock = uint64_t{1} << 20;

uint64_t bytes_of(const tensorfile::Declaration& tensor) {
  if (tensor.largest_bytes) return *tensor.largest_bytes;
  return tensorfile::make_tensor("output", tensor.name, tensor.dtype, tensor.shape).size_bytes;
}

std::optional<std::string> folder_meant(const std::string& path) {
  if (path == "-") return std::nullopt;
  std::error_code ignored;
  if (!path.ends_with('/') && !fs::is_directory(path, ignored)) return std::nullopt;
  return path.ends_with('/') ? path : path + "/";
}

void make_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw environment_error("{}: cannot make the folder: {}", folder, error.message());
}

// A model beside it, whole where this one is in shards or the other way round, would be what loaders take.
void refuse_other_form(const std::string& path, size_t shards) {
  if (path == "-") return;
  const std::string other = shards > 1 ? path : tensorfile::index_file_name(path);
  std::error_code ignored;
  if (fs::exists(other, ignored))
    throw usage_error(
        "-o: {} is there, of another model, and loaders could take it for this one, which is {}; "
        "remove it or give another name",
        other, shards > 1 ? fmt::format("in {} shards", shards) : "one file");
}

}  // namespace

ModelWriter::ModelWriter(const std::string& path, std::vector<Placement> placements, Metadata common,
                         const WriterOptions& options)
    : discard_(options.discard),
      folder_(folder_meant(path)),
      path_(folder_ ? *folder_ + std::string(kModelFile) : path),
      placements_(std::move(placements)) {
  if (discard_) return;
  if (folder_) make_folder(*folder_);
  std::vector<uint64_t> sizes;
  for (const Placement& placement : placements_) {
    sizes.push_back(0);
    for (const auto& tensor : placement.tensors) sizes.back() += bytes_of(tensor);
  }
  const std::vector<size_t> shard_of = options.largest_shard == 0
                                           ? std::vector<size_t>(sizes.size(), 0)
                                           : tensorfile::cut_into_shards(sizes, options.largest_shard);
  size_t shards = 1;
  for (const size_t shard : shard_of) shards = std::max(shards, shard + 1);
  if (shards > 1 && path == "-")
    throw usage_error("--max-shard-size: standard output takes one file, and this would be {}", shards);

  refuse_other_form(path_, shards);
  std::vector<std::vector<tensorfile::Declaration>> declared(shards);
  std::vector<uint64_t> room(shards, tensorfile::metadata_bytes(common));
  for (size_t i = 0; i < placements_.size(); ++i) {
    Place place{shard_of[i], {}, {}};
    for (const auto& tensor : placements_[i].tensors) {
      place.sizes.push_back(tensor.largest_bytes ? 0 : bytes_of(tensor));
      place.ids.push_back(declared[place.shard].size());
      declared[place.shard].push_back(tensor);
    }
    room[place.shard] += placements_[i].metadata_bytes;
    places_.push_back(std::move(place));
  }
  entries_.resize(shards);
  for (size_t shard = 0; shard < shards; ++shard) {
    tensorfile::SinkOptions sink;
    sink.metadata_room = room[shard];
    sink.keep_part = options.keep_parts;
    const std::string file = shards == 1 ? path_ : tensorfile::shard_file_name(path_, shard, shards);
    sinks_.emplace_back(file, std::move(declared[shard]), common, sink);
  }
}

void ModelWriter::write(size_t placement, size_t tensor, uint64_t offset, std::span<const std::byte> bytes) {
  if (discard_ || bytes.empty()) return;
  const Place& place = places_[placement];
  sinks_[place.shard].write(place.ids[tensor], offset, bytes);
}

void ModelWriter::append(size_t placement, size_t tensor, std::span<const std::byte> bytes) {
  if (discard_ || bytes.empty()) return;
  Place& place = places_[placement];
  sinks_[place.shard].append(place.ids[tensor], bytes);
  place.sizes[tensor] += bytes.size();
}

bool ModelWriter::resumed() const {
  return !sinks_.empty() && std::ranges::all_of(sinks_, &tensorfile::SafetensorsSink::resumed);
}

void ModelWriter::adopt(size_t placement, std::span<const uint64_t> appended) {
  Place& place = places_[placement];
  size_t next = 0;
  for (size_t i = 0; i < place.ids.size(); ++i) {
    if (placements_[placement].tensors[i].largest_bytes) place.sizes[i] = appended[next++];
    if (place.sizes[i] > 0) sinks_[place.shard].adopt(place.ids[i], place.sizes[i]);
  }
}

Digest ModelWriter::stored(size_t placement) const {
  const Place& place = places_[placement];
  ByteHash hash;
  std::vector<std::byte> block;
  for (size_t i = 0; i < place.ids.size(); ++i) {
    for (uint64_t at = 0; at < place.sizes[i]; at += block.size()) {
      block.resize(std::min(place.sizes[i] - at, kReadBlock));
      sinks_[place.shard].read_back(place.ids[i], at, block);
      hash.add(block);
    }
  }
  return hash.digest();
}

void ModelWriter::sync() {
  for (auto& sink : sinks_) sink.sync();
}

void ModelWriter::set_metadata(size_t placement, std::string key, std::string value) {
  if (!discard_) entries_[places_[placement].shard][std::move(key)] = std::move(value);
}

std::vector<WrittenShard> ModelWriter::publish(Metadata common) {
  if (discard_) return {};
  for (size_t shard = 0; shard < sinks_.size(); ++shard) {
    Metadata metadata = common;
    metadata.merge(entries_[shard]);
    sinks_[shard].seal(metadata);
  }
  std::vector<WrittenShard> written;
  std::vector<std::pair<std::string, std::string>> weight_map;
  uint64_t total = 0;
  for (auto& sink : sinks_) {
    sink.publish();
    written.push_back({sink.path(), sink.tensors().size(), sink.file_bytes()});
    for (const auto& tensor : sink.tensors()) {
      weight_map.emplace_back(tensor.name, fs::path(sink.path()).filename().string());
      total += tensor.size_bytes;
    }
  }
  if (sinks_.size() > 1)
    tensorfile::write_shard_index(tensorfile::index_file_name(path_), total, std::move(weight_map));
  return written;
}

}  // namespace mlq::quant
