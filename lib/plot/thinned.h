// A series of points in bounded memory, in one pass. Up to 2,000 points are kept as they are; of more,
// stretches of 2^k consecutive points keep the two with the lowest and the highest y, so that no peak is
// lost, and the widest interval of the stretch. Drawn at a width of some thousand dots, nothing differs from
// all points.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/plot/picture.h"

namespace mlq::plot {

// Not thread-safe. Points whose y is not finite are passed over.
class Thinned {
 public:
  static constexpr size_t kMost = 2'000;  // stretches

  void add(const Point& point);
  // In the order in which they came. An interval that is missing in one point of a stretch is so in both that
  // stand for it.
  std::vector<Point> points() const;
  uint64_t count() const { return count_; }

 private:
  struct Stretch {
    Point low, high;
    bool low_first = true;
    uint64_t count = 0;
    void merge(const Stretch& later);
  };
  void halve();

  std::vector<Stretch> stretches_;
  uint64_t length_ = 1;  // points of a whole stretch
  uint64_t count_ = 0;
};

// Adds the series as a curve, unless it is empty.
void add_series(const Thinned& series, Shape shape, const std::string& label, Picture& into);

}  // namespace mlq::plot
