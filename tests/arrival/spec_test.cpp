#include "lib/arrival/process/spec.h"

#include <gtest/gtest.h>

#include "lib/arrival/process/process.h"
#include "tests/arrival/harness.h"
#include "tests/support/temp_dir.h"

namespace mlq::arrival {
namespace {

using test::failure_of;
using test::failure_of_spec;
using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Spec, WordsSettingsAndArgumentsAreTakenApart) {
  const ProcessSpec spec = parse_spec("  expr '100 * t' --duration 60s\t--law=gamma:cv=2\n");
  EXPECT_EQ(spec.process, "expr");
  EXPECT_EQ(spec.argument, "100 * t");
  EXPECT_EQ(spec.settings, (Pairs{{"duration", "60s"}, {"law", "gamma:cv=2"}}));
}

TEST(Spec, QuotesAndEscapes) {
  EXPECT_EQ(parse_spec("rate-file 'a b.csv'").argument, "a b.csv");
  EXPECT_EQ(parse_spec("rate-file \"a 'b'.csv\"").argument, "a 'b'.csv");
  EXPECT_EQ(parse_spec("rate-file a\\ b.csv").argument, "a b.csv");
  EXPECT_EQ(parse_spec("rate-file \"a\\\"b\"").argument, "a\"b");
  EXPECT_EQ(parse_spec("rate-file 'a\\b'").argument, "a\\b");
  EXPECT_EQ(parse_spec("rate-file a'b c'd").argument, "ab cd");
}

TEST(Spec, FormattingIsCanonicalAndReadsBackTheSame) {
  EXPECT_EQ(format_spec(parse_spec("gamma --cv 2 --duration 60s --rate 10/s")),
            "gamma --rate 10/s --duration 60s --cv 2");
  for (const char* text :
       {"poisson --rate 10/s --count 5", "expr '100*(1+0.5*sin(2*pi*t/86400))' --duration 1h",
        "concat --segment 60s@14.3/s --segment n=100@gap=70ms",
        "rate-file 'it'\\''s here.csv' --interp spline",
        "superpose --source 'poisson --rate 1/s' --source 'expr '\\''2 * t'\\''' --duration 10s",
        "poisson --rate 1/s --count 1 --law ''"}) {
    const ProcessSpec spec = parse_spec(text);
    const ProcessSpec again = parse_spec(format_spec(spec));
    EXPECT_EQ(again.process, spec.process);
    EXPECT_EQ(again.argument, spec.argument);
    EXPECT_EQ(again.settings.size(), spec.settings.size());
    EXPECT_EQ(format_spec(again), format_spec(spec)) << text;
  }
}

TEST(Spec, RepeatedSettingsKeepTheirOrder) {
  EXPECT_EQ(format_spec(parse_spec("concat --segment 2s@1/s --segment 1s@2/s")),
            "concat --segment 2s@1/s --segment 1s@2/s");
}

TEST(Spec, TextMistakesQuoteTheText) {
  const auto fault = [](const char* text) { return failure_of([&] { parse_spec(text); }); };
  EXPECT_EQ(fault(""),
            "2: process \"\": it must begin with the name of a process, as in 'poisson --rate 10/s'");
  EXPECT_EQ(
      fault("--rate 3/s"),
      "2: process \"--rate 3/s\": it must begin with the name of a process, as in 'poisson --rate 10/s'");
  EXPECT_EQ(fault("poisson 'x"), "2: process \"poisson 'x\": a quotation mark is not closed");
  EXPECT_EQ(fault("poisson --rate"), "2: process \"poisson --rate\": --rate lacks its value");
  EXPECT_EQ(fault("poisson --speed 3"), "2: process \"poisson --speed 3\": unknown option \"--speed\"");
  EXPECT_EQ(fault("expr a b"), "2: process \"expr a b\": \"b\" is one argument too many");
}

TEST(Spec, EveryProcessSettingIsInTheTable) {
  for (const ProcessInfo& process : process_infos()) {
    for (const std::string_view name : process.settings) {
      EXPECT_TRUE(std::any_of(setting_infos().begin(), setting_infos().end(),
                              [&](const SettingInfo& info) { return info.name == name; }))
          << process.name << " " << name;
    }
  }
}

struct Mistake {
  const char* spec;
  const char* message;
};
class SpecMistake : public testing::TestWithParam<Mistake> {};

TEST_P(SpecMistake, IsNamed) { EXPECT_EQ(failure_of_spec(GetParam().spec), GetParam().message); }

INSTANTIATE_TEST_SUITE_P(
    Ranges, SpecMistake,
    testing::Values(
        Mistake{"poisson --rate 0/s --count 5", "2: --rate: \"0/s\" is no rate; it must be above zero"},
        Mistake{"poisson --rate -3/s --count 5",
                "2: --rate: \"-3/s\" is not a rate; write events per time, as in 200/s, 14.3/s or 50k/h, or "
                "a gap, as "
                "in gap=70ms"},
        Mistake{"poisson --rate 5 --count 5",
                "2: --rate: \"5\" has no unit of time; a rate is written as in 5/s"},
        Mistake{"poisson --gap 0s --count 5", "2: --gap: \"0s\" is no gap; it must be above zero"},
        Mistake{"poisson --rate 5/s --gap 3ms --count 5", "2: --rate and --gap: give one of the two"},
        Mistake{"poisson --count 5",
                "2: poisson needs --rate (as in --rate 200/s) or --gap (as in --gap 5ms)"},
        Mistake{"poisson --rate 5/s", "2: poisson needs --duration or --count (--count inf for no end)"},
        Mistake{"poisson --rate 5/s --count 5 --cv 3", "2: --cv: poisson does not take it"},
        Mistake{"poisson --rate 5/s --rate 6/s --count 5", "2: --rate is given twice"},
        Mistake{"poisson x --rate 5/s --count 5", "2: poisson takes no argument; \"x\" is one too many"},
        Mistake{"expr --count 5", "2: expr needs its FORMULA, as in: expr FORMULA"},
        Mistake{"gamma --rate 5/s --count 5", "2: gamma needs --cv"},
        Mistake{"gamma --rate 5/s --cv 0 --count 5",
                "2: cv 0 is out of range for gamma; it must be above 0 and at most 100"},
        Mistake{"gamma --rate 5/s --cv 101 --count 5",
                "2: cv 101 is out of range for gamma; it must be above 0 and at most 100"},
        Mistake{"lomax --rate 5/s --cv 1 --count 5",
                "2: cv 1 is out of range for lomax; it must be above 1 and at most 1000"},
        Mistake{"h2 --rate 5/s --cv 0.9 --count 5",
                "2: cv 0.9 is out of range for h2; it must be from 1 to 1000"},
        Mistake{"pareto --rate 5/s --cv 2 --alpha 3 --count 5", "2: --cv and --alpha: give one of the two"},
        Mistake{"pareto --rate 5/s --alpha 1 --count 5",
                "2: alpha 1 is out of range for pareto; it must be above 1 (a finite mean) and at most 1e6"},
        Mistake{"erlang --rate 5/s --k 0 --count 5",
                "2: k 0 is out of range for erlang; it must be from 1 to 10000"},
        Mistake{"poisson --rate 5/s --count 5 --start later",
                "2: --start: \"later\" must be stationary, event or zero"},
        Mistake{"poisson --rate 5/s --count five",
                "2: --count: \"five\" is not a count; write a whole number, with k, M, G or T for powers of "
                "1000, as in "
                "80000, 4k or 1e6"},
        Mistake{"poisson --rate 5/s --duration 5",
                "2: --duration: \"5\" has no unit of time; write 5s for seconds or 5ms for milliseconds"}));

INSTANTIATE_TEST_SUITE_P(
    Paths, SpecMistake,
    testing::Values(
        Mistake{"sinusoid --rate 5/s --amplitude 1.2 --period 1s --count 5",
                "2: the amplitudes sum to 1.2; above 1 the rate would be negative"},
        Mistake{"sinusoid --rate 5/s --amplitude 1 --count 5", "2: sinusoid needs --period"},
        Mistake{"sinusoid --rate 5/s --count 5", "2: a sinusoid needs --amplitude or --harmonic"},
        Mistake{"sinusoid --rate 5/s --harmonic 0.5 --count 5",
                "2: --harmonic: \"0.5\" must be AMPLITUDE@PERIOD or AMPLITUDE@PERIOD@TURN"},
        Mistake{"square --rate 5/s --period 10s --duty 1 --count 5",
                "2: --duty 1 is out of range; it must be above 0 and below 1"},
        Mistake{"step --base 'poisson --rate 5/s --count 3' --count 5",
                "2: --base: only the rate is taken; give --count outside"},
        Mistake{"step --base 'deterministic --rate 5/s' --count 5",
                "2: --base: deterministic has no rate path"},
        Mistake{"step --base 'poisson --rate 5/s' --rate 3/s --count 5",
                "2: --base and --rate: give one of the two"},
        Mistake{"expr 'sin(t)' --count 5",
                "3: the rate \"sin(t)\" is -0.35078322768961984 at t = 3.5 s; it must be a number that is "
                "not negative"},
        Mistake{"expr '0*t' --count 5", "3: the rate \"0*t\" is 0 everywhere"},
        Mistake{"cox --rate 5/s --rate-cv -1 --count 5",
                "2: --rate-cv -1 is out of range; it must be from 0 to 100"},
        Mistake{"cox --rate 5/s --rate-cv 1 --rate-ar 1 --count 5",
                "2: --rate-ar 1 is out of range; it must be at least 0 and below 1"},
        Mistake{"self-similar --rate 5/s --hurst 0.5 --count 5",
                "2: --hurst 0.5 is out of range; it must be above 0.5 and below 1"},
        Mistake{"self-similar --rate 5/s --hurst 1 --count 5",
                "2: --hurst 1 is out of range; it must be above 0.5 and below 1"},
        Mistake{"self-similar --rate 5/s --hurst 0.8 --by fgn --count 5",
                "2: self-similar by fgn needs --duration: its noise is made at once"},
        Mistake{"self-similar --rate 5/s --hurst 0.8 --by fgn --step 1ms --duration 10d",
                "2: --duration / --step is 864000000 steps; at most 4194304 can be made, so take a longer "
                "--step"},
        Mistake{"self-similar --rate 5/s --hurst 0.8 --by fgn --idc 1 --duration 10s",
                "2: --idc 1 is out of range; a random rate has an index of dispersion above 1"},
        Mistake{"onoff --on-rate 5/s --on exp:3s --off exp:2s --sources 0 --count 5",
                "2: --sources 0 is out of range; it must be from 1 to 65535"},
        Mistake{"onoff --on-rate 5/s --on exp:3s,max=4s --off exp:2s --count 5",
                "2: --on: a stay cannot have this law; take one without mix, min=, max= and round="},
        Mistake{"onoff --on-rate 5/s --on exp:1ns --off exp:2s --count 5",
                "2: a mean stay of 1e-09 s is too short; it must be at least 1us"},
        Mistake{"mmpp --rates 5/s --sojourn 1s --count 5", "2: --rates: an MMPP needs at least two rates"},
        Mistake{"mmpp --rates 5/s,6/s --sojourn 1s --count 5", "2: --sojourn: 1 stays for 2 rates"},
        Mistake{"mmpp --rates 0,0 --sojourn 1s,2s --count 5",
                "2: all rates are 0; nothing would ever arrive"},
        Mistake{"mmpp --rates 1/s,x --sojourn 1s,2s --count 5",
                "2: --rates: \"x\" is not a rate; write events per time, as in 200/s, 14.3/s or 50k/h, or a "
                "gap, as in "
                "gap=70ms"},
        Mistake{"deterministic --rate 5/s --jitter uniform:60% --count 5",
                "2: --jitter 0.6 is out of range; the share must be from 0 to 50%"},
        Mistake{"deterministic --rate 5/s --jitter 5% --count 5",
                "2: --jitter: \"5%\" must be uniform:SHARE, as in uniform:5%"},
        Mistake{"superpose --count 5", "2: superpose needs --source, as in --source 'poisson --rate 10/s'"},
        Mistake{"superpose --source 'superpose --source x' --count 5",
                "2: --source: superpose cannot stand in superpose"},
        Mistake{"superpose --source poisson --rate 5/s --count 5",
                "2: --rate and --weights belong together: the rate is shared out"},
        Mistake{"superpose --source poisson --rate 5/s --weights 0 --count 5",
                "2: --weights: 0 is out of range; a weight is from 1 to 10^9"},
        Mistake{"preset nothing",
                "2: there is no preset \"nothing\"; there are rrl-dynamic, rrl-wiki, azure-conv-like, "
                "mlperf-server, diurnal, flash-crowd, bursty"}));

INSTANTIATE_TEST_SUITE_P(
    Marks, SpecMistake,
    testing::Values(
        Mistake{"poisson --rate 5/s --count 5 --class-mix chat",
                "2: --class-mix: \"chat\" must be NAME:WEIGHT, as in chat:3,code:1"},
        Mistake{"poisson --rate 5/s --count 5 --class-mix chat:0",
                "2: --class-mix: the weight of \"chat\" must be positive"},
        Mistake{"poisson --rate 5/s --count 5 --input-tokens exp",
                "2: --input-tokens: law \"exp\": exp needs mean="},
        Mistake{"poisson --rate 5/s --count 5 --input-tokens exp:5 --context 100",
                "2: --context needs lengths: --lengths, or --input-tokens and --output-tokens"},
        Mistake{"poisson --rate 5/s --count 5 --input-tokens exp:5 --output-tokens exp:5 --context 100:cut",
                "2: --context: \"cut\" must be truncate, drop or resample"},
        Mistake{"poisson --rate 5/s --count 5 --input-tokens exp:5 --output-tokens exp:5 --context 1",
                "2: --context: 1 is out of range; it must be from 2 to 2^32-1"},
        Mistake{"poisson --rate 5/s --count 5 --keys exp:5",
                "2: --keys: \"exp:5\" must be zipf:s=S,n=N, as in zipf:s=1.1,n=1000000"},
        Mistake{"poisson --rate 5/s --count 5 --keys zipf:s=1,min=2,n=10",
                "2: --keys: \"zipf:s=1,min=2,n=10\" must be zipf:s=S,n=N, as in zipf:s=1.1,n=1000000"},
        Mistake{"poisson --rate 5/s --count 5 --churn 5/s", "2: --churn moves keys; it needs --keys"}));

TEST(Spec, AnUnknownProcessListsTheKnownOnes) {
  EXPECT_EQ(failure_of_spec("poison --rate 3/s").substr(0, 61),
            "2: there is no process \"poison\"; there are poisson, gamma, we");
}

// ---- Files.

TEST(SpecFiles, MatricesAreRefusedByRow) {
  const mlq::test::TempDir dir;
  const auto mmpp = [&](const std::string& json) {
    return failure_of_spec("mmpp --rates 1/s,2/s --count 5 --generator " + dir.file("q.json", json));
  };
  EXPECT_EQ(mmpp("[[-1,1],[2,-1]]"), "3: generator: row 2 sums to 1; it must sum to 0");
  EXPECT_EQ(mmpp("[[-1,1],[0,0]]"),
            "3: generator: the chain is reducible; row 2: the state cannot reach those before it");
  EXPECT_EQ(mmpp("[[-1e10,1e10],[1,-1]]"),
            "3: generator: row 1: state 1 is left more than 10^9 times a second");
  EXPECT_EQ(mmpp("[[-1]]"), "2: there are 2 rates and 1 states; there must be one rate a state");
  EXPECT_EQ(mmpp("nonsense"), "3: " + dir / "q.json" + ": must be a JSON matrix, as in [[-1,1],[2,-2]]");
  EXPECT_EQ(failure_of_spec("mmpp --rates 1/s,2/s --sojourn 1s,1s --count 5 --jump " +
                            dir.file("j", "[[0,0.5],[1,0]]")),
            "3: --jump: row 1 must sum to 1, with 0 on the diagonal");
  const auto map = [&](const std::string& json, const std::string& process = "map") {
    return failure_of_spec(process + " --count 5 --matrices " + dir.file("d.json", json));
  };
  EXPECT_EQ(map(R"({"D0":[[-2]],"D1":[[1]]})"), "3: D0 + D1 + ...: row 1 sums to -1; it must sum to 0");
  EXPECT_EQ(map(R"({"D0":[[0]],"D1":[[0]]})"),
            "3: D0: row 1: the diagonal must be negative and at least -10^9");
  EXPECT_EQ(map(R"({"D0":[[-1,1],[1,-1]],"D1":[[0,0],[0,0]]})"),
            "3: D1: all rates are 0; nothing would ever arrive");
  EXPECT_EQ(map(R"({"D0":[[-1,1],[1,-1]],"D1":[[0,0]]})"), "3: D1 has 1 rows; D0 has 2");
  EXPECT_EQ(map(R"({"D0":[[-1,0],[0,-1]],"D1":[[1,0],[0,1]]})"),
            "3: generator: the chain is reducible; row 2: the state cannot reach those before it");
  EXPECT_EQ(map(R"({"D0":[[-3]],"D1":[[1]],"D2":[[2]]})"), "3: " + dir / "d.json" + ": it has D2; use bmap");
  EXPECT_EQ(map(R"({"D0":[[-3]]})"), "3: " + dir / "d.json" + ": D0 and D1 are needed");
  EXPECT_EQ(map(R"({"D0":[[-0.3]],"D1":[[0.1]],"D2":[[0.2]]})", "bmap"), "nothing");  // sums to 3e-17
}

TEST(SpecFiles, RateFilesAreRefusedByLine) {
  const mlq::test::TempDir dir;
  const auto rates = [&](const std::string& text, const std::string& settings = "") {
    return failure_of_spec("rate-file " + dir.file("r.csv", text) + settings);
  };
  const std::string file = dir / "r.csv";
  EXPECT_EQ(rates("t,rate\n0,5\n1,nan\n2,0\n"), "3: " + file + ":3: \"nan\" is no finite number");
  EXPECT_EQ(rates("0,5\n1,inf\n2,0\n"), "3: " + file + ":2: \"inf\" is no finite number");
  EXPECT_EQ(rates("0,5\n1,-1\n2,0\n"), "3: " + file + ":2: the rate -1 is negative");
  EXPECT_EQ(rates("0,5\n1,3\n1,0\n"), "3: " + file + ":3: the times must increase");
  EXPECT_EQ(rates("0,0\n1,0\n"), "3: " + file + ": all values are 0; nothing would ever arrive");
  EXPECT_EQ(rates("0,5\n"), "3: " + file + ": a rate series needs at least two rows of time and rate");
  EXPECT_EQ(rates(""), "3: " + file + ": there are no numbers in it");
  EXPECT_EQ(rates("5\n-1\n", " --bin 1s"), "3: " + file + ":2: the count -1 is negative");
  EXPECT_EQ(rates("0,5\n1,nan\n", " --bin 1s"), "3: " + file + ":2: \"nan\" is no finite number");
  EXPECT_EQ(rates("5\n1\n", " --bin 0"), "2: --bin must be positive");
  EXPECT_EQ(rates("5\n1.5\n", " --bin 1s --counts keep"),
            "3: " + file + ": --counts keep needs whole counts, and 1.5 is none");
  EXPECT_EQ(rates("5\n1\n", " --bin 1s --counts keep --law gamma:cv=2"),
            "2: --counts keep and --law: the counts fix the arrivals");
  EXPECT_EQ(rates("5\n1\n", " --bin 1s --compress 0"), "2: --compress 0 is out of range; it must be above 0");
  EXPECT_EQ(rates("5\n1\n", " --bin 1s --interp cubic"),
            "2: --interp: \"cubic\" must be step, linear or spline");
  EXPECT_EQ(rates("{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":0,\"count\":3}\n"),
            "3: " + file + ":1: dt_ns must be positive");
  EXPECT_EQ(rates("{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":5,\"count\":3}\n{\"type\":\"bin\",\"t_ns\":4,\"dt_"
                  "ns\":5,\"count\":3}\n"),
            "3: " + file + ":2: the bin begins before the one before ends");
  EXPECT_EQ(rates("{\"type\":\"rate\",\"t_ns\":5,\"rate_per_s\":3}\n{\"type\":\"rate\",\"t_ns\":4,\"rate_per_"
                  "s\":3}\n"),
            "3: " + file + ":2: t_ns is below that of the record before");
  const std::string points = dir.file("p.csv", "0,5\n10,x\n");
  EXPECT_EQ(failure_of_spec("nhpp --points " + points), "3: " + points + ":2: \"x\" is no finite number");
}

}  // namespace
}  // namespace mlq::arrival
