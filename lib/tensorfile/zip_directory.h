// The entries of a zip archive that are stored as they are, as torch.save writes them (PKWARE, APPNOTE.TXT
// 6.3, sections 4.3 and 4.5.3: central directory, end records, zip64).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/tensorfile/byte_file.h"

namespace mlq::tensorfile {

constexpr std::string_view kZipMagic = "PK\x03\x04";
constexpr uint64_t kLargestZipDirectory = 100'000'000;  // bytes

struct ZipEntry {
  std::string name;
  uint64_t offset = 0;  // of its bytes in the file; by the local header, whose padding is its own
  uint64_t size = 0;
};

// The entries by name; folders are left out. Throws an input Error, with the byte in the file, for an archive
// that is cut or damaged, an entry that is compressed or encrypted, two of one name, and entries that overlap
// each other or the directory.
std::vector<ZipEntry> read_zip_directory(const ByteFile& file);

}  // namespace mlq::tensorfile
