// The files of a model, byte for byte, but for the bytes of its tensors: their names, their headers, the
// index.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/tensorfile/source.h"

namespace mlq::patch {

struct ModelFile {
  std::string name;         // without a folder
  std::string header;       // all bytes before those of the tensors
  uint64_t size_bytes = 0;  // of the whole file
};

// An index of shards, as it was written.
struct IndexFile {
  std::string name;
  std::string text;
};

// Plain values. Tensors are in the order of the files; TensorInfo::shard says which of `files`.
struct Layout {
  std::vector<ModelFile> files;
  std::optional<IndexFile> index;
  std::vector<tensorfile::TensorInfo> tensors;

  std::optional<size_t> find(std::string_view name) const;  // its place in `tensors`
  std::optional<size_t> twice() const;                      // a tensor whose name another one has too
  // More than one file, or one with an index: what needs a folder.
  bool needs_folder() const { return files.size() != 1 || index.has_value(); }
  uint64_t tensor_bytes() const;

  // To be called once `tensors` are there.
  void sort();

 private:
  std::vector<size_t> by_name_;
};

// That of a source: a file, an index or a folder. An input Error for files that are no safetensors.
Layout layout_of(const tensorfile::Source& source);

// What a patch's metadata say of it: `mlq.file.N`, `mlq.header.N` (base64), and of an index `mlq.index.name`
// and `mlq.index` (base64).
void add_layout(const Layout& layout, tensorfile::Metadata& metadata);
// Reads them back. An input Error that begins with `where` for what add_layout() does not write, for names of
// files that are more than a name, and for headers that a safetensors reader would refuse.
Layout read_layout(const tensorfile::Metadata& metadata, const std::string& where);

// The same tensors in one file, in their order, each in the type that `dtypes` has for it. Keeps the metadata
// of the first file and its name.
Layout retyped(const Layout& layout, const std::vector<tensorfile::Dtype>& dtypes);

}  // namespace mlq::patch
