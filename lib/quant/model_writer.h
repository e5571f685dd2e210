// The files of an encoded or decoded model: one, or shards with an index. They appear together when all is
// written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/quant/container.h"
#include "lib/quant/schedule.h"
#include "lib/quant/tree_hash.h"
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

struct WriterOptions {
  uint64_t largest_shard = 0;  // bytes; 0: one file
  bool discard = false;        // nothing is made: a dry run
  bool keep_parts = false;     // for work that is to be resumed: tensorfile::SinkOptions::keep_part
};

// write() is thread-safe; append() too, in the order of its turn numbers. The rest is for one thread.
class ModelWriter {
 public:
  // `path` is a file or, with a slash at its end or where a folder is, a folder that holds
  // `model.safetensors`. `common`: metadata of each file, of its final size. A usage Error where the other
  // form (file, or shards with an index) of that name is there.
  ModelWriter(const std::string& path, std::vector<Placement> placements, tensorfile::Metadata common,
              const WriterOptions& options);

  // Tensor `tensor` of placement `placement`.
  void write(size_t placement, size_t tensor, uint64_t offset, std::span<const std::byte> bytes);
  void append(size_t placement, size_t tensor, std::span<const std::byte> bytes);

  // With keep_parts: true if all part files were there, of this layout.
  bool resumed() const;
  // Says that a placement is in its part file already. `appended`: bytes of its tensors of unknown size, in
  // their order. Placements in their order.
  void adopt(size_t placement, std::span<const uint64_t> appended);
  // Of all bytes of a placement that is written or adopted, as they can be read back.
  Digest stored(size_t placement) const;
  // What was written so far is on disk when it returns.
  void sync();
  // Where the journal of the part files lies.
  std::string journal_path() const { return path_ + ".part.journal"; }

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
    std::vector<uint64_t> sizes;  // bytes of each, written so far where they are appended
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
