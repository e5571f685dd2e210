// A time series of unknown length in a bounded number of windows, in one pass: what falls into a window is
// put into its cell, and when there are too many windows, they get wider and the cells of each new one are
// merged.
//
// Widths come from a ladder on which each divides the next (1 us, 2 us, 10 us, ... 1 s, 2 s, 10 s, 1 min, ...
// 1 d), and window k is [k w, (k + 1) w). So the cells are the same as if the last width had been known from
// the start, in whatever order the records came: nothing but the width is approximate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace mlq::plot {

inline constexpr int64_t kNarrowestWindow = 1'000;

// The next width on the ladder; the width itself where a wider one would pass 2^62 ns.
int64_t wider_window(int64_t width_ns);

// How many windows suit that many records: a share of them in each that says more than chance, but no fewer
// than 20.
constexpr int64_t windows_for(uint64_t records) {
  return records < 20 * 20 ? 20 : records / 20 < 240 ? static_cast<int64_t>(records / 20) : 240;
}

// The index of the window that holds t: floor(t / width), of negative times too.
constexpr int64_t window_index(int64_t t_ns, int64_t width_ns) {
  return t_ns / width_ns - (t_ns % width_ns < 0 ? 1 : 0);
}

// Cell: default-constructed empty, with merge(const Cell&) that must be associative and order-free. Not
// thread-safe.
template <class Cell>
class Windows {
 public:
  explicit Windows(int64_t most = 240) : most_(most) {}

  // The cell of the window that holds t; valid until the next call.
  Cell& at(int64_t t_ns) {
    Cell& cell = cells_[window_index(t_ns, width_)];
    if (span() <= most_) return cell;
    while (span() > most_ && wider_window(width_) != width_) widen();
    return cells_[window_index(t_ns, width_)];
  }

  // Once all is there: widens until there are at most `most` windows.
  void limit(int64_t most) {
    while (!cells_.empty() && span() > most && wider_window(width_) != width_) widen();
  }

  // To at least that width.
  void widen_to(int64_t width_ns) {
    while (width_ < width_ns && wider_window(width_) != width_) widen();
  }

  int64_t width_ns() const { return width_; }
  // By window index, ascending; windows without a record are not there.
  const std::map<int64_t, Cell>& cells() const { return cells_; }

 private:
  int64_t span() const { return cells_.rbegin()->first - cells_.begin()->first + 1; }
  void widen() {
    const int64_t factor = wider_window(width_) / width_;
    std::map<int64_t, Cell> wide;
    for (auto& [index, cell] : cells_) wide[window_index(index, factor)].merge(cell);
    cells_ = std::move(wide);
    width_ *= factor;
  }

  int64_t most_;
  int64_t width_ = kNarrowestWindow;
  std::map<int64_t, Cell> cells_;
};

}  // namespace mlq::plot
