// The body of main() in every program: reads the command line, runs the command, and turns what happened into
// the exit status of the conventions.
//
//   0 done, or the reader of standard output has gone; 1 the answer is no; 2 usage; 3 input; 4 environment;
//   5 a bug; 128+n ended by signal n after a clean stop (an Error on the way keeps its own status)
//
// The first SIGINT or SIGTERM sets the stop flag and interrupts a blocked system call (EINTR); a second one
// kills. SIGPIPE is ignored, so writers get EPIPE: a program that starts another must reset it there.
// Every program also takes --help, --version, and `--generate man|records|bash|zsh|fish`, which writes a page
// or a completion script made from the table (man and records read their prose from standard input).
#pragma once

#include "lib/cli/context.h"
#include "lib/cli/option.h"
#include "lib/cli/terminal.h"

namespace mlq::cli {

// Runs `program` once. Sets signal handlers of the process for the time of the call. Options keep what was
// set in them, so a second call wants a fresh table.
int run_main(const Program& program, int argc, const char* const* argv);
// The same on given streams, for tests.
int run_main(const Program& program, int argc, const char* const* argv, const Terminal& terminal);

}  // namespace mlq::cli
