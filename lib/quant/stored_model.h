// A model that mlq has encoded, read back: which planes each tensor has, and their bytes.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "lib/quant/container.h"
#include "lib/quant/schedule.h"
#include "lib/quant/tensor_meta.h"
#include "lib/tensorfile/source.h"

namespace mlq::quant {

struct StoredTensor {
  TensorMeta meta;
  Container container = Container::mlq;                   // by which codes are read
  std::array<std::optional<size_t>, kPlaneCount> planes;  // tensors of the source, by Plane
  uint64_t stored_bytes = 0;
};

// If mlq-quant encoded it, into a container of its own.
bool is_encoded(const tensorfile::Source& source);

// The tensors in the order in which their codes lie in the files. Keeps a reference to `source`.
class StoredModel {
 public:
  // An input Error if the files were not written by mlq-quant, or what they say of a tensor is not what is
  // there.
  explicit StoredModel(const tensorfile::Source& source);

  const tensorfile::Source& source() const { return *source_; }
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  // As the files state them; empty where they do not.
  const std::string& source_hash() const { return source_hash_; }
  const std::string& decoded_hash() const { return decoded_hash_; }

 private:
  void add(const std::string& name, const std::string& json, size_t shard);
  const tensorfile::Source* source_;
  std::vector<StoredTensor> tensors_;
  std::string source_hash_, decoded_hash_;
};

// The planes of one tensor, any part of them. read() is thread-safe.
class PlaneReader {
 public:
  // Reads the seek tables, and puts what belongs to the whole tensor into `coding`. An input Error for what
  // is damaged.
  PlaneReader(const StoredModel& model, const StoredTensor& tensor);

  // Settled.
  const Coding& coding() const { return coding_; }
  // Bytes `extent` of a plane; where it is compressed, whole frames.
  void read(Plane plane, const Extent& extent, Worker& worker, std::vector<std::byte>& out) const;

 private:
  const StoredPlane* find(Plane plane) const;
  std::string what(Plane plane) const;
  std::vector<std::byte> read_all(Plane plane) const;

  const StoredModel& model_;
  const StoredTensor& tensor_;
  Coding coding_;
  std::array<std::vector<FrameEntry>, kPlaneCount> entries_;
  std::array<std::vector<uint64_t>, kPlaneCount> frame_offsets_;
};

}  // namespace mlq::quant
