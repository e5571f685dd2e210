// What -o must not replace.
#pragma once

#include <string>
#include <vector>

#include "lib/cli/option.h"
#include "lib/cli/parser.h"

namespace mlq::cli {

// A usage Error if the file `output`, which is to take what the command writes, is one that an option names,
// or one that an argument names or has in its folder. A stream of records may become one of its own, where
// `records` are written: of what an argument names or has only what does not look like one is then protected.
void refuse_replaced_input(const std::string& output, bool records, const Parsed& parsed,
                           const std::vector<Positional>& positionals);

// For a command that writes something else than records only if it is told to: a usage Error if `output` is
// one of `inputs`.
void refuse_replaced_input(const std::string& output, const std::vector<std::string>& inputs);

}  // namespace mlq::cli
