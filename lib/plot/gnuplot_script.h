// A picture as a gnuplot script (gnuplot 5.2 or later) with its data inside.
#pragma once

#include <string>
#include <string_view>

#include "lib/plot/picture.h"

namespace mlq::plot {

enum class Device { text, svg, png, pdf };

// What is drawn on: `width` and `height` are columns and lines of text, or dots of 1/100 inch.
struct Canvas {
  Device device = Device::text;
  int width = 80;
  int height = 24;
  bool colour = false;  // of text: with the colours of an ANSI terminal
};

// The whole script; it writes the picture to gnuplot's standard output. Numbers are scaled to the units of
// their axes and have 7 digits. No text of the picture can become a command (gnuplot_text.h). Text is made
// higher where the rows of the y axis need it. The picture must not be empty(). Pure, thread-safe.
std::string gnuplot_script(const Picture& picture, const Canvas& canvas);

// What gnuplot makes of a text device without blank lines around it and blanks at the ends of lines.
std::string tidy_text(std::string_view drawn);

}  // namespace mlq::plot
