// Times in the columns of csv, jsonl and counts.
#pragma once

#include <optional>
#include <string_view>

#include "lib/arrival/import/import.h"
#include "lib/arrival/text/civil_time.h"

namespace mlq::arrival {

// Reads times as the column options say (ImportColumns). Not thread-safe.
class TimeReader {
 public:
  // Usage Error for a bad format or zone.
  explicit TimeReader(const ImportColumns& columns);

  // Nanoseconds since 1970 or from the source's zero; empty if the text is no time.
  std::optional<int64_t> parse(std::string_view text);
  // The column is t_ns of an arrival: whole nanoseconds from the start of a trace.
  void reads_t_ns();
  // The times read so far are Unix times.
  bool absolute() const { return absolute_; }

 private:
  std::optional<int64_t> parse_number(std::string_view text);

  TimeZone zone_;
  std::optional<TimeFormat> format_;
  TimeUnit unit_;
  bool t_ns_ = false;
  bool absolute_ = false;
};

}  // namespace mlq::arrival
