// What `stat` says of a series of `bin` records. Inside lib/arrival only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/records/trace.h"

namespace mlq::arrival {

// Keeps the bins (24 bytes each, an input Error beyond 2^22). Bins of no class describe the whole; where all
// have one, the whole is their sum.
class BinDescriber {
 public:
  // An input Error for a bin without length or with a count below 0.
  void add(const records::Bin& bin);
  bool empty() const { return classes_.empty(); }
  // Ready to be asked: in order of time, totals made. Bins of one class must not overlap: an input Error.
  void finish();

  int64_t duration_ns() const;
  std::vector<records::TraceStat> stats() const;
  // At the bins' width and ten times that and so on, where they are of one width, whole and without holes.
  std::vector<records::Idc> idc() const;
  // Bins of the width asked for, a multiple of what there is (an input Error otherwise).
  std::vector<records::Bin> bins(std::optional<int64_t> width_ns) const;

 private:
  struct Count {
    int64_t t_ns;
    int64_t dt_ns;
    double count;
  };
  using Series = std::vector<Count>;

  const Series& total() const { return classes_.find("")->second; }
  // The common width if the series is regular, else 0.
  static int64_t regular_width(const Series& series);
  static records::TraceStat stat(const std::string& klass, const Series& series);

  std::map<std::string, Series> classes_;  // "" is the whole
  size_t size_ = 0;
};

}  // namespace mlq::arrival
