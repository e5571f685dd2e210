// The index of a model in several files: {"metadata": {...}, "weight_map": {tensor: file}}.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/tensorfile/byte_file.h"
#include "lib/tensorfile/source.h"

namespace mlq::tensorfile {

// A tensor's name and the plain name of the file that it is in; sorted by tensor.
using WeightMap = std::vector<std::pair<std::string, std::string>>;

// Whether it can be the name of a file in the folder that is meant, and of nothing outside of it.
bool is_plain_name(std::string_view name);

// Throws an input Error for damaged JSON, a tensor that is named twice, and names of files that are more than
// a name.
WeightMap read_shard_index(const ByteFile& file);

// Throws an input Error that begins with `index`, if a tensor is not in just the file that the map names, or
// is in a file without being in the map. `source` has the files of the map, by their plain names in order.
void check_against_index(const std::string& index, const WeightMap& map, const Source& source);

}  // namespace mlq::tensorfile
