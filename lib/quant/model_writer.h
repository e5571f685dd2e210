// The files of an encoded or decoded model: one, or shards with an index. They appear together when all is
// written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/quant/container.h"
#include "lib/quant/schedule.h"
#include "lib/tensorfile/shards.h"
#include "lib/tensorfile/sink.h"

namespace mlq::quant {

// Everything that one tensor of the source becomes.
struct Placement {
  std::string name;  // of the source's tensor
  std::vector<tensorfile::Declaration> tensors;
  uint64_t metadata_bytes = 0;  // room for its entry; 0: it has none
};

struct WrittenShard {
  std::string file;
  uint64_t tensors = 0;
  uint64_t size_bytes = 0;
};

// write() is thread-safe; append() too, in the order of its turn numbers. The rest is for one thread.
class ModelWriter {
 public:
  // `path` is a file or, with a slash at its end or where a folder is, a folder that holds
  // `model.safetensors`. `largest_shard`: 0 for one file. `common`: metadata of each file, of its final size.
  // With `discard` nothing is made: a dry run. A usage Error where the other form (file, or shards with an
  // index) of that name is there.
  ModelWriter(const std::string& path, std::vector<Placement> placements, uint64_t largest_shard,
              tensorfile::Metadata common, bool discard = false);

  // Tensor `tensor` of placement `placement`.
  void write(size_t placement, size_t tensor, uint64_t offset, std::span<const std::byte> bytes);
  void append(size_t placement, size_t tensor, std::span<const std::byte> bytes);

  // Metadata entry of a placement, at most its metadata_bytes.
  void set_metadata(size_t placement, std::string key, std::string value);

  // Ends the files and puts them, and their index, in their places. `common` replaces that of the
  // constructor.
  std::vector<WrittenShard> publish(tensorfile::Metadata common);

  // The folder of the output, or nothing if it is a single file.
  const std::optional<std::string>& folder() const { return folder_; }

 private:
  struct Place {
    size_t shard = 0;
    std::vector<size_t> ids;
  };
  bool discard_;
  std::optional<std::string> folder_;
  std::string path_;  // of the only file, or of what shards are named after
  std::vector<Placement> placements_;
  std::vector<Place> places_;
  std::vector<tensorfile::SafetensorsSink> sinks_;
  std::vector<tensorfile::Metadata> entries_;  // by shard
};

}  // namespace mlq::quant
