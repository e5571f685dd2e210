// A file that says it is the state of a gather: refused with a message, or no larger than the file.
#include "lib/gather/state_file.h"
#include "lib/tensorfile/safetensors_header.h"
#include "tests/fuzz/memory_file.h"

namespace mlq::fuzz {
namespace {

using namespace mlq::tensorfile;

Source source_of(std::string_view bytes) {
  const SafetensorsHeader header = read_safetensors_header(MemoryFile(bytes));
  Shard shard;
  shard.file = "f";
  shard.size_bytes = bytes.size();
  shard.data_offset = header.data_offset;
  shard.metadata = header.metadata;
  std::vector<Source::File> files;
  files.push_back({shard, std::make_unique<MemoryFile>(bytes)});
  return Source("f", std::move(files), header.tensors);
}

}  // namespace

void check(std::string_view input) {
  try {
    const gather::State state = gather::parse_state(source_of(input));
    size_t bytes = 0;
    for (const gather::StateTensor& tensor : state.tensors) bytes += tensor.bytes.size();
    MLQ_FUZZ_CLAIM(bytes <= input.size());
  } catch (const Error& error) {
    MLQ_FUZZ_CLAIM(error.kind() == ExitKind::input);
  }
}

}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mlq::fuzz::check(mlq::fuzz::text_of(data, size));
  return 0;
}
