// The generator: the same bytes for any number of threads, shards and seeds as promised.
#include "lib/arrival/process/generate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lib/base/error.h"
#include "tests/arrival/harness.h"
#include "tests/arrival/pinned_specs.h"
#include "tests/support/temp_dir.h"

namespace mlq::arrival {
namespace {

using test::end_of;
using test::trace_of;

// The files of the pinned specs, and the specs with their folder in.
class PinnedFolder {
 public:
  PinnedFolder() {
    for (const test::PinnedFile& file : test::pinned_files()) dir_.file(file.name, file.content);
  }
  std::string resolve(std::string spec) const {
    for (size_t at; (at = spec.find("FILES/")) != spec.npos;) spec.replace(at, 5, dir_.path().string());
    return spec;
  }

 private:
  mlq::test::TempDir dir_;
};

class Pinned : public testing::TestWithParam<test::PinnedSpec> {
 protected:
  const PinnedFolder folder_;
  const std::string spec_ = folder_.resolve(GetParam().spec);
};

TEST_P(Pinned, HasTheBytesItAlwaysHad) {
  EXPECT_EQ(end_of(spec_).trace_xxh3, GetParam().trace_xxh3) << GetParam().spec;
}

TEST_P(Pinned, IsTheSameForAnyNumberOfThreads) {
  const records::End one = end_of(spec_);
  for (const unsigned threads : {2u, 8u}) {
    const records::End many = end_of(spec_, {.threads = threads});
    EXPECT_EQ(many.trace_xxh3, one.trace_xxh3) << GetParam().spec;
    EXPECT_EQ(many.count, one.count);
    EXPECT_EQ(many.duration_ns, one.duration_ns);
  }
}

TEST_P(Pinned, HasAnotherTraceForAnotherSeed) {
  EXPECT_NE(end_of(spec_, {.seed = 2}).trace_xxh3, GetParam().trace_xxh3) << GetParam().spec;
}

std::string name_of(const testing::TestParamInfo<test::PinnedSpec>& pinned) {
  std::string name =
      std::to_string(pinned.index) + "_" + pinned.param.spec.substr(0, pinned.param.spec.find(' '));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Specs, Pinned, testing::ValuesIn(test::pinned_specs()), name_of);

// A line's text without its own index, so that lines of shards and of the whole compare.
std::string text_of(records::Arrival arrival) {
  arrival.i.reset();
  jsonl::Buffer line;
  records::write_record(line, arrival);
  return std::string(line.view());
}

TEST(Shards, TheirUnionIsTheWhole) {
  const PinnedFolder folder;
  for (const char* spec :
       {"poisson --rate 1k/s --count 40001", "poisson --rate 9/s --batch geometric:mean=5 --duration 1000s",
        "bmap --matrices FILES/bmap.json --count 20000",
        "concat --segment n=20000@1k/s --segment 20s@900/s --episode 7",
        "superpose --source 'poisson --rate 9/s --class-mix a:1' --source 'gamma --cv 2 --rate 9/s' --count "
        "20000",
        "poisson --rate 200/s --input-tokens exp:900 --output-tokens exp:200 --context 2000:drop --count "
        "20000"}) {
    const std::string resolved = folder.resolve(spec);
    const auto whole = trace_of(resolved);
    std::vector<records::Arrival> joined;
    for (uint32_t k = 0; k < 3; ++k) {
      const auto shard = trace_of(resolved, {.threads = 1 + k, .shard = k, .shards = 3});
      EXPECT_EQ(shard.run.shard, k);
      EXPECT_EQ(shard.run.shards, 3u);
      for (const auto& a : shard.arrivals) {
        ASSERT_EQ(a.i.value() % 3, k);
        joined.push_back(a);
      }
    }
    std::sort(joined.begin(), joined.end(), [](const auto& a, const auto& b) { return a.i < b.i; });
    ASSERT_EQ(joined.size(), whole.arrivals.size()) << spec;
    for (size_t k = 0; k < joined.size(); ++k)
      ASSERT_EQ(text_of(joined[k]), text_of(whole.arrivals[k])) << spec;
  }
}

TEST(Shards, AShardBeyondTheirNumberIsRefused) {
  EXPECT_EQ(test::failure_of([] {
              end_of("poisson --rate 1/s --count 1", {.shard = 3, .shards = 3});
            }).substr(0, 13),
            "2: --shard 3/");
}

TEST(Generate, SaysWhatItDid) {
  const auto trace = trace_of("gamma --cv 2 --count 100 --rate 5/s", {.seed = 77});
  EXPECT_EQ(trace.run.spec, "gamma --rate 5/s --count 100 --cv 2");
  EXPECT_EQ(trace.run.algo, kAlgo);
  EXPECT_EQ(trace.run.rng, "philox4x32-10");
  EXPECT_EQ(trace.run.seed, 77u);
  EXPECT_FALSE(trace.run.shard.has_value());
  EXPECT_EQ(trace.end.count, 100u);
  EXPECT_EQ(trace.end.duration_ns, trace.arrivals.back().t_ns);
  EXPECT_FALSE(trace.end.interrupted.has_value());
}

TEST(Generate, LastsAsLongAsAskedFor) {
  EXPECT_EQ(end_of("poisson --rate 5/s --duration 60s").duration_ns, 60'000'000'000);
  EXPECT_EQ(end_of("poisson --rate 1/h --duration 1us").duration_ns, 1000);
  EXPECT_EQ(end_of("concat --segment 60s@1/s").duration_ns, 60'000'000'000);
}

TEST(Generate, AnEmptyTraceIsATrace) {
  for (const unsigned threads : {1u, 4u}) {
    const records::End end = end_of("poisson --rate 5/s --count 0", {.threads = threads});
    EXPECT_EQ(end.count, 0u);
    EXPECT_TRUE(end.trace_xxh3.has_value());
  }
}

TEST(Generate, PlainLinesAreThoseOfTheRecordWriter) {
  // Around the lengths at which digits are added.
  const auto trace = trace_of("deterministic --gap 33333333ns --count 40");
  for (const char* spec :
       {"deterministic --gap 1ns --count 20000", "deterministic --gap 99999ns --count 3000",
        "deterministic --gap 7777777s --count 1000", "poisson --rate 1/s --count 20000"}) {
    const mlq::test::TempDir dir;
    GenerateOptions options;
    options.spec = parse_spec(spec);
    records::Writer writer(Output::open(dir / "t"), false);
    generate(options, {}, writer);
    std::string expected;
    for (const int64_t t : test::times_of(spec)) {
      records::Arrival arrival;
      arrival.t_ns = t;
      expected += text_of(arrival);
    }
    EXPECT_TRUE(mlq::test::slurp(dir / "t") == expected) << spec;
  }
  EXPECT_EQ(trace.arrivals.size(), 40u);
}

TEST(Generate, ErrorsOfWorkersReachTheCaller) {
  for (const unsigned threads : {1u, 2u, 8u}) {
    EXPECT_EQ(test::failure_of([&] {
                end_of("poisson --gap 100d --count 1000000", {.threads = threads});
              }).substr(0, 19),
              "3: times pass 2^63 ");
  }
}

TEST(Generate, StopsWhenAskedAndLeavesNoHalfFile) {
  for (const unsigned threads : {1u, 4u}) {
    const mlq::test::TempDir dir;
    for (const std::string& path : {dir / "t", std::string("/dev/null")}) {
      StopFlag stop;
      uint64_t done = 0;
      GenerateOptions options;
      options.spec = parse_spec("poisson --rate 1k/s --count inf");
      options.threads = threads;
      options.stop = &stop;
      options.progress = [&](uint64_t n) {
        done = n;
        if (n >= 100000) stop.request(2);
      };
      records::Writer writer(Output::open(path), true);
      generate(options, {}, writer);
      EXPECT_EQ(writer.count(), done);
      EXPECT_LT(done, 200000u);
    }
    EXPECT_EQ(dir.listing(), "");
  }
}

}  // namespace
}  // namespace mlq::arrival
