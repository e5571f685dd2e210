// What -o must not replace.
#pragma once

#include <string>
#include <vector>

#include "lib/cli/option.h"
#include "lib/cli/parser.h"

namespace mlq::cli {

// A usage Error if the file `output`, which is to take records, is one that an option names, or one that an
// argument names or has in its folder. A stream of records may become one of its own: only what an argument
// names or has, and does not look like one, is protected.
void refuse_replaced_input(const std::string& output, const Parsed& parsed,
                           const std::vector<Positional>& positionals);

}  // namespace mlq::cli
