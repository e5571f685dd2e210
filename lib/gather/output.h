// What a rank holds, as a model of its own.
#pragma once

#include <string>

#include "lib/gather/gather.h"

namespace mlq::gather {

// A safetensors file of all tensors in the types of their shards, there whole or not at all. Errors as
// tensorfile::SafetensorsSink.
void write_gathered(Gather& gather, Float state, const std::string& path);

}  // namespace mlq::gather
