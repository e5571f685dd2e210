// A program with one of everything, and a way to run it in this process with files for its streams.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/cli/program.h"

namespace mlq::cli::test {

// What the toy's options were set to.
struct ToyOptions {
  std::optional<double> rate;
  std::vector<std::string> segments;
  std::string law = "exp";
  std::string size = "small";
  bool emit_path = false;
  int8_t level = 0;
  std::string process;
  std::vector<std::string> files;
  SharedOptions shared;  // a copy, made when the command ran
  std::vector<std::string> order;
  std::function<ExitKind(Context&)> then;  // what the command does
};

// The table; `options` must outlive it.
Program toy_program(ToyOptions& options);

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

// Runs `toy ARGS...` with `input` as standard input.
Outcome run_toy(ToyOptions& options, const std::vector<std::string>& args, const std::string& input = "",
                bool in_is_terminal = false);
Outcome run_toy(const std::vector<std::string>& args);

// Runs a shell command; its status and standard output and error together.
Outcome shell(const std::string& command);

// A file in a folder that goes with the test program; returns its path.
std::string write_temporary(const std::string& name, const std::string& text);

// Whether the shell finds `program`.
bool installed(const std::string& program);

}  // namespace mlq::cli::test
