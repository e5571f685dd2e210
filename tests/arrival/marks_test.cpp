#include "lib/arrival/process/marks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "lib/arrival/law/zipf.h"
#include "tests/arrival/harness.h"
#include "tests/support/temp_dir.h"

namespace mlq::arrival {
namespace {

using test::Trace;
using test::trace_of;

const std::string kProcess = "poisson --rate 100/s --count 20000 ";

TEST(Marks, ClassesComeByTheirWeights) {
  std::map<std::string, double> counts;
  for (const auto& a : trace_of(kProcess + "--class-mix chat:3,code:1,a:b:4").arrivals) ++counts[*a.klass];
  ASSERT_EQ(counts.size(), 3u);
  EXPECT_NEAR(counts["chat"], 7500, 300);
  EXPECT_NEAR(counts["code"], 2500, 200);
  EXPECT_NEAR(counts["a:b"], 10000, 300);
}

TEST(Marks, LengthsFollowTheirLawsIndependently) {
  const Trace trace = trace_of(kProcess +
                               "--input-tokens lognormal:mean=1155,cv=0.96,min=2,max=14050 "
                               "--output-tokens geometric:mean=211 --size-bytes fixed:4096");
  std::vector<double> in, out;
  double cross = 0;
  for (const auto& a : trace.arrivals) {
    in.push_back(*a.input_tokens);
    out.push_back(*a.output_tokens);
    cross += (in.back() - 1155) * (out.back() - 211);
    ASSERT_EQ(a.size_bytes, 4096u);
  }
  EXPECT_NEAR(test::mean_of(in), 1155, 4 * 1155 * 0.96 / std::sqrt(2e4));
  EXPECT_NEAR(test::mean_of(out), 211, 4 * 211 / std::sqrt(2e4));
  EXPECT_NEAR(cross / 2e4 / std::sqrt(test::variance_of(in) * test::variance_of(out)), 0, 0.03);
}

TEST(Marks, DoNotMoveWhenTheProcessChanges) {
  const std::string marks = "--class-mix a:1,b:1 --input-tokens exp:100 --keys zipf:s=1,n=1000";
  const Trace a = trace_of("poisson --rate 100/s --count 500 " + marks);
  const Trace b = trace_of("gamma --rate 7/s --cv 3 --count 500 " + marks);
  for (size_t k = 0; k < 500; ++k) {
    ASSERT_EQ(a.arrivals[k].klass, b.arrivals[k].klass);
    ASSERT_EQ(a.arrivals[k].input_tokens, b.arrivals[k].input_tokens);
    ASSERT_EQ(a.arrivals[k].key, b.arrivals[k].key);
  }
}

TEST(Marks, OneMarkDoesNotMoveAnother) {
  const Trace a = trace_of("poisson --rate 9/s --count 500 --output-tokens exp:50");
  const Trace b =
      trace_of("poisson --rate 9/s --count 500 --output-tokens exp:50 --input-tokens gamma:mean=9,cv=2");
  for (size_t k = 0; k < 500; ++k) ASSERT_EQ(a.arrivals[k].output_tokens, b.arrivals[k].output_tokens);
}

TEST(Marks, RowsOfLengthsStayTogether) {
  const mlq::test::TempDir dir;
  const std::string file = dir.file("lengths.csv",
                                    "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n1,10,11,"
                                    "0.1\n2,20,22,0.1\n3,30,33,0.1\n");
  std::map<uint32_t, double> counts;
  for (const auto& a : trace_of(kProcess + "--lengths " + file).arrivals) {
    ASSERT_EQ(*a.output_tokens, 10 * *a.input_tokens);
    ++counts[*a.input_tokens];
  }
  for (const uint32_t k : {1u, 2u, 3u}) EXPECT_NEAR(counts[k], 20000.0 / 3, 300);
}

TEST(Marks, ContextTruncatesDropsOrDrawsAgain) {
  const std::string lengths = "--input-tokens exp:300,min=1 --output-tokens exp:300,min=1 --context 500";
  const Trace free = trace_of(kProcess + "--input-tokens exp:300,min=1 --output-tokens exp:300,min=1");
  const Trace cut = trace_of(kProcess + lengths + ":truncate");
  const Trace dropped = trace_of(kProcess + lengths + ":drop");
  const Trace again = trace_of(kProcess + lengths + ":resample");
  ASSERT_EQ(cut.arrivals.size(), 20000u);
  ASSERT_EQ(again.arrivals.size(), 20000u);
  size_t kept = 0;
  for (size_t k = 0; k < 20000; ++k) {
    const auto& a = cut.arrivals[k];
    const uint32_t in = *free.arrivals[k].input_tokens, out = *free.arrivals[k].output_tokens;
    ASSERT_LE(*again.arrivals[k].input_tokens + *again.arrivals[k].output_tokens, 500u);
    if (in + out <= 500) {
      ASSERT_TRUE(*a.input_tokens == in && *a.output_tokens == out);
      ASSERT_EQ(dropped.arrivals[kept].i, k);
      ASSERT_EQ(*dropped.arrivals[kept].input_tokens, in);
      ASSERT_EQ(*again.arrivals[k].input_tokens, in);
      ++kept;
    } else {
      // the answer first, then the prompt, with one token of answer left
      ASSERT_EQ(*a.input_tokens, std::min(in, 499u));
      ASSERT_EQ(*a.output_tokens, 500 - *a.input_tokens);
    }
  }
  EXPECT_EQ(dropped.arrivals.size(), kept);
  EXPECT_EQ(dropped.end.count, kept);
}

TEST(Marks, KeysAreZipfFromZeroAndChurnMovesThem) {
  const LawPtr zipf = zipf_law(1.1, 1000);
  std::map<uint64_t, double> counts;
  for (const auto& a : trace_of(kProcess + "--keys zipf:s=1.1,n=1000").arrivals) {
    ASSERT_LT(*a.key, 1000u);
    ++counts[*a.key];
  }
  for (const uint64_t key : {0u, 1u, 5u}) {
    const double p = zipf->cdf(static_cast<double>(key) + 1) - zipf->cdf(static_cast<double>(key));
    EXPECT_NEAR(counts[key], 20000 * p, 4 * std::sqrt(20000 * p)) << key;
  }
  const Trace still = trace_of(kProcess + "--keys zipf:n=1000,s=1.1");
  const Trace moved = trace_of(kProcess + "--keys zipf:s=1.1,n=1000 --churn 30/s");
  for (size_t k = 0; k < 20000; ++k) {
    const auto shift = static_cast<uint64_t>(moved.arrivals[k].t_ns) * 30 / 1'000'000'000;
    ASSERT_EQ(*moved.arrivals[k].key, (*still.arrivals[k].key + shift) % 1000);
  }
}

}  // namespace
}  // namespace mlq::arrival
