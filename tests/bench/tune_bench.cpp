// What the learners of lib/tune cost: 100-trial searches a second of CPU time on 1,331 points; the time of a
// decision (ask and tell together) at 80 to 120 rows on 4,000 points; steps of the networks. With names, of
// these tuners alone.
#include <time.h>

#include "lib/base/fmath.h"
#include "lib/tune/learn/mlp_ftrl.h"
#include "lib/tune/tuner/tuner.h"
#include "tests/bench/bench.h"

using namespace mlq;
using namespace mlq::tune;

namespace {

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

Space grid(const std::vector<int64_t>& sizes) {
  std::vector<Axis> axes;
  for (const int64_t n : sizes) {
    Axis axis;
    axis.name = std::string(1, static_cast<char>('a' + axes.size()));
    if (axes.empty()) axis.role = "batch";
    for (int64_t k = 0; k < n; ++k) axis.values.emplace_back(k);
    axes.push_back(std::move(axis));
  }
  return Space(std::move(axes), {}, {});
}

// ln of the cost of each point: a bowl with a cliff, over five decades, as serving surfaces have.
std::vector<double> surface(const Space& space) {
  std::vector<double> y;
  for (const PointId p : space.points()) {
    double sum = 16;
    std::vector<double> x(space.dims());
    space.encode(p, x);
    for (const double v : x) sum += 6 * (v - 0.6) * (v - 0.6);
    y.push_back(x[0] + x[1] < 0.5 ? sum + 8 : sum);
  }
  return y;
}

// One search; the seconds that each of its decisions takes go to `took`, if that is not null.
void search(const std::string& name, const Space& space, const std::vector<double>& y, uint64_t seed,
            uint64_t trials, std::vector<double>* took) {
  TunerOptions options;
  options.name = name;
  options.seed = seed;
  options.limit_ns = 1e8;
  const auto tuner = make_tuner(options, space);
  History history(space, space.middle());
  const LevelId level = history.level({.name = "r13c0", .rate_per_s = 100});
  for (uint64_t i = 0; i < trials; ++i) {
    const double before = took != nullptr ? thread_seconds() : 0;
    const Choice choice = tuner->ask(history, {.i = i, .level = level, .budget = trials});
    const double asked = took != nullptr ? thread_seconds() - before : 0;
    Observation row;
    row.i = i;
    row.point = choice.point;
    row.y = y[space.rank(choice.point)] + 0.08 * Draws(seed, Purpose::surface_noise, i).normal();
    history.add(row);
    const double then = took != nullptr ? thread_seconds() : 0;
    tuner->tell(history, history.rows().back());
    if (took != nullptr) took->push_back(asked + thread_seconds() - then);
  }
}

// As many searches as a second or so has room for.
void runs(const std::string& name) {
  const Space space = grid({11, 11, 11});
  const std::vector<double> y = surface(space);
  uint64_t count = 0;
  const double start = thread_seconds();
  while (thread_seconds() < start + 1.5) search(name, space, y, ++count, 100, nullptr);
  bench::report("searches " + name, static_cast<double>(count), "searches of 100 trials",
                thread_seconds() - start);
}

void decisions(const std::string& name, uint64_t seeds) {
  const Space space = grid({20, 20, 10});
  const std::vector<double> y = surface(space);
  std::vector<double> late;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    std::vector<double> took;
    search(name, space, y, seed, 120, &took);
    late.insert(late.end(), took.begin() + 80, took.end());
  }
  std::sort(late.begin(), late.end());
  const auto us = [&](size_t percent) { return 1e6 * late[late.size() * percent / 100]; };
  std::printf(
      "{\"type\":\"bench\",\"name\":\"decision %s\",\"amount\":%zu,\"p50_us\":%.2f,\"p99_us\":%.2f}\n",
      name.c_str(), late.size(), us(50), us(99));
  std::fflush(stdout);
}

template <class Real>
void network_steps(const char* name) {
  constexpr size_t kSteps = 2000, kInputs = 4, kRows = 32;
  MlpFtrl<Real> net(kInputs, {}, RandomStream(1, Purpose::estimator), 0);
  std::vector<Real> x(kRows * kInputs), y(kRows, Real{1});
  for (size_t k = 0; k < x.size(); ++k) x[k] = static_cast<Real>(k % 11) / 10;
  const double cpu_s = bench::cpu_of([&] {
    for (size_t k = 0; k < kSteps; ++k) net.step(x, y);
  });
  bench::report(std::string("network ") + name, kSteps, "steps of batch 32", cpu_s);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> names(argv + 1, argv + argc);
  const bool all = names.empty();
  if (all)
    for (const TunerInfo& info : tuner_infos())
      if (info.name != "aimd") names.emplace_back(info.name);  // which has one knob
  for (const std::string& name : names) {
    runs(name);
    decisions(name, name == "rrl" ? 2 : 10);
  }
  if (all) {
    network_steps<float>("float");
    network_steps<double>("double");
  }
}
