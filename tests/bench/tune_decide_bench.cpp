// CPU time of a decision (ask and tell together) with 80 to 120 rows on a grid of 4,000 points, for each
// tuner that is named on the command line, all of mlq-tune's without arguments.
#include <time.h>

#include "lib/tune/tuner/tuner.h"
#include "tests/bench/bench.h"

namespace {

using namespace mlq;
using namespace mlq::tune;

constexpr uint64_t kSeeds = 10, kFirst = 80, kLast = 120;

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

Space grid() {
  std::vector<Axis> axes;
  for (const auto& [name, values] : {std::pair{"a", 10}, {"b", 10}, {"c", 10}, {"d", 4}}) {
    Axis axis;
    axis.name = name;
    for (int64_t v = 0; v < values; ++v) axis.values.emplace_back(v);
    if (axis.name == "a") axis.role = "batch";
    axes.push_back(std::move(axis));
  }
  return Space(std::move(axes), {}, {});
}

// A bowl with a cliff in one corner.
double cost(const Space& space, PointId point) {
  const double a = space.step(point, 0), b = space.step(point, 1), c = space.step(point, 2);
  const double d = space.step(point, 3);
  return 0.03 * ((a - 7) * (a - 7) + (b - 3) * (b - 3) + (c - 5) * (c - 5)) + 0.2 * d +
         (a + b + c > 20 ? 4 : 0);
}

void measure(const std::string& name, const Space& space) {
  std::vector<double> times;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    TunerOptions options;
    options.name = name;
    options.seed = seed;
    options.limit_ns = 1e6;
    const auto tuner = make_tuner(options, space);
    History history(space, space.middle());
    const LevelId level = history.level({"r0", 100, false});
    for (uint64_t i = 0; i < kLast; ++i) {
      const double before = thread_seconds();
      const Choice choice = tuner->ask(history, {i, level, 1000, 0});
      const double asked = thread_seconds() - before;
      Observation row;
      row.i = i;
      row.point = choice.point;
      row.y = cost(space, choice.point) + 0.08 * Draws(seed, Purpose::surface_noise, i).normal();
      history.add(row);
      const double then = thread_seconds();
      tuner->tell(history, history.rows().back());
      if (i >= kFirst) times.push_back(asked + thread_seconds() - then);
    }
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double q) {
    return 1e6 * times[static_cast<size_t>(q * static_cast<double>(times.size()))];
  };
  std::printf(
      "{\"type\":\"bench\",\"name\":\"decide %s\",\"decisions\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
      name.c_str(), times.size(), at(0.5), at(0.99));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const Space space = grid();
  std::vector<std::string> names(argv + 1, argv + argc);
  if (names.empty())
    for (const TunerInfo& info : tuner_infos()) names.emplace_back(info.name);
  for (const std::string& name : names) measure(name, space);
}
