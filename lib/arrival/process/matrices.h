// Matrices of Markov processes, from settings and JSON files.
#pragma once

#include <vector>

#include "lib/arrival/process/spec.h"

namespace mlq::arrival {

using Matrix = std::vector<std::vector<double>>;

// The rates of --rates, per second; 0 is allowed.
std::vector<double> state_rates(const Settings& settings);
// The generator of an MMPP with `states` states: of --generator, or of --sojourn and --jump.
Matrix mmpp_generator(const Settings& settings, size_t states);
// D0, D1, ... of --matrices; for `map` exactly D0 and D1.
std::vector<Matrix> read_map_matrices(const Settings& settings);

}  // namespace mlq::arrival
