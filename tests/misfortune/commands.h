// The programs and their typical commands, to which every misfortune happens in turn. A new program is one
// more block of rows.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace mlq::test {

// What a command reads from standard input.
enum class Reads { nothing, records, lines };

struct Typical {
  std::string name;               // for the names of tests
  std::vector<std::string> argv;  // writes to standard output, reads standard input
  Reads reads = Reads::nothing;
  bool endless = false;    // writes until it is stopped
  int of_empty_input = 0;  // exit status
  bool has_output = true;  // takes -o
  bool has_end = true;     // its output is records, closed by `end`
  std::string input = {};  // of Reads::lines: an input it accepts
  friend void PrintTo(const Typical& command, std::ostream* out) { *out << command.name; }
};

inline std::vector<Typical> typical_commands() {
  const std::string tool = "mlq-loadgen";
  std::vector<Typical> rows = {
      {.name = "gen", .argv = {tool, "gen", "poisson", "--rate", "1k/s", "--count", "200k"}},
      {.name = "gen_forever",
       .argv = {tool, "gen", "gamma", "--cv", "2", "--rate", "1k/s", "--count", "inf"},
       .endless = true},
      {.name = "explain", .argv = {tool, "explain", "poisson", "--rate", "1k/s"}},
      {.name = "xform", .argv = {tool, "xform", "--do", "shift 1s", "-"}, .reads = Reads::records},
      {.name = "stat", .argv = {tool, "stat", "-"}, .reads = Reads::records},
      {.name = "check",
       .argv = {tool, "check", "--against", "poisson", "-"},
       .reads = Reads::records,
       .of_empty_input = 3},
      {.name = "export", .argv = {tool, "export", "csv", "-"}, .reads = Reads::records, .has_end = false},
      {.name = "import",
       .argv = {tool, "import", "gaps", "-"},
       .reads = Reads::lines,
       .input = "0.5\n0.25\n0.125\n"},
  };
  return rows;
}

}  // namespace mlq::test
