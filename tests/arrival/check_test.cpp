#include "lib/arrival/check/check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "lib/arrival/check/battery.h"
#include "lib/arrival/process/generate.h"
#include "lib/base/error.h"
#include "lib/stats/gof.h"
#include "tests/arrival/trace_files.h"
#include "tests/support/rival_generators.h"

namespace mlq::arrival {
namespace {

using test::arrivals_at;
using test::TempDir;
using test::trace_file;

constexpr int64_t kSecond = 1'000'000'000;
// Of tests at fixed seeds: none fails by chance.
constexpr double kStrict = 1e-4;

std::string generated(const TempDir& dir, const std::string& spec, uint64_t seed = 1,
                      bool emit_path = false) {
  GenerateOptions options;
  options.spec = parse_spec(spec);
  options.seed = seed;
  options.emit_path = emit_path;
  records::Writer writer(Output::open(dir / "generated.jsonl"), true);
  generate(options, test::test_run(), writer);
  return dir / "generated.jsonl";
}

struct Checked {
  records::Verdict verdict;
  std::map<std::string, records::Test> tests;
  std::string failed;
};

Checked check(const TempDir& dir, const std::string& file, const std::string& against,
              CheckOptions options = {}) {
  Checked out;
  options.against = against;
  const std::string text = test::written_by(dir, [&](records::Writer& writer) {
                             out.verdict = run_check(file, options, test::test_run(), writer);
                           }).text;
  for (const auto& one : test::records_in<records::Test>(dir, text)) out.tests[one.name] = one;
  out.failed = out.verdict.failed.value_or("");
  return out;
}

CheckOptions strict() {
  CheckOptions options;
  options.alpha = kStrict;
  return options;
}

void expect_rejected(const Checked& checked, std::string_view by) {
  EXPECT_FALSE(checked.verdict.pass);
  EXPECT_NE(("," + checked.failed + ",").find("," + std::string(by) + ","), std::string::npos)
      << "failed: " << checked.failed;
}

ExitKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  return ExitKind::done;
}

// ---- What our own generator makes passes

class CheckSelf : public testing::TestWithParam<const char*> {};

TEST_P(CheckSelf, PassesWhatItsSpecSays) {
  const TempDir dir;
  for (const uint64_t seed : {1, 2}) {
    const Checked checked = check(dir, generated(dir, GetParam(), seed, true), "self", strict());
    EXPECT_TRUE(checked.verdict.pass) << checked.failed;
    EXPECT_GE(checked.verdict.tests, 1u);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Processes, CheckSelf,
    testing::Values(
        "poisson --rate 200/s --duration 60s", "poisson --rate 1M/s --count 50000",
        "poisson --rate 100/s --duration 60s --count 6000",
        "poisson --rate 100/s --duration 60s --batch geometric:mean=3",
        "gamma --rate 50/s --cv 2 --duration 300s", "gamma --rate 5000/s --cv 4 --duration 5s",
        "gamma --rate 50/s --cv 0.5 --duration 300s", "weibull --rate 50/s --cv 3 --duration 300s",
        "lognormal --rate 50/s --cv 3 --duration 300s", "pareto --rate 50/s --alpha 1.5 --duration 300s",
        "lomax --rate 50/s --cv 3 --duration 300s", "erlang --rate 50/s --k 4 --duration 300s",
        "h2 --rate 50/s --cv 3 --count 10000",
        "concat --segment 60s@14.3/s --segment 60s@100/s --segment 60s@20/s",
        "concat --segment n=3000@gap=70ms --segment n=3000@gap=20ms",
        "sinusoid --rate 50/s --amplitude 0.8 --period 60s --duration 300s --law gamma:cv=3",
        "flash-crowd --rate 20/s --level 5x --onset 60s --duration 600s",
        "expr '50*(1+0.5*sin(2*pi*t/60))' --duration 300s",
        "mmpp --rates 10/s,200/s --sojourn 10s,2s --duration 300s",
        "cox --rate 100/s --rate-cv 0.5 --duration 120s",
        "self-similar --rate 100/s --hurst 0.8 --by fgn --duration 120s",
        "onoff --on-rate 100/s --on exp:10s --off exp:10s --sources 3 --duration 120s",
        "deterministic --rate 300/s --duration 60s",
        "deterministic --rate 7/s --duration 60s --jitter uniform:5%",
        "sinusoid --rate 50/s --amplitude 0.5 --period 60s --duration 60s --law fixed",
        "superpose --source 'poisson --rate 20/s' --source 'gamma --rate 5/s --cv 2' --duration 600s"));

TEST(CheckPoisson, PassesAPoissonProcessOfUnknownRate) {
  const TempDir dir;
  const auto file = generated(dir, "poisson --rate 300/s --duration 100s");
  const Checked checked = check(dir, file, "poisson", strict());
  EXPECT_TRUE(checked.verdict.pass) << checked.failed;
  for (const char* name : {"gap_ks", "gap_anderson_darling", "lewis", "cv", "ljung_box", "runs",
                           "dispersion_10ms", "dispersion_1s", "phase_1s", "memory_local_whittle"}) {
    ASSERT_TRUE(checked.tests.contains(name)) << name;
    EXPECT_EQ(checked.tests.at(name).verdict, "pass") << name;
  }
  EXPECT_EQ(checked.tests.at("memory_wavelet").verdict, "skip");
}

TEST(CheckMarks, PassTheirOwnLawsAndNoOthers) {
  const TempDir dir;
  const std::string times = "poisson --rate 200/s --duration 60s ";
  const std::string good =
      "--class-mix chat:3,code:1 --input-tokens lognormal:mean=1155,cv=0.96,min=2,max=14050 "
      "--output-tokens geometric:mean=200 --size-bytes uniform:lo=10,hi=500 --keys zipf:s=1.1,n=1000000";
  const auto file = generated(dir, times + good);
  const Checked own = check(dir, file, "self", strict());
  EXPECT_TRUE(own.verdict.pass) << own.failed;
  for (const char* name :
       {"classes_chi_square", "input_tokens_ks", "output_tokens_ks", "size_bytes_ks", "keys_chi_square"}) {
    EXPECT_EQ(own.tests.at(name).verdict, "pass") << name;
  }
  expect_rejected(check(dir, file, times + "--class-mix chat:2,code:1", strict()), "classes_chi_square");
  expect_rejected(check(dir, file, times + "--class-mix chat:1,image:1", strict()), "classes_chi_square");
  expect_rejected(check(dir, file, times + "--input-tokens lognormal:mean=1155,cv=1.2", strict()),
                  "input_tokens_ks");
  expect_rejected(check(dir, file, times + "--output-tokens geometric:mean=180", strict()),
                  "output_tokens_ks");
  expect_rejected(check(dir, file, times + "--keys zipf:s=1.2,n=1000000", strict()), "keys_chi_square");
  expect_rejected(check(dir, file, times + "--keys zipf:s=1.1,n=100", strict()), "keys_chi_square");
}

// ---- What is not what it claims to be fails

TEST(Check, RejectsAnotherRateLawOrPath) {
  const TempDir dir;
  const auto poisson = generated(dir, "poisson --rate 200/s --duration 300s");
  expect_rejected(check(dir, poisson, "poisson --rate 205/s", strict()), "rate");
  expect_rejected(check(dir, poisson, "gamma --rate 200/s --cv 1.1", strict()), "gap_anderson_darling");
  expect_rejected(check(dir, poisson, "sinusoid --rate 200/s --amplitude 0.2 --period 60s", strict()),
                  "dispersion_1000_arrivals");
  expect_rejected(check(dir, poisson, "deterministic --rate 200/s", strict()), "spacing");
  const auto gamma = generated(dir, "gamma --rate 100/s --cv 1.2 --duration 100s");
  const Checked checked = check(dir, gamma, "poisson", strict());
  for (const char* by : {"gap_ks", "gap_anderson_darling", "lewis", "cv", "dispersion_100ms"}) {
    expect_rejected(checked, by);
  }
}

TEST(Check, RejectsCorrelatedGapsOfTheRightLaw) {
  const TempDir dir;
  // Sorted in runs of 50: the same gaps, no longer independent.
  std::vector<double> gaps;
  test::RivalDraws draws(1);
  for (int k = 0; k < 5000; ++k) gaps.push_back(draws.exponential());
  std::vector<int64_t> times;
  int64_t t = 0;
  for (size_t k = 0; k < gaps.size(); k += 50) std::sort(gaps.begin() + k, gaps.begin() + k + 50);
  for (const double gap : gaps) times.push_back(t += static_cast<int64_t>(gap * 1e7));
  const Checked checked = check(dir, trace_file(dir, "t", arrivals_at(times)), "poisson", strict());
  expect_rejected(checked, "ljung_box");
  expect_rejected(checked, "runs");
  EXPECT_EQ(checked.tests.at("gap_ks").verdict, "pass");
}

TEST(Check, RejectsAModulatedProcessThatIsCalledPoisson) {
  const TempDir dir;
  const auto file = generated(dir, "self-similar --rate 300/s --hurst 0.85 --by fgn --duration 600s");
  const Checked checked = check(dir, file, "poisson", strict());
  expect_rejected(checked, "memory_local_whittle");
  expect_rejected(checked, "dispersion_1s");
}

TEST(Check, SeesRatherThanAssumesTheRealisedPath) {
  const TempDir dir;
  const std::string spec = "mmpp --rates 10/s,200/s --sojourn 10s,2s --duration 300s";
  const Checked with = check(dir, generated(dir, spec, 1, true), "self", strict());
  EXPECT_EQ(with.tests.at("gap_ks").verdict, "pass");
  const Checked without = check(dir, generated(dir, spec), "self", strict());
  EXPECT_EQ(without.tests.at("gap_ks").verdict, "skip");
  EXPECT_EQ(without.tests.at("rate").verdict, "pass");
}

// ---- Rivals

TEST(Rivals, SecondAlignedPoissonIsRejectedByItsPhase) {
  const TempDir dir;
  const auto times = test::second_aligned_poisson(100, 300, 1);
  const auto file = trace_file(dir, "t", arrivals_at(times), 300 * kSecond);
  const Checked free = check(dir, file, "poisson", strict());
  expect_rejected(free, "phase_1s");
  // What others look at shows nothing.
  for (const char* passes : {"cv", "dispersion_1s", "runs"})
    EXPECT_EQ(free.tests.at(passes).verdict, "pass") << passes;
  expect_rejected(check(dir, file, "poisson --rate 100/s", strict()), "phase_1s");
}

TEST(Rivals, JitteryConstantIsNeitherConstantNorPoisson) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at(test::jittery_constant(100, 300, 1)), 300 * kSecond);
  expect_rejected(check(dir, file, "deterministic --rate 100/s", strict()), "spacing");
  expect_rejected(check(dir, file, "poisson", strict()), "dispersion_1s");
}

TEST(Rivals, RelativeSleepsMissRateAndLaw) {
  const TempDir dir;
  const auto times = test::relative_sleeps(500, 10'000, 1'100'000, 1);
  const auto file = trace_file(dir, "t", arrivals_at(times));
  const Checked claimed = check(dir, file, "poisson --rate 500/s", strict());
  expect_rejected(claimed, "rate");
  expect_rejected(claimed, "gap_ks");
  expect_rejected(check(dir, file, "poisson", strict()), "gap_ks");  // nor is it Poisson at any rate
  EXPECT_NEAR(10'000 / (static_cast<double>(times.back()) * 1e-9), 322, 5);
}

// Counts of arrivals in the first half, over many seeds: variance over mean.
template <class Make>
double dispersion_of_half(Make make, int64_t half_ns, uint64_t seeds) {
  double sum = 0, squares = 0;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::vector<int64_t> times = make(seed);
    const auto count =
        static_cast<double>(std::lower_bound(times.begin(), times.end(), half_ns) - times.begin());
    sum += count;
    squares += count * count;
  }
  const double n = static_cast<double>(seeds);
  const double mean = sum / n;
  return (squares - n * mean * mean) / (n - 1) / mean;
}

std::vector<int64_t> times_of(const std::string& spec, uint64_t seed) {
  BuildContext context;
  context.seed = seed;
  Process process = make_process(parse_spec(spec), context);
  Timeline timeline(std::move(process.times));
  std::vector<int64_t> times;
  while (timeline.next(times)) continue;
  return times;
}

TEST(Rivals, RescaledTotalsHalveTheVarianceOfTheCountOverHalfARun) {
  const uint64_t seeds = 1000;
  const double error = std::sqrt(2.0 / seeds);
  const auto ours = [](uint64_t seed) { return times_of("poisson --rate 100/s --duration 4s", seed); };
  const auto rival = [](uint64_t seed) { return test::rescaled_total(100, 400, seed); };
  EXPECT_NEAR(dispersion_of_half(ours, 2 * kSecond, seeds), 1, 4 * error);
  EXPECT_NEAR(dispersion_of_half(rival, 2 * kSecond, seeds), 0.5, 4 * 0.5 * error);
}

TEST(Rivals, SeedZeroIsASeed) {
  EXPECT_EQ(times_of("poisson --rate 100/s --count 50", 0), times_of("poisson --rate 100/s --count 50", 0));
  EXPECT_NE(times_of("poisson --rate 100/s --count 50", 0), times_of("poisson --rate 100/s --count 50", 1));
  EXPECT_NE(test::zero_is_no_seed(100, 50, 0), test::zero_is_no_seed(100, 50, 0));
}

// ---- The second level: p-values of true claims are uniform

// p-values by test, over seeds.
template <class Make>
std::map<std::string, std::vector<double>> p_values(Make make, const std::string& spec,
                                                    const std::string& against, int64_t duration_ns,
                                                    uint64_t seeds) {
  std::map<std::string, std::vector<double>> out;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    records::Run about;
    about.spec = spec;
    Claim claim = make_claim(against, about, "");
    const auto battery = make_battery(claim, {uint64_t{1} << 26, seed});
    for (const int64_t t : make(seed)) battery->add(t);
    Findings findings;
    battery->finish(duration_ns, findings);
    findings.judge(0.01, "");
    for (const records::Test& test : findings.tests()) {
      if (test.p_value) out[test.name].push_back(*test.p_value);
    }
  }
  for (auto& [name, values] : out) std::sort(values.begin(), values.end());
  return out;
}

void expect_uniform_p_values(const std::string& spec, const std::string& against, int64_t duration_ns,
                             uint64_t seeds) {
  const auto all =
      p_values([&](uint64_t seed) { return times_of(spec, seed); }, spec, against, duration_ns, seeds);
  EXPECT_GE(all.size(), 7u);
  for (const auto& [name, values] : all) {
    if (values.size() < seeds / 2) continue;  // not made for every trace
    EXPECT_GT(stats::ks_uniform(values).p_value, 1e-4) << name << " of " << spec << " against " << against;
  }
}

TEST(SecondLevel, PValuesOfTrueClaimsAreUniform) {
  expect_uniform_p_values("poisson --rate 100/s --duration 20s", "poisson", 20 * kSecond, 100);
  expect_uniform_p_values("gamma --rate 100/s --cv 2 --duration 20s", "self", 20 * kSecond, 100);
}

// Outside the gate, as it takes a minute and a half: arrival_test --gtest_also_run_disabled_tests
// --gtest_filter='SecondLevel.*'
TEST(SecondLevel, DISABLED_PValuesOfTrueClaimsAreUniformOverAThousandSeeds) {
  for (const char* spec :
       {"poisson --rate 100/s --duration 60s", "gamma --rate 100/s --cv 2 --duration 60s",
        "weibull --rate 100/s --cv 0.6 --duration 60s",
        "sinusoid --rate 100/s --amplitude 0.7 --period 17s --law erlang:k=3 --duration 60s"}) {
    expect_uniform_p_values(spec, "self", 60 * kSecond, 1000);
  }
  expect_uniform_p_values("poisson --rate 100/s --duration 60s", "poisson", 60 * kSecond, 1000);
}

TEST(SecondLevel, OneScheduleForEverIsNotRandom) {
  const auto all = p_values([](uint64_t seed) { return test::fixed_schedule(100, 2000, seed); }, "",
                            "poisson --rate 100/s", 20 * kSecond, 50);
  EXPECT_LT(stats::ks_uniform(all.at("gap_ks")).p_value, 1e-6);
}

// ---- Rules of the battery

TEST(Check, SkipsWhatTooFewArrivalsCannotSay) {
  const TempDir dir;
  const Checked checked = check(dir, generated(dir, "poisson --rate 10/s --count 49"), "poisson");
  EXPECT_FALSE(checked.verdict.pass);
  EXPECT_EQ(checked.verdict.tests, 0u);
  for (const auto& [name, test] : checked.tests) {
    EXPECT_EQ(test.verdict, "skip") << name;
    EXPECT_EQ(test.note, "fewer than 50 arrivals") << name;
  }
}

TEST(Check, SkipsTiesAndSaysDequantiseFirst) {
  const TempDir dir;
  std::vector<int64_t> times = times_of("poisson --rate 50/s --duration 60s", 1);
  for (int64_t& t : times) t = t / kSecond * kSecond;
  const auto file = trace_file(dir, "t", arrivals_at(times), 60 * kSecond);
  for (const char* against : {"poisson", "gamma --rate 50/s --cv 1.5"}) {
    const Checked checked = check(dir, file, against);
    EXPECT_EQ(checked.verdict.tests, 0u);
    EXPECT_FALSE(checked.verdict.pass);
    EXPECT_NE(checked.tests.at("gap_ks").note->find("dequantise first"), std::string::npos);
  }
}

TEST(Check, OfAnEmptyTraceSkipsAllAndIsAnInputError) {
  const TempDir dir;
  std::string text;
  const auto file = dir.file("empty", "");
  text = test::written_by(dir, [&](records::Writer& writer) {
           EXPECT_EQ(kind_of([&] { run_check(file, {}, test::test_run(), writer); }), ExitKind::input);
         }).text;
  EXPECT_EQ(test::records_in<records::Verdict>(dir, text).size(), 1u);
  EXPECT_FALSE(test::records_in<records::Test>(dir, text).empty());
}

TEST(Check, JudgesByHolm) {
  const TempDir dir;
  const Checked checked =
      check(dir, generated(dir, "gamma --rate 100/s --cv 1.03 --duration 100s"), "poisson");
  std::vector<records::Test> made;
  for (const auto& [name, test] : checked.tests) {
    if (test.p_value) made.push_back(test);
  }
  std::sort(made.begin(), made.end(), [](const auto& a, const auto& b) { return *a.p_value < *b.p_value; });
  bool failing = true;
  for (size_t rank = 0; rank < made.size(); ++rank) {
    EXPECT_DOUBLE_EQ(*made[rank].limit, 0.01 / static_cast<double>(made.size() - rank));
    failing = failing && *made[rank].p_value <= *made[rank].limit;
    EXPECT_EQ(made[rank].verdict, failing ? "fail" : "pass") << made[rank].name;
  }
  EXPECT_EQ(checked.verdict.tests, made.size());
}

TEST(Check, KeepsASeededSampleWhereMemoryIsShort) {
  const TempDir dir;
  CheckOptions options = strict();
  options.trace.memory_bytes = 64 * 2000;
  const auto file = generated(dir, "poisson --rate 200/s --duration 100s");
  for (const char* against : {"poisson", "self"}) {
    const Checked checked = check(dir, file, against, options);
    EXPECT_TRUE(checked.verdict.pass) << checked.failed;
    EXPECT_EQ(checked.tests.at("gap_ks").n, 2000u);
    EXPECT_NE(checked.tests.at("gap_ks").note->find("a sample of 2000"), std::string::npos);
    EXPECT_EQ(checked.tests.at("ljung_box").verdict, "skip");
  }
}

TEST(Check, ChecksTheSpecOfTheTraceUnlessToldOtherwise) {
  const TempDir dir;
  const auto file = generated(dir, "gamma --rate 100/s --cv 2 --duration 60s");
  EXPECT_TRUE(check(dir, file, "").verdict.pass);
  EXPECT_FALSE(check(dir, file, "poisson").verdict.pass);
  const auto bare = trace_file(dir, "bare", arrivals_at(times_of("poisson --rate 100/s --count 500", 1)));
  EXPECT_EQ(check(dir, bare, "").verdict.note, "against a Poisson process of any constant rate");
  EXPECT_EQ(kind_of([&] { check(dir, bare, "self"); }), ExitKind::input);
}

TEST(Check, RefusesClaimsThatCannotBeRead) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({1, 2, 3}));
  EXPECT_EQ(kind_of([&] { check(dir, file, "nonsense"); }), ExitKind::usage);
  EXPECT_EQ(kind_of([&] { check(dir, file, "gamma --rate 5/s"); }), ExitKind::usage);
  CheckOptions options;
  options.alpha = 1;
  EXPECT_EQ(kind_of([&] { check(dir, file, "poisson", options); }), ExitKind::usage);
}

TEST(Check, RefusesAShardAgainstTheWholesSpec) {
  const TempDir dir;
  GenerateOptions options;
  options.spec = parse_spec("poisson --rate 100/s --duration 10s");
  options.shard = 1;
  options.shards = 2;
  {
    records::Writer writer(Output::open(dir / "shard"), true);
    generate(options, test::test_run(), writer);
  }
  EXPECT_EQ(kind_of([&] { check(dir, dir / "shard", "self"); }), ExitKind::input);
}

}  // namespace
}  // namespace mlq::arrival
