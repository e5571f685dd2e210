// A patch file under construction. What changed is laid down in a file without a name as it is found, in any
// order; once all is known the patch is put together, so that it has no byte that it does not need and is the
// same whatever the order. It appears whole or not at all.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/patch/model.h"
#include "lib/patch/patch_file.h"
#include "lib/tensorfile/posix_file.h"
#include "lib/tensorfile/sink.h"

namespace mlq::patch {

class PatchWriter {
 public:
  // `path`: as a SafetensorsSink takes it. An environment Error if nothing can be made in its folder.
  explicit PatchWriter(std::string path);

  struct Extent {
    uint64_t offset = 0, size = 0;
  };
  // Keeps bytes for later. Thread-safe.
  Extent keep(std::span<const std::byte> bytes);

  // The bytes of one stored tensor: what was kept, then `end`; or, with `model`, the bytes of its tensor
  // `tensor`.
  struct Bytes {
    std::vector<Extent> kept;
    std::vector<std::byte> end;
    const Model* model = nullptr;
    size_t tensor = 0;
    uint64_t size() const;
  };
  // What the patch says of a tensor, and what it stores of it. An input Error if another tensor stands under
  // the same name in the patch.
  void add(const tensorfile::TensorInfo& tensor, const TensorChange& change, Bytes bytes);
  // Puts the file together, on disk; `metadata`: all but that of the tensors and the content hash. Returns
  // its size.
  uint64_t seal(tensorfile::Metadata metadata);
  void publish();

 private:
  struct Stored {
    tensorfile::Declaration declared;
    std::string key, json;  // of the metadata
    Bytes bytes;
  };
  quant::Digest copy(const Stored& stored, size_t id, tensorfile::SafetensorsSink& sink,
                     quant::Worker& worker) const;

  std::string path_, scratch_name_;
  Fd scratch_;
  std::atomic<uint64_t> kept_ = 0;
  std::vector<Stored> stored_;
  std::optional<tensorfile::SafetensorsSink> sink_;
};

}  // namespace mlq::patch
