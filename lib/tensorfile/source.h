// Tensors to read: one file or many, whatever their format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/stop.h"
#include "lib/tensorfile/byte_file.h"
#include "lib/tensorfile/tensor.h"

namespace mlq::tensorfile {

// A safetensors file's `__metadata__`.
using Metadata = std::map<std::string, std::string, std::less<>>;

enum class FileFormat : uint8_t { safetensors, npy, raw, torch };
// `safetensors`, `npy`, `raw`, `torch`.
std::string_view format_name(FileFormat format);

// One file that a source consists of.
struct Shard {
  std::string file;  // its path as given, or the path of its folder and its name; `standard input`
  FileFormat format = FileFormat::safetensors;
  uint64_t size_bytes = 0;    // of the whole file, decompressed
  uint64_t data_offset = 0;   // where the tensors' bytes begin; 0 where each lies in its own place
  uint64_t stored_bytes = 0;  // of the tensors' storages, which may be more than the tensors show
  Metadata metadata = {};
};

// A list of tensors and their bytes. Immutable and thread-safe; movable. Owns its files.
class Source {
 public:
  struct File {
    Shard shard;
    std::unique_ptr<ByteFile> bytes;
  };
  // For open_source and for tests; `tensors` as below. Throws an input Error if two have one name.
  Source(std::string name, std::vector<File> files, std::vector<TensorInfo> tensors);

  // As the user named it, for messages.
  const std::string& name() const { return name_; }
  const std::vector<File>& files() const { return files_; }
  const Shard& shard(size_t index) const { return files_[index].shard; }
  size_t shards() const { return files_.size(); }

  // In the order in which they lie in the files, so that a reader from front to back never seeks back.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  // Its index in tensors().
  std::optional<size_t> find(std::string_view name) const;

  // Fills `out` with the bytes of tensor `index` from `offset` on; they must lie within it, and it must have
  // no strides. Errors as ByteFile::read.
  void read(size_t index, uint64_t offset, std::span<std::byte> out) const;
  // Says that these bytes are wanted soon. Never fails.
  void will_need(size_t index, uint64_t offset, uint64_t size) const;
  // Throws an input Error if a file has changed since it was opened. To be called when all is read.
  void check_unchanged() const;

 private:
  std::string name_;
  std::vector<File> files_;
  std::vector<TensorInfo> tensors_;
  std::vector<size_t> by_name_;  // indices of tensors_, sorted by name
};

// A file without a header.
struct RawForm {
  Dtype dtype = Dtype::f32;
  std::optional<uint64_t> elems = {};  // that it must have
};

struct SourceOptions {
  // Set: files are what it says, whatever they look like.
  std::optional<RawForm> raw = {};
  // Files of torch.save (zip) and npy files in Fortran order are read; their tensors may have strides.
  bool strided = false;
  // Elements of npy files that are `<u2` or `|V2` are BF16.
  bool u2_is_bf16 = false;
  // Where streams and compressed files are laid down before they are read.
  std::string spool_folder = "/var/tmp";
  // May be null; ends the reading of a stream early, which is then reported as cut.
  const StopFlag* stop = nullptr;
};

// Opens, by their content: a safetensors file; an .npy file of version 1, 2 or 3 (one tensor, named like the
// file without its ending); with `strided` a file of torch.save (see torch_pickle.h); any of them compressed
// with zstd, or as `-` on standard input, which are spooled first. `NAME.json` is an index of shards: its
// `weight_map` may name files of its own folder only, and each tensor must be in just the file that it names.
// A folder is its model.safetensors.index.json, else its model.safetensors, else all its *.safetensors in
// byte order. Headers are read and checked, data is not. Throws an input Error for what is damaged, hostile
// or of a format that is not read (pickle, GGUF), with advice, and an environment Error where reading fails.
Source open_source(const std::string& path, const SourceOptions& options = {});

}  // namespace mlq::tensorfile
