// What a rank keeps of a gather to go on with it later: an ordinary safetensors file with its own part of
// what receivers hold, and of the residual. Two generations, so that all ranks have one in common whenever
// they are killed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/tensorfile/source.h"

namespace mlq::gather {

struct StateTensor {
  std::string name;
  tensorfile::Dtype dtype = tensorfile::Dtype::f32;
  std::vector<std::byte> bytes;
};

struct State {
  uint64_t step = 0;  // the last that is in it
  std::string chain;  // hash of settings, ranks and tensors: what it can be continued with
  std::string hash;   // of what receivers held of the quantised tensors after the step, all ranks together
  std::vector<StateTensor> tensors;
};

// Generation 0 or 1 of a path: `PATH.0`, `PATH.1`.
std::string state_path(const std::string& path, unsigned generation);
// Removes both generations, so that nobody goes on with what an earlier gather left.
void remove_states(const std::string& path);
// The file is there whole or not at all; it says its own hash.
void write_state(const std::string& file, const State& state);
// What a file holds. An input Error if it is damaged or no state.
State parse_state(const tensorfile::Source& source);
// The same of a path; nothing if there is no such file.
std::optional<State> read_state(const std::string& file);

}  // namespace mlq::gather
