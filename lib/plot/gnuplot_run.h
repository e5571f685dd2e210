// The gnuplot process.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/stop.h"

namespace mlq::plot {

struct Drawn {
  std::string picture;   // what it wrote to standard output
  std::string messages;  // and to standard error
};

// Runs `program` (a name on PATH, or a path) on a script: started without a shell, without the user's own
// settings for gnuplot, the script on its standard input. Environment Errors: it cannot be started (with what
// to install), or it failed (with the first line that it said). A stop request ends it: then there is
// no picture. Blocks until it has ended.
Drawn run_gnuplot(const std::string& program, std::string_view script, const StopFlag& stop);

}  // namespace mlq::plot
