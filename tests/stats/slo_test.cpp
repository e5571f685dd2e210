#include "lib/stats/slo.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/random.h"

namespace mlq::stats {
namespace {

SloTerm one(std::string_view text) {
  const std::vector<SloTerm> terms = parse_slo(text);
  EXPECT_EQ(terms.size(), 1u) << text;
  return terms.at(0);
}

std::string error_of(std::string_view text) {
  try {
    parse_slo(text);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::usage);
    return e.what();
  }
  return "accepted";
}

void expect_ratio(const Ratio& ratio, uint64_t num, uint64_t den) {
  EXPECT_EQ(ratio.num, num);
  EXPECT_EQ(ratio.den, den);
}

TEST(Slo, ReadsTermsOfEachRequest) {
  const SloTerm t = one("ttft<500ms");
  EXPECT_EQ(t.kind, SloKind::request);
  EXPECT_EQ(t.metric, SloMetric::ttft);
  EXPECT_EQ(t.op, SloOp::lt);
  EXPECT_EQ(t.unit(), SloUnit::ns);
  EXPECT_EQ(t.limit_ns, 500'000'000);
  EXPECT_TRUE(t.per_request());
  EXPECT_EQ(one("itl_max>=1us").metric, SloMetric::itl_max);
  EXPECT_EQ(one("service > 3s").op, SloOp::gt);
  EXPECT_EQ(one("outcome == ok").kind, SloKind::outcome_ok);
  EXPECT_EQ(one("outcome==ok").unit(), SloUnit::none);
}

TEST(Slo, ReadsQuantilesAsFractions) {
  const SloTerm t = one("p99<=50ms");
  EXPECT_EQ(t.kind, SloKind::quantile);
  EXPECT_EQ(t.metric, SloMetric::latency);
  EXPECT_EQ(t.op, SloOp::le);
  EXPECT_FALSE(t.per_request());
  expect_ratio(t.quantile, 99, 100);
  expect_ratio(one("p99.9(ttft)<=1s").quantile, 999, 1000);
  expect_ratio(one("p50<=1s").quantile, 1, 2);
  expect_ratio(one("p0.000000001<=1s").quantile, 1, 100'000'000'000);
  EXPECT_EQ(one("p95 ( tpot ) <= 40ms").metric, SloMetric::tpot);
}

TEST(Slo, ReadsTheOtherAggregates) {
  EXPECT_EQ(one("mean(service)<=5ms").kind, SloKind::mean);
  EXPECT_EQ(one("max(latency)<1s").kind, SloKind::max);
  const SloTerm attain = one("attain>=0.99");
  EXPECT_EQ(attain.kind, SloKind::attain);
  EXPECT_EQ(attain.op, SloOp::ge);
  EXPECT_EQ(attain.unit(), SloUnit::share);
  expect_ratio(attain.limit_share, 99, 100);
  expect_ratio(one("error_rate<=1%").limit_share, 1, 100);
  expect_ratio(one("error_rate<=0").limit_share, 0, 1);
  const SloTerm goodput = one("goodput>=100/s");
  EXPECT_EQ(goodput.unit(), SloUnit::per_s);
  EXPECT_EQ(goodput.limit_rate.per_s(), 100);
}

TEST(Slo, KeepsTheOrderOfTerms) {
  const std::vector<SloTerm> terms = parse_slo(" p99<=50ms&&error_rate<=1% &&\tlatency<=1s ");
  ASSERT_EQ(terms.size(), 3u);
  EXPECT_EQ(terms[0].kind, SloKind::quantile);
  EXPECT_EQ(terms[1].kind, SloKind::error_rate);
  EXPECT_EQ(terms[2].kind, SloKind::request);
}

TEST(Slo, TextRoundTrips) {
  for (const char* text :
       {"p99<=50ms", "p99.9(ttft)<2s", "latency<=1s", "outcome==ok", "mean(service)>=5ms", "max(latency)>1ms",
        "attain>=0.99", "error_rate<=0.01", "error_rate<=1/3", "goodput>=100/s", "goodput>14.3/s",
        "ttft<=450ms && tpot<=40ms && outcome==ok && attain>=0.999"}) {
    EXPECT_EQ(slo_text(parse_slo(text)), text);
  }
  EXPECT_EQ(slo_text(parse_slo("p99.0 ( latency ) <= 0.05s && error_rate<=1%")),
            "p99<=50ms && error_rate<=0.01");
}

TEST(Slo, PresetsStandForTheirTerms) {
  EXPECT_EQ(slo_text(parse_slo("mlperf-llama2-70b-interactive && attain>=0.9")),
            "p99(ttft)<=450ms && p99(tpot)<=40ms && attain>=0.9");
  EXPECT_EQ(slo_presets().size(), 5u);
  for (const SloPreset& preset : slo_presets()) {
    ASSERT_EQ(parse_slo(preset.name).size(), 2u) << preset.name;
    EXPECT_EQ(slo_text(parse_slo(preset.name)), slo_text(parse_slo(preset.text)));
  }
}

TEST(Slo, SaysWhatIsWrong) {
  const auto missing = [](const std::string& text) {
    return "SLO \"" + text + "\": a term is missing; write for example p99<=50ms && error_rate<=1%";
  };
  for (const char* text : {"", "  ", "p99<=50ms &&", "&& p99<=50ms", "p99<=50ms && && latency<=1s"})
    EXPECT_EQ(error_of(text), missing(text));
  EXPECT_EQ(error_of("p99"), "SLO term \"p99\": no operator; write <=, >=, < or >, for example p99<=50ms");
  EXPECT_EQ(error_of("latency<=1s && p99<="),
            "SLO term \"p99<=\": no limit after the operator; write a duration such as 50ms");
  EXPECT_EQ(error_of("attain>="),
            "SLO term \"attain>=\": no limit after the operator; write a share such as 0.99 or 1%");
  EXPECT_EQ(error_of("goodput>="),
            "SLO term \"goodput>=\": no limit after the operator; write a rate such as 100/s");
  EXPECT_EQ(error_of("p99==50ms"),
            "SLO term \"p99==50ms\": this operator is only for outcome==ok; write <=, >=, < or >");
  EXPECT_EQ(error_of("outcome<=ok"), "SLO term \"outcome<=ok\": outcome can only be compared as outcome==ok");
  EXPECT_EQ(error_of("outcome==timeout"),
            "SLO term \"outcome==timeout\": outcome can only be compared as outcome==ok");
  EXPECT_EQ(error_of("lat<=1s"),
            "SLO term \"lat<=1s\": unknown \"lat\"; use latency, service, ttft, tpot, itl_max, outcome, "
            "pQ(METRIC), mean(METRIC), "
            "max(METRIC), attain, error_rate, goodput or the name of a preset");
  EXPECT_EQ(error_of("p99(lat)<=1s"),
            "SLO term \"p99(lat)<=1s\": unknown metric \"lat\"; use latency, service, ttft, tpot or itl_max");
  EXPECT_EQ(error_of("p99(ttft<=1s"), "SLO term \"p99(ttft<=1s\": \")\" is missing before the operator");
  EXPECT_EQ(error_of("mean<=1s"), "SLO term \"mean<=1s\": mean needs a metric, for example mean(latency)");
  for (const char* text : {"p0<=1s", "p100<=1s", "p999<=1s", "p99999999999999999999999<=1s"}) {
    EXPECT_EQ(error_of(text),
              "SLO term \"" + std::string(text) +
                  "\": a percentile lies between 0 and 100, both excluded; write p99.9 for 99.9%, "
                  "max(METRIC) for the largest value");
  }
  EXPECT_EQ(error_of("p9x<=1s"),
            "SLO term \"p9x<=1s\": \"p9x\" is not a percentile; write for example p50, p99 or p99.9");
  EXPECT_EQ(error_of("p99.<=1s"),
            "SLO term \"p99.<=1s\": \"p99.\" is not a percentile; write for example p50, p99 or p99.9");
  EXPECT_EQ(error_of("attain>=1.5"),
            "SLO term \"attain>=1.5\": a share lies between 0 and 1, or 0% and 100%");
  EXPECT_EQ(error_of("p99<=0ms"), "SLO term \"p99<=0ms\": a limit of time must be above 0");
  EXPECT_EQ(error_of("p99<=50").rfind("SLO term \"p99<=50\": ", 0), 0u);  // the rest is parse_duration's
  EXPECT_EQ(error_of("goodput>=0/s").rfind("SLO term \"goodput>=0/s\": ", 0), 0u);
  EXPECT_EQ(
      error_of("attain(latency)>=0.9").rfind("SLO term \"attain(latency)>=0.9\": unknown \"attain\"", 0), 0u);
}

// Random cuts of the alphabet of the language are refused, or mean something whose text means the same.
TEST(Slo, AnyTextIsRefusedOrRoundTrips) {
  const std::vector<std::string> pieces = {
      "p99", "p",      "99.9",    "(",          ")",       "latency", "ttft", "mean",
      "max", "attain", "goodput", "error_rate", "outcome", "<=",      "<",    ">",
      "==",  "=",      "ok",      "50ms",       "1%",      "100/s",   "0.5",  "&&",
      "&",   " ",      "\t",      "1/3",        "",        "\xff",    "-",    "llama3.1-8b-interactive"};
  const RandomStream random(1, Purpose::thin);
  size_t accepted = 0;
  for (uint64_t i = 0; i < 20000; ++i) {
    std::string text = i % 2 ? "" : "p99<=50ms&&";
    for (uint32_t k = 0; k <= random.bits(i, 100).c0 % 6; ++k)
      text += pieces[random.bits(i, k).c1 % pieces.size()];
    try {
      const std::string canonical = slo_text(parse_slo(text));
      ASSERT_EQ(slo_text(parse_slo(canonical)), canonical) << text;
      ++accepted;
    } catch (const Error& e) {
      ASSERT_EQ(e.kind(), ExitKind::usage);
    }
  }
  EXPECT_GT(accepted, 20u);
}

}  // namespace
}  // namespace mlq::stats
