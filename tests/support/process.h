// Runs a program the way users and their misfortunes do: with pipes, files, terminals and signals at its
// ends.
#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace mlq::test {

struct Command {
  // The program and its arguments. A name without a slash is looked for in the build's bin folder, then on
  // PATH.
  std::vector<std::string> argv;

  enum class In {
    text,      // a pipe that holds `input`
    held,      // the same, but its other end stays open: no end of file comes
    closed,    // the descriptor is closed
    terminal,  // a pseudo-terminal on which nobody types
  };
  In in = In::text;
  std::string input = {};

  enum class Out {
    kept,     // read to its end
    unread,   // a pipe that nobody reads while the program runs, so that it fills up
    file,     // opened for writing: `out_file`
    closed,   // the descriptor is closed
    dropped,  // a pipe whose reader goes away after `out_bytes`
  };
  Out out = Out::kept;
  std::string out_file = {};
  size_t out_bytes = 0;

  // Standard error is a pseudo-terminal.
  bool err_terminal = false;

  // Sent in this order, the first when the program catches that signal and has written `after_written` bytes
  // (to anything), or, with `when_asleep`, has read what it was given and waits in a system call; the others
  // when the one before has been taken and so long ago that it is no repetition of it; with `at_once` all of
  // them are pending when the program gets the first.
  std::vector<int> signals = {};
  bool at_once = false;
  size_t after_written = 0;
  size_t after_output = 0;  // nor before so many bytes have come out of its standard output, read or not
  bool when_asleep = false;

  // Run as the user "nobody" where the test runs as root, so that permissions mean something.
  bool unprivileged = false;

  std::string folder = {};                    // working directory; empty: the caller's
  std::vector<std::string> environment = {};  // NAME=value, added to the caller's
  std::chrono::seconds limit{60};             // then it is killed, and `timed_out` is set
};

struct Result {
  int status = -1;         // exit status; -1 if a signal ended it
  int signal = 0;          // that signal
  bool timed_out = false;  // it did not end in time
  std::string out;
  std::string err;
  size_t peak_bytes = 0;  // largest resident set

  // For failure messages: how it ended, and the beginning of what it said.
  std::string summary() const;
};

// Throws std::runtime_error if the command cannot be started at all.
Result run(const Command& command);
// `run({argv, input})` in short.
Result run(const std::vector<std::string>& argv, const std::string& input = "");

}  // namespace mlq::test
