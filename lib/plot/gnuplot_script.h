// A picture as a gnuplot script (gnuplot 5.2 or later) with its data inside.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lib/plot/picture.h"

namespace mlq::plot {

enum class Device { text, svg, png, pdf };

// What each picture is drawn on: `width` and `height` are columns and lines of text, or dots of 1/100 inch.
struct Canvas {
  Device device = Device::text;
  int width = 80;
  int height = 24;
  bool colour = false;  // of text: with the colours of an ANSI terminal
};

// The whole script; it writes the pictures, at least one, to gnuplot's standard output, one below the other;
// those with dots are one file, in which all are as high as the highest. Numbers are scaled to the units of
// their axes and have 7 digits. No text of a picture can become a command (gnuplot_text.h). A picture is made
// higher where the rows of its y axis need it. None must be empty(). Pure, thread-safe.
std::string gnuplot_script(std::span<const Picture> pictures, const Canvas& canvas);

// What gnuplot makes of a text device without blank lines around it and blanks at the ends of lines.
std::string tidy_text(std::string_view drawn);

}  // namespace mlq::plot
