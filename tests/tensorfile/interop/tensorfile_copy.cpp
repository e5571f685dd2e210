// Copies whatever open_source takes to a safetensors file, in pieces, so that other readers can judge reader
// and writer. usage: tensorfile_copy [--append] IN OUT     --append: as U8 tensors of unknown size
#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/tensorfile/sink.h"
#include "lib/tensorfile/source.h"

namespace mlq::tensorfile {
namespace {

constexpr uint64_t kPiece = 1000;

void copy(const std::string& in, const std::string& out, bool append) {
  const Source source = open_source(in);
  std::vector<Declaration> declared;
  for (const TensorInfo& tensor : source.tensors()) {
    declared.push_back({tensor.name, tensor.dtype, tensor.shape});
    if (append) declared.back().largest_bytes = tensor.size_bytes + 12345;
  }
  SafetensorsSink sink(out, declared, source.shards() > 0 ? source.shard(0).metadata : Metadata{});
  for (size_t i = 0; i < declared.size(); ++i) {
    const uint64_t size = source.tensors()[i].size_bytes;
    for (uint64_t at = 0; at < size; at += kPiece) {
      std::vector<std::byte> piece(std::min(kPiece, size - at));
      source.read(i, at, piece);
      append ? sink.append(i, piece) : sink.write(i, at, piece);
    }
  }
  source.check_unchanged();
  sink.finish();
}

}  // namespace
}  // namespace mlq::tensorfile

int main(int argc, char** argv) {
  const bool append = argc > 1 && std::string_view(argv[1]) == "--append";
  if (argc != (append ? 4 : 3)) return 2;
  try {
    mlq::tensorfile::copy(argv[argc - 2], argv[argc - 1], append);
  } catch (const mlq::Error& error) {
    std::fprintf(stderr, "tensorfile_copy: %s\n", error.what());
    return static_cast<int>(error.kind());
  }
  return 0;
}
