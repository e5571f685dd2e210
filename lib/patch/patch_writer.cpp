#include "lib/patch/patch_writer.h"

#include <algorithm>
#include <functional>
#include <semaphore>

#include "lib/base/error.h"
#include "lib/base/folder.h"
#include "lib/patch/hashing.h"
#include "lib/quant/tensor_meta.h"
#include "lib/tensorfile/part_file.h"

namespace mlq::patch {
namespace {

constexpr std::string_view kSpoolFolder = "/var/tmp";
constexpr uint64_t kCopied = uint64_t{8} << 20;  // at a time, whole leaves of hashes

bool is_stream(const std::string& path) { return path == "-" || path.ends_with(".zst"); }

std::string scratch_folder(const std::string& path) {
  return is_stream(path) || path.starts_with("/dev/") ? std::string(kSpoolFolder) : folder_of(path);
}

// Takes bytes in parts of any size and gives them on in pieces of kCopied.
class InPieces {
 public:
  explicit InPieces(std::function<void(uint64_t offset, std::span<const std::byte>)> take)
      : take_(std::move(take)) {}
  // Room for the next bytes, at most `size`; to be filled.
  std::span<std::byte> next(uint64_t size) {
    if (held_.size() == kCopied) flush();
    const size_t before = held_.size();
    held_.resize(before + std::min<uint64_t>(size, kCopied - before));
    return std::span(held_).subspan(before);
  }
  void flush() {
    if (!held_.empty()) take_(taken_, held_);
    taken_ += held_.size();
    held_.clear();
  }

 private:
  std::function<void(uint64_t, std::span<const std::byte>)> take_;
  std::vector<std::byte> held_;
  uint64_t taken_ = 0;
};

}  // namespace

PatchWriter::PatchWriter(std::string path)
    : path_(std::move(path)), scratch_name_("a temporary file in " + scratch_folder(path_)) {
  // What stands in the way of the patch is better known before it is made.
  { const tensorfile::PartFile probe(path_, false, std::string(kSpoolFolder)); }
  scratch_ = tensorfile::open_scratch(scratch_folder(path_));
}

PatchWriter::Extent PatchWriter::keep(std::span<const std::byte> bytes) {
  const Extent extent{kept_.fetch_add(bytes.size()), bytes.size()};
  tensorfile::write_fully(scratch_.get(), scratch_name_, extent.offset, bytes);
  return extent;
}

uint64_t PatchWriter::Bytes::size() const {
  if (model != nullptr) return model->layout().tensors[tensor].size_bytes;
  uint64_t size = end.size();
  for (const Extent& extent : kept) size += extent.size;
  return size;
}

void PatchWriter::add(const tensorfile::TensorInfo& tensor, const TensorChange& change, Bytes bytes) {
  Stored stored;
  stored.declared.name = stored_name(tensor.name, change.kind);
  if (change.kind == ChangeKind::raw) {
    stored.declared.dtype = tensor.dtype;
    stored.declared.shape = tensor.shape;
  } else {
    stored.declared.shape = {bytes.size()};
  }
  stored.key = quant::meta_key(tensor.name);
  stored.json = change_json(change);
  stored.bytes = std::move(bytes);
  stored_.push_back(std::move(stored));
}

// Returns the hash of the stored tensor.
quant::Digest PatchWriter::copy(const Stored& stored, size_t id, tensorfile::SafetensorsSink& sink,
                                quant::Worker& worker) const {
  const Bytes& bytes = stored.bytes;
  TensorLeaves leaves;
  leaves.begin(bytes.size());
  const auto put = [&](uint64_t offset, std::span<const std::byte> part) {
    sink.write(id, offset, part);
    leaves.add(offset, part);
  };
  if (bytes.model != nullptr) {
    const tensorfile::TensorInfo& info = bytes.model->layout().tensors[bytes.tensor];
    for (uint64_t piece = 0; piece < piece_count(info); ++piece) {
      bytes.model->read(bytes.tensor, piece, worker, worker.input);
      if (!worker.input.empty()) put(piece_range(info, piece).first, worker.input);
    }
    return leaves.end();
  }
  InPieces pieces(put);
  for (const Extent& extent : bytes.kept) {
    for (uint64_t done = 0; done < extent.size;) {
      const auto room = pieces.next(extent.size - done);
      tensorfile::read_fully(scratch_.get(), scratch_name_, extent.offset + done, room);
      done += room.size();
    }
  }
  for (std::span<const std::byte> left = bytes.end; !left.empty();) {
    const auto room = pieces.next(left.size());
    std::ranges::copy(left.first(room.size()), room.begin());
    left = left.subspan(room.size());
  }
  pieces.flush();
  return leaves.end();
}

uint64_t PatchWriter::seal(tensorfile::Metadata metadata) {
  std::vector<tensorfile::Declaration> declared;
  std::vector<std::string_view> names;
  for (const Stored& stored : stored_) {
    metadata[stored.key] = stored.json;
    declared.push_back(stored.declared);
    names.push_back(stored.declared.name);
  }
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
    throw input_error(
        "tensor {} would stand in the patch under the name of what it stores of another; rename it",
        tensorfile::in_quotes(*twice));
  metadata[std::string(kContentKey)] = quant::hash_text({});  // has the size of what it will be
  sink_.emplace(path_, std::move(declared), metadata);
  quant::ModelHash hash;
  std::counting_semaphore<> alone(1);
  quant::Worker worker;
  worker.computing = &alone;
  for (size_t i = 0; i < stored_.size(); ++i) {
    const tensorfile::Declaration& is = stored_[i].declared;
    hash.add(is.name, tensorfile::dtype_name(is.dtype), is.shape, copy(stored_[i], i, *sink_, worker));
  }
  metadata[std::string(kContentKey)] = quant::hash_text(content_hash(metadata, hash));
  sink_->seal(metadata);
  return sink_->file_bytes();
}

void PatchWriter::publish() { sink_->publish(); }

}  // namespace mlq::patch
