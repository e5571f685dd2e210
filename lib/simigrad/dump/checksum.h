// What tells a file from another.
#pragma once

#include <string>

#include "lib/tensorfile/byte_file.h"

namespace mlq::simigrad {

// XXH3-128 of all its bytes (decompressed), in 32 hexadecimal digits as xxhsum -H128 prints it. Errors as
// ByteFile::read.
std::string checksum(const tensorfile::ByteFile& file);

}  // namespace mlq::simigrad
