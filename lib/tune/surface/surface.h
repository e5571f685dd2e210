// Surfaces: what every configuration of a space gives at every level of a load, recorded or simulated, so
// that tuners can be tried without a server.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/stop.h"
#include "lib/records/reader.h"
#include "lib/records/tune.h"
#include "lib/tune/draws.h"
#include "lib/tune/learn/history.h"

namespace mlq::tune {

// Noise of a window: all its times are multiplied by exp(sigma z), and in a share of the windows by a factor
// from 2 to 5 as well.
struct SurfaceNoise {
  double sigma = 0;
  double spikes = 0;
};

enum class MissingPoint : uint8_t {
  nearest,  // the recorded point nearest to it stands for it
  refuse,   // as if the server had refused the configuration
};

// Of a window of a simulated server, of which all are held in memory.
inline constexpr uint64_t kMostSimulated = 10'000'000;

struct SurfaceOptions {
  // Of presets; recorded surfaces give back their repeats as they are, unless noise is asked for: then the
  // mean of the repeats is given it.
  std::optional<double> sigma;   // presets: 0.08
  bool recorded_sigma = false;   // of a recorded surface: as large as its repeats show
  std::optional<double> spikes;  // presets: 0.02; else 0
  MissingPoint missing = MissingPoint::nearest;
  uint64_t truth_requests = 60'000;    // of the run that a preset's truth comes from
  std::shared_ptr<const Space> space;  // of a recorded surface; null: the values that occur in it
  std::optional<Config> start;         // else the middle of the grid
  records::ReaderOptions reader;
};

// Immutable as seen from outside; any thread. Points are those of space().
class Surface {
 public:
  virtual ~Surface() = default;
  virtual const std::string& name() const = 0;
  virtual const Space& space() const = 0;
  virtual std::span<const Level> levels() const = 0;  // at least one
  virtual PointId start() const = 0;

  // One window; what it drew follows from `draws` alone. Outcome ok or failed, figures, and window_ns.
  virtual records::WindowStats sample(LevelId level, PointId point, Draws draws) const = 0;
  // The geometric mean of the point's repeats; of a preset a long run. Computed when first asked for.
  // Outcome failed if the point never worked.
  virtual records::WindowStats truth(LevelId level, PointId point) const = 0;
  // Computes the truth of every valid point on so many threads, if that is not done yet. Returns early when
  // `stop` is set.
  virtual void prepare(unsigned threads, const StopFlag& stop) const = 0;
  // Time from one configuration to another.
  virtual int64_t apply_ns(PointId from, PointId to) const = 0;
};

// A preset by its name, else a file of `surface` records: one Surface for each name in it, in the order of
// their first rows. Errors: those of reading; input if a file holds no surface, or rows of one surface differ
// in their knobs. `runs`, if not null, gets the file's run records, JSON texts with commas between.
std::vector<std::shared_ptr<const Surface>> open_surfaces(const std::string& preset_or_file,
                                                          const SurfaceOptions& options,
                                                          std::string* runs = nullptr);

// The two kinds.
std::shared_ptr<const Surface> make_preset_surface(const std::string& name, const SurfaceOptions& options);
std::vector<std::shared_ptr<const Surface>> read_surfaces(records::Reader& reader,
                                                          const SurfaceOptions& options);

// All times of `window` as if they had met this noise.
void add_noise(records::WindowStats& window, const SurfaceNoise& noise, Draws& draws);

}  // namespace mlq::tune
