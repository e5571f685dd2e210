#include "lib/simigrad/dump/pattern.h"

#include <gtest/gtest.h>

#include "tests/tensorfile/files.h"

namespace mlq::simigrad {
namespace {

using tensorfile::test::error_of;

TEST(Pattern, TakesNumbersFromTheLastPartsOfAPath) {
  const Pattern pattern("step{step}/group{group}.safetensors");
  const auto address = pattern.match("/data/run7/step0120/group3.safetensors");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->step, 120U);
  EXPECT_EQ(address->group, 3U);
  EXPECT_FALSE(address->shard);
  EXPECT_TRUE(pattern.match("step1/group0.safetensors"));
}

TEST(Pattern, ReadsAllNames) {
  const auto address =
      Pattern("r{incarnation}_s{step}_g{rank}_part{shard}.npy").match("x/r1_s22_g3_part00004.npy");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->incarnation, 1U);
  EXPECT_EQ(address->step, 22U);
  EXPECT_EQ(address->group, 3U);
  EXPECT_EQ(address->shard, 4U);
}

TEST(Pattern, OtherPathsDoNotMatch) {
  const Pattern pattern("step{step}/group{group}.npy");
  for (const char* path :
       {"group0.npy", "step1/group.npy", "step1/group0.npy.zst", "step1/group0", "step/group0.npy",
        "xstep1/group0.npy", "step-1/group0.npy", "step1/group99999999999999999999.npy", ""})
    EXPECT_FALSE(pattern.match(path)) << path;
}

TEST(Pattern, BadOnesAreRefused) {
  EXPECT_EQ(error_of([] { Pattern("{step"); }), "2: \"{step\": a brace is not closed");
  EXPECT_EQ(error_of([] { Pattern("{step}{group}"); }),
            "2: \"{step}{group}\": a digit or a name follows \"}\" at once; put something else between");
  EXPECT_EQ(error_of([] { Pattern("{step}0"); }),
            "2: \"{step}0\": a digit or a name follows \"}\" at once; put something else between");
  EXPECT_EQ(
      error_of([] { Pattern("{layer}"); }),
      "2: \"{layer}\": {layer} is not known; there are {step}, {group} or {rank}, {shard}, {incarnation}");
  EXPECT_EQ(error_of([] { Pattern("{group}/{rank}"); }), "2: \"{group}/{rank}\": {rank} stands in it twice");
}

}  // namespace
}  // namespace mlq::simigrad
