// A preset's whole surface as records.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lib/base/stop.h"
#include "lib/records/writer.h"
#include "lib/tune/surface/preset.h"

namespace mlq::tune {

struct WriteSurfaceOptions {
  uint64_t requests = 60'000;  // of a window
  uint64_t repeats = 1;        // windows of a point; each has arrivals and service times of its own
  uint64_t seed = 1;
  unsigned threads = 1;
  std::string arrivals;  // a spec of lib/arrival in place of the preset's; then the levels have its rate
  std::string data_dir;
};

// `surface` records: level by level, repeat by repeat, points rising; the same bytes for any number of
// threads. `progress` is called now and then. When `stop` is set what was finished until then is written.
void write_surface(const PresetChoice& choice, const WriteSurfaceOptions& options, records::Writer& writer,
                   const StopFlag& stop, const std::function<void(uint64_t done, uint64_t all)>& progress);

}  // namespace mlq::tune
