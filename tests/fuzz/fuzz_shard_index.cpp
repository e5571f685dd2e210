// An index of shards: refused with a message, or sorted names of tensors, each once, and plain names of
// files.
#include "lib/tensorfile/shard_index.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_oracle.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    const auto map = tensorfile::read_shard_index(fuzz::MemoryFile(text));
    MLQ_FUZZ_CLAIM(!map.empty());
    MLQ_FUZZ_CLAIM(fuzz::is_json(text));
    for (size_t i = 0; i < map.size(); ++i) {
      const auto& [tensor, file] = map[i];
      MLQ_FUZZ_CLAIM(i == 0 || map[i - 1].first < tensor);
      MLQ_FUZZ_CLAIM(!file.empty() && file != "." && file != "..");
      for (const char c : file) MLQ_FUZZ_CLAIM(c != '/' && c != '\0');
    }
    // No file is there, so no tensor is where the map says.
    const tensorfile::Source none("f", {}, {});
    MLQ_FUZZ_CLAIM(!fuzz::accepted([&] { tensorfile::check_against_index("f", map, none); }));
  });
  return 0;
}
