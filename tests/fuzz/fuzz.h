// What fuzz targets have in common: a claim that ends the process, and calls that may fail in the allowed
// way.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "lib/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// A claim that must hold for every input.
#define MLQ_FUZZ_CLAIM(claim)                                                  \
  do {                                                                         \
    if (!(claim)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim); \
      std::abort();                                                            \
    }                                                                          \
  } while (false)

namespace mlq::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Runs `work`; true unless it refused the input, as a user would be told. Anything else that it throws ends
// the process.
template <class Work>
bool accepted(Work&& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    MLQ_FUZZ_CLAIM(error.kind() == ExitKind::usage || error.kind() == ExitKind::input);
    MLQ_FUZZ_CLAIM(error.what()[0] != '\0');
    return false;
  }
}

}  // namespace mlq::fuzz
