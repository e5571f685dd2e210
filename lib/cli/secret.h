// Values that must not be seen: they come from the environment or a file, and stay out of records.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/cli/launcher.h"

namespace mlq::cli {

// `text` with `@env:NAME` replaced by the variable, and `@file:PATH`, at its end, by the first line of the
// file. A usage Error if the variable is not set, an environment Error if the file cannot be read.
std::string reveal(std::string_view text, const Environment& environment);

// A command line for the records: of the values of `--header`, only the name is kept; URLs that are values of
// `--url` and `--proxy` lose user information and query.
std::vector<std::string> redact(std::vector<std::string> argv);

}  // namespace mlq::cli
