// What is at the ends of a program: its standard streams, as file descriptors, and what they can show.
#pragma once

#include <string>
#include <string_view>

namespace mlq::cli {

// The three standard streams and what was found out about them. The default value says nothing is a terminal.
struct Terminal {
  int in = 0;
  int out = 1;
  int err = 2;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool colour = false;      // standard error may be coloured: a terminal, and no NO_COLOR
  bool out_colour = false;  // the same of standard output
  bool utf8 = false;        // the locale's text is UTF-8
  int out_width = 80;       // columns for help on `out`: the terminal's, within 80 and 100; 80 if it is none
  int err_width = 80;       // columns of `err`: the terminal's, or 80
  int out_columns = 80;     // of `out`: the terminal's, or 80 x 24
  int out_lines = 24;

  // Looks at the descriptors and the environment.
  static Terminal look(int in = 0, int out = 1, int err = 2);
};

// Writes all of `text`. Throws ClosedPipe if the reader has gone, else an environment Error that names
// `name`.
void write_all(int fd, std::string_view text, std::string_view name);
// The same for standard error, where a failure has nobody to be told to.
void write_error(int fd, std::string_view text) noexcept;

}  // namespace mlq::cli
