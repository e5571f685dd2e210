// A zip archive: refused with a message, or entries that lie in the file and apart from each other.
#include <algorithm>

#include "lib/tensorfile/zip_directory.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  const fuzz::MemoryFile file(fuzz::text_of(data, size));
  fuzz::accepted([&] {
    auto entries = tensorfile::read_zip_directory(file);
    MLQ_FUZZ_CLAIM(std::ranges::is_sorted(entries, {}, &tensorfile::ZipEntry::name));
    std::ranges::sort(entries, {}, [](const auto& e) { return std::pair(e.offset, e.size); });
    uint64_t end = 0;
    for (const tensorfile::ZipEntry& entry : entries) {
      MLQ_FUZZ_CLAIM(entry.offset >= end);
      end = entry.offset + entry.size;
      MLQ_FUZZ_CLAIM(end >= entry.offset && end <= file.size());
    }
  });
  return 0;
}
