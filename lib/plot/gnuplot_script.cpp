#include "lib/plot/gnuplot_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

#include "lib/plot/gnuplot_axis.h"
#include "lib/plot/gnuplot_text.h"

namespace mlq::plot {
namespace {

// Filled ones first, which are seen on an interval: circle, square, triangle, rhombus, triangle; then the
// same hollow.
constexpr size_t kSymbols[] = {7, 5, 9, 13, 11, 6, 4, 8, 12, 10};
constexpr int kLinesAround = 9;        // of text: title, frame, marks, label, key
constexpr double kOffTheFrame = 0.04;  // of an axis: a point on the frame would not be seen

bool has_intervals(const Curve& curve) {
  return std::any_of(curve.points.begin(), curve.points.end(),
                     [](const Point& p) { return !std::isnan(p.lo) || !std::isnan(p.hi); });
}

// What a device draws with: dots of a character of a tick's name; characters and lines beside and above what
// is within the frame, but for the names of the y axis and the key.
struct Cell {
  double width = 1, height = 1;
  double beside = 7, above = 7;
};

Cell cell_of(Device device) {
  switch (device) {
    case Device::svg:
      return {7.2, 14, 10, 8};
    case Device::png:
      return {9, 18, 9, 6};
    case Device::pdf:
      return {5, 10, 9, 7};
    case Device::text:
      break;
  }
  return {};
}

// One picture, without the terminal that it is drawn on.
class Script {
 public:
  Script(const Picture& picture, const Canvas& canvas) : picture_(picture), canvas_(canvas) {}
  std::string text();

 private:
  bool is_text() const { return canvas_.device == Device::text; }
  bool in_rows() const { return !picture_.y.rows.empty(); }
  size_t widest() const;
  double lines_of_key() const;
  TickRoom room_above() const;
  TickRoom room_along(const DrawnAxis& y) const;
  bool highest_is_mark() const;
  bool of_points_alone() const;
  double row() const;
  Range x_ends() const;
  std::string title_end() const;
  std::string title() const;
  void frame();
  Range interval_of(const Point& p) const;
  void data(const Curve& curve, size_t index);
  void band(const Curve& curve, size_t index);
  void plot(const Curve& curve, size_t index, size_t type, const char* dashes = "");
  void plot(const Mark& mark, size_t index);
  void add_plot(const std::string& what);

  const Picture& picture_;
  const Canvas& canvas_;
  DrawnAxis x_, y_;
  Range x_range_, y_range_;
  std::string out_, plots_;
};

// Characters of a line of text across the picture; of dots that is above the frame alone.
size_t Script::widest() const {
  constexpr double kFewest = 10, kMost = 100;
  const Cell cell = cell_of(canvas_.device);
  return static_cast<size_t>(
      is_text() ? canvas_.width : std::clamp(canvas_.width / cell.width - cell.beside, kFewest, kMost));
}

// As gnuplot breaks them: columns as wide as the longest name with its sample.
double Script::lines_of_key() const {
  constexpr size_t kSample = 12;
  size_t longest = 0;
  for (const Curve& curve : picture_.curves) longest = std::max(longest, characters_in(curve.label));
  for (const Mark& mark : picture_.marks) longest = std::max(longest, characters_in(mark.label));
  const size_t columns = std::max<size_t>(1, widest() / (longest + kSample));
  return std::ceil(static_cast<double>(picture_.curves.size() + picture_.marks.size()) /
                   static_cast<double>(columns));
}

TickRoom Script::room_above() const {
  const Cell cell = cell_of(canvas_.device);
  return {std::max(1.0, canvas_.height / cell.height - cell.above - lines_of_key()), false};
}

TickRoom Script::room_along(const DrawnAxis& y) const {
  const Cell cell = cell_of(canvas_.device);
  return {std::max(1.0, canvas_.width / cell.width - cell.beside - static_cast<double>(y.widest)), true};
}

// The range was given room for it.
bool Script::highest_is_mark() const {
  return std::any_of(picture_.marks.begin(), picture_.marks.end(), [&](const Mark& mark) {
    return !mark.vertical && kHeadroom * mark.at >= y_range_.high;
  });
}

bool Script::of_points_alone() const {
  return !in_rows() && std::all_of(picture_.curves.begin(), picture_.curves.end(),
                                   [](const Curve& curve) { return curve.shape == Shape::points; });
}

// The share of the y axis that a row of text takes: closer to the frame a point would be on it.
double Script::row() const {
  constexpr int kFewestRows = 4;
  return is_text() ? std::max(kOffTheFrame, 1.0 / std::max(kFewestRows, canvas_.height - kLinesAround))
                   : kOffTheFrame;
}

Range Script::x_ends() const {
  return ends_of(picture_.x, x_range_, of_points_alone() || in_rows() ? kOffTheFrame : 0);
}

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

// What stands upright otherwise; a title that begins with it leaves the unit.
std::string Script::title_end() const {
  const std::string& label = y_.label;
  if (!is_text() || label.empty()) return "";
  return same_letters(picture_.title.substr(0, label.size()), label) ? y_.unit : ": " + label + y_.unit;
}

// As many of title, subject and, in text, what stands upright otherwise as there is room for: the subject
// gives way.
std::string Script::title() const {
  constexpr size_t kLeastSubject = 12;
  const std::string label = title_end();
  const size_t taken = characters_in(picture_.title) + characters_in(label) + std::string_view(" - ").size();
  const size_t room = widest() > taken ? widest() - taken : 0;
  const bool fits = room >= std::min(kLeastSubject, characters_in(picture_.subject));
  const bool named = !picture_.subject.empty() && fits;
  return quoted(picture_.title + (named ? " - " + shortened(picture_.subject, room) : "") + label, widest());
}

void Script::frame() {
  x_range_ = range_of(picture_, false, kOffTheFrame);
  y_range_ = range_of(picture_, true, row());
  std::optional<Range> y_ends;
  if (of_points_alone())
    y_ends = linear_range(picture_.y, y_range_, row());
  else if (highest_is_mark())
    y_ends = linear_range(picture_.y, y_range_, 0);
  y_ = in_rows() ? rows_axis(picture_.y, static_cast<size_t>(is_text() ? canvas_.width / 2 : 60))
                 : drawn_axis(picture_.y, 'y', y_range_, y_ends, room_above());
  x_ = drawn_axis(picture_.x, 'x', x_range_, x_ends(), room_along(y_));
  // Its first colour is black, which terminals often are.
  if (!is_text()) out_ += "set colorsequence podo\n";
  out_ += "set title " + title() + " noenhanced\n";
  out_ += "set xlabel " + quoted(x_.label + x_.unit, widest()) + (is_text() ? "" : " offset 0,0.6") +
          " noenhanced\n";
  if (!is_text() && !y_.label.empty())
    out_ += "set ylabel " + quoted(y_.label + y_.unit, widest()) + " noenhanced\n";
  out_ += fmt::format("set key bmargin center horizontal width 2{} noenhanced\n",
                      is_text() ? "" : " Left reverse");
  if (is_text()) out_ += "set errorbars 0\n";
  if (!is_text()) out_ += "set pointsize 0.7\n";
  if (!is_text()) out_ += "set grid xtics ytics linetype 1 linewidth 0.5 linecolor rgb '#dddddd'\n";
  out_ += x_.commands + y_.commands;
}

// Of a point; none is the point itself. In rows one without an end reaches to that of the axis.
Range Script::interval_of(const Point& p) const {
  const double centre = in_rows() ? p.x : p.y;
  Range range{p.lo, p.hi};
  const bool half = std::isnan(p.lo) != std::isnan(p.hi);
  Range missing{centre, centre};
  if (half && in_rows()) missing = x_ends();
  if (!std::isfinite(p.lo)) range.low = missing.low;
  if (!std::isfinite(p.hi)) range.high = missing.high;
  return range;
}

// x y a line, of points with intervals also lo hi; an empty line where the curve breaks.
void Script::data(const Curve& curve, size_t index) {
  out_ += fmt::format("$curve{} << EOD\n", index);
  const double along = in_rows() ? x_.factor : y_.factor;
  const bool intervals = curve.shape == Shape::points && has_intervals(curve);
  // Intervals of the same row would hide one another; text has no room between rows.
  const double curves = static_cast<double>(picture_.curves.size());
  const double beside = intervals && in_rows() && !is_text()
                            ? (static_cast<double>(index) + 0.5 - curves / 2) * 0.5 / curves
                            : 0;
  for (const Point& p : curve.points) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y)) {
      out_ += '\n';
      continue;
    }
    out_ += fmt::format("{:.7g} {:.7g}", p.x * x_.factor, p.y * y_.factor + beside);
    if (intervals) {
      const Range range = interval_of(p);
      out_ += fmt::format(" {:.7g} {:.7g}", range.low * along, range.high * along);
    }
    out_ += '\n';
  }
  out_ += "EOD\n";
}

// The intervals of a line: x lo hi a line, within the axis; an empty line where there is none.
void Script::band(const Curve& curve, size_t index) {
  out_ += fmt::format("$band{} << EOD\n", index);
  LogTicks ends{kNone, kNone, {}};
  if (picture_.y.logarithmic) ends = ticks_of(picture_.y, y_range_);
  for (const Point& p : curve.points) {
    const double lo = std::isnan(p.lo) ? ends.from : std::fmax(p.lo, ends.from);
    const double hi = std::isnan(p.hi) ? ends.to : std::fmin(p.hi, ends.to);
    const bool none = std::isnan(p.lo) && std::isnan(p.hi);
    if (none || !std::isfinite(p.x) || !std::isfinite(lo) || !std::isfinite(hi)) {
      out_ += '\n';
    } else {
      out_ += fmt::format("{:.7g} {:.7g} {:.7g}\n", p.x * x_.factor, lo * y_.factor, hi * y_.factor);
    }
  }
  out_ += "EOD\n";
}

void Script::add_plot(const std::string& what) {
  plots_ += (plots_.empty() ? "plot " : ", \\\n     ") + what;
}

void Script::plot(const Curve& curve, size_t index, size_t type, const char* dashes) {
  const bool intervals = has_intervals(curve);
  const std::string source = fmt::format("$curve{}", index);
  const size_t symbol = is_text() ? index + 1 : kSymbols[index % std::size(kSymbols)];
  const size_t widest = static_cast<size_t>(is_text() ? canvas_.width / 2 : 60);
  const std::string title = "title " + quoted(curve.label, widest);
  if (curve.shape == Shape::points && intervals) {
    const char* bars = in_rows() ? "xerrorbars" : "yerrorbars";
    return add_plot(fmt::format("{} using 1:2:3:4 with {} linetype {} pointtype {} {}", source, bars, type,
                                symbol, title));
  }
  if (curve.shape == Shape::points)
    return add_plot(
        fmt::format("{} using 1:2 with points linetype {} pointtype {} {}", source, type, symbol, title));
  if (intervals) band(curve, index);
  if (intervals && is_text()) {
    for (const int column : {2, 3})
      add_plot(fmt::format("$band{} using 1:{} with dots linetype {} notitle", index, column, type));
  } else if (intervals) {
    add_plot(fmt::format(
        "$band{} using 1:2:3 with filledcurves linetype {} fillstyle transparent solid 0.2 noborder notitle",
        index, type));
  }
  const char* shape = curve.shape == Shape::steps      ? "steps"
                      : curve.shape == Shape::steps_to ? "fsteps"
                                                       : "lines";
  add_plot(fmt::format("{} using 1:2 with {} linetype {} linewidth {}{} {}", source, shape, type,
                       is_text() ? 1 : 2, dashes, title));
}

// A mark is a curve of two points, so that the key names it.
void Script::plot(const Mark& mark, size_t index) {
  const Range across = mark.vertical ? ends_of(picture_.y, y_range_, 0) : x_ends();
  Curve line{mark.label, Shape::line, {}};
  for (const double at : {across.low, across.high})
    line.points.push_back(mark.vertical ? Point{mark.at, at} : Point{at, mark.at});
  data(line, index);
  plot(line, index, index + 1, is_text() ? "" : " dashtype 2");
}

std::string Script::text() {
  frame();
  // What limits the curves is behind them.
  size_t index = picture_.curves.size();
  for (const Mark& mark : picture_.marks) plot(mark, index++);
  index = 0;
  size_t type = 0;
  for (const Curve& curve : picture_.curves) {
    data(curve, index);
    if (!curve.with_last || index == 0) ++type;
    plot(curve, index++, type);
  }
  return out_ + plots_ + "\n";
}

int height_of(const Picture& picture, const Canvas& canvas) {
  const int rows = static_cast<int>(picture.y.rows.size());
  return std::max(canvas.height, canvas.device == Device::text ? rows + kLinesAround : 20 * rows + 120);
}

std::string terminal(const Canvas& canvas, int height) {
  const double inches_wide = canvas.width / 100.0, inches_high = height / 100.0;
  switch (canvas.device) {
    case Device::svg:
      return fmt::format("svg size {},{} dynamic background rgb 'white' noenhanced", canvas.width, height);
    case Device::png:
      return fmt::format("pngcairo size {},{} noenhanced", canvas.width, height);
    case Device::pdf:
      return fmt::format("pdfcairo size {:g}in,{:g}in noenhanced", inches_wide, inches_high);
    case Device::text:
      break;
  }
  return fmt::format("dumb nofeed size {},{} noenhanced {}", canvas.width, height,
                     canvas.colour ? "ansi" : "mono");
}

}  // namespace

std::string gnuplot_script(std::span<const Picture> pictures, const Canvas& canvas) {
  const bool stacked = pictures.size() > 1 && canvas.device != Device::text;
  int highest = 0;
  for (const Picture& picture : pictures) highest = std::max(highest, height_of(picture, canvas));
  const bool aligned = std::all_of(pictures.begin(), pictures.end(),
                                   [](const Picture& picture) { return picture.y.rows.empty(); });
  std::string out = "set encoding utf8\n";
  if (stacked) {
    const int count = static_cast<int>(pictures.size());
    out += "set terminal " + terminal(canvas, count * highest) + "\n";
    out += fmt::format("set multiplot layout {},1\n", count);
  }
  for (const Picture& picture : pictures) {
    if (&picture != &pictures.front()) out += "reset\n";
    if (stacked && aligned) out += "set lmargin 12\n";
    if (!stacked) out += "set terminal " + terminal(canvas, height_of(picture, canvas)) + "\n";
    out += Script(picture, canvas).text();
  }
  return out + (stacked ? "unset multiplot\n" : "");
}

namespace {

constexpr std::string_view kPlainColour = "\x1b[0;39m";
constexpr std::string_view kEndOfColours = "\x1b[0;39;49m";  // gnuplot's last word, on a line of blanks

// `line` without what nobody sees at its end; a change back to the plain colour stays where there is
// anything.
std::string visible(std::string_view line) {
  bool plain = false;
  for (;;) {
    if (line.ends_with(kPlainColour)) {
      line.remove_suffix(kPlainColour.size());
      plain = true;
    } else if (line.ends_with(kEndOfColours)) {
      line.remove_suffix(kEndOfColours.size());
      plain = true;
    } else if (!line.empty() && std::string_view(" \f\r").find(line.back()) != std::string_view::npos) {
      line.remove_suffix(1);
    } else {
      break;
    }
  }
  return std::string(line) + std::string(plain && !line.empty() ? kPlainColour : "");
}

}  // namespace

std::string tidy_text(std::string_view drawn) {
  std::string out;
  size_t blank = 0;
  while (!drawn.empty()) {
    const size_t end = std::min(drawn.find('\n'), drawn.size());
    const std::string line = visible(drawn.substr(0, end));
    drawn.remove_prefix(std::min(end + 1, drawn.size()));
    if (line.empty()) {
      ++blank;
      continue;
    }
    if (!out.empty()) out.append(blank, '\n');
    blank = 0;
    out.append(line).append("\n");
  }
  const std::string_view last = std::string_view(out).substr(0, out.empty() ? 0 : out.size() - 1);
  if (last.find('\x1b') != std::string_view::npos && !last.ends_with(kPlainColour))
    out.insert(last.size(), kPlainColour);
  return out;
}

}  // namespace mlq::plot
