// Bytes in memory as a model in one safetensors file.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/tensorfile/safetensors_header.h"
#include "lib/tensorfile/source.h"
#include "tests/fuzz/memory_file.h"

namespace mlq::fuzz {

// An input Error for what is no safetensors file.
inline tensorfile::Source source_of(std::string_view bytes) {
  const tensorfile::SafetensorsHeader header = tensorfile::read_safetensors_header(MemoryFile(bytes));
  tensorfile::Shard shard;
  shard.file = "f";
  shard.size_bytes = bytes.size();
  shard.data_offset = header.data_offset;
  shard.metadata = header.metadata;
  std::vector<tensorfile::Source::File> files;
  files.push_back({shard, std::make_unique<MemoryFile>(bytes)});
  return {"f", std::move(files), header.tensors};
}

}  // namespace mlq::fuzz
