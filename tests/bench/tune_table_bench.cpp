// The table modes and the rivals of lib/tune: 100-trial searches a second of CPU time on 1331 points, the
// time of a decision (tell and ask) at 100 rows on 4,000 points, and steps of the networks.
#include <time.h>

#include "lib/base/fmath.h"
#include "lib/tune/learn/mlp_ftrl.h"
#include "lib/tune/tuner/tuner.h"
#include "tests/bench/bench.h"

using namespace mlq;
using namespace mlq::tune;

namespace {

Space grid(std::vector<int64_t> sizes) {
  std::vector<Axis> axes;
  for (const int64_t n : sizes) {
    Axis axis;
    axis.name = std::string(1, static_cast<char>('a' + axes.size()));
    for (int64_t k = 0; k < n; ++k) axis.values.emplace_back(k);
    axes.push_back(std::move(axis));
  }
  return Space(std::move(axes), {}, {});
}

// ln of the cost: a bowl with a cliff, over five decades, as serving surfaces have.
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

double now_us() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) * 1e-3;
}

// One search; the times of its decisions go to `us`, if that is not null.
void search(const std::string& name, const Space& space, const std::vector<double>& y, uint64_t seed,
            std::vector<double>* us) {
  TunerOptions options;
  options.name = name;
  options.seed = seed;
  const auto tuner = make_tuner(options, space);
  History history(space, space.middle());
  const LevelId level = history.level({.name = "r13c0", .rate_per_s = 100});
  for (uint64_t i = 0; i < 100; ++i) {
    double took = us != nullptr ? -now_us() : 0;
    const Choice choice = tuner->ask(history, {.i = i, .level = level, .budget = 100});
    if (us != nullptr) took += now_us();
    Observation row;
    row.i = i;
    row.point = choice.point;
    row.y = y[space.rank(choice.point)] + 0.08 * Draws(seed, Purpose::surface_noise, i).normal();
    history.add(row);
    if (us != nullptr) took -= now_us();
    tuner->tell(history, history.rows().back());
    if (us != nullptr) us->push_back(took + now_us());
  }
}

void runs(const std::string& name, uint64_t count) {
  const Space space = grid({11, 11, 11});
  const std::vector<double> y = surface(space);
  const double cpu_s = bench::cpu_of([&] {
    for (uint64_t seed = 0; seed < count; ++seed) search(name, space, y, seed, nullptr);
  });
  bench::report("tune_runs_1331/" + name, static_cast<double>(count), "searches of 100 trials", cpu_s);
}

void decisions(const std::string& name, uint64_t count) {
  const Space space = grid({20, 20, 10});
  const std::vector<double> y = surface(space);
  std::vector<double> late;
  for (uint64_t seed = 0; seed < count; ++seed) {
    std::vector<double> us;
    search(name, space, y, seed, &us);
    late.insert(late.end(), us.begin() + 80, us.end());
  }
  std::sort(late.begin(), late.end());
  std::printf("{\"type\":\"bench\",\"name\":\"tune_decision_4000/%s\",\"p50_us\":%.2f,\"p99_us\":%.2f}\n",
              name.c_str(), late[late.size() / 2], late[late.size() * 99 / 100]);
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
  bench::report(std::string("mlp_ftrl/") + name, kSteps, "steps of batch 32", cpu_s);
}

}  // namespace

int main() {
  runs("rrl-region", 2000);
  runs("noregion", 2000);
  runs("random", 2000);
  runs("hill", 500);
  runs("tpe", 50);
  runs("capes-like", 10);
  runs("deeprm-like", 500);
  runs("rrl", 1);
  decisions("rrl-region", 50);
  decisions("noregion", 50);
  decisions("tpe", 10);
  network_steps<float>("float");
  network_steps<double>("double");
}
