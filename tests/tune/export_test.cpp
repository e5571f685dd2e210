// Policies as other programs want them.
#include "lib/tune/export/export.h"

#include <gtest/gtest.h>

#include "lib/base/error.h"

namespace mlq::tune::test {
namespace {

using records::Policy;

Policy policy(std::string level, std::string config, bool confirmed = true) {
  Policy out;
  out.level = std::move(level);
  out.config.text = std::move(config);
  out.confirmed = confirmed;
  out.trials = 12;
  out.stat_ns = 1'500'000;
  return out;
}

std::string text(std::vector<Policy> policies, ExportFormat format, std::string level = "",
                 bool all = false) {
  return export_text(policies, {format, std::move(level), all});
}

struct Refusal {
  ExitKind kind = ExitKind::done;
  std::string message;
};
Refusal refusal(std::vector<Policy> policies, ExportFormat format, std::string level = "") {
  try {
    text(std::move(policies), format, std::move(level));
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  return {};
}

const Policy kOne =
    policy("r10c0", R"({"max_num_seqs":64,"share":0.5,"enable_prefix_caching":true,"mode":"a b"})");

TEST(Export, JsonIsAnObjectOfLevelsOrOneConfiguration) {
  const std::vector<Policy> two{policy("r10c0", R"({"a":1})"), policy("r12c0", R"({"a":2})")};
  EXPECT_EQ(text(two, ExportFormat::json), "{\n\"r10c0\":{\"a\":1},\n\"r12c0\":{\"a\":2}\n}\n");
  EXPECT_EQ(text(two, ExportFormat::json, "r12c0"), "{\"a\":2}\n");
}

TEST(Export, TheLastPolicyOfALevelCounts) {
  const std::vector<Policy> twice{policy("x", R"({"a":1})"), policy("x", R"({"a":2})")};
  EXPECT_EQ(text(twice, ExportFormat::json, "x"), "{\"a\":2}\n");
  // A later one that is not confirmed takes the confirmation back.
  const std::vector<Policy> taken{policy("x", R"({"a":1})"), policy("x", R"({"a":2})", false)};
  EXPECT_EQ(refusal(taken, ExportFormat::json).kind, ExitKind::answer_no);
}

TEST(Export, EnvIsReadBackByAShell) {
  EXPECT_EQ(text({kOne}, ExportFormat::env),
            "MAX_NUM_SEQS=64\nSHARE=0.5\nENABLE_PREFIX_CACHING=true\nMODE=\"a b\"\n");
  EXPECT_EQ(text({policy("x", R"({"a.b":"$x`\"\\"})")}, ExportFormat::env), "A_B=\"\\$x\\`\\\"\\\\\"\n");
  EXPECT_EQ(refusal({policy("x", R"({"a.b":1,"a_b":2})")}, ExportFormat::env).message,
            "knobs \"a.b\" and \"a_b\" would both be A_B");
}

TEST(Export, ArgumentsStandOneALine) {
  EXPECT_EQ(text({kOne}, ExportFormat::argv),
            "--max_num_seqs=64\n--share=0.5\n--enable_prefix_caching=true\n--mode=a b\n");
  EXPECT_EQ(text({kOne}, ExportFormat::vllm_flags),
            "--max-num-seqs=64\n--share=0.5\n--enable-prefix-caching\n--mode=a b\n");
  EXPECT_EQ(text({policy("x", R"({"a_b":false})")}, ExportFormat::vllm_flags), "--no-a-b\n");
  EXPECT_EQ(refusal({policy("x", R"({"a":"x\ny"})")}, ExportFormat::argv).kind, ExitKind::input);
}

TEST(Export, PbtxtPutsKnobsWhereTritonHasThem) {
  EXPECT_EQ(text({policy("x", R"({"max_batch_size":16,"max_queue_delay_microseconds":500,"instance_count":2,)"
                              R"("intra_op_thread_count":4,"preferred_batch_size":8,"note":"a\"b"})")},
                 ExportFormat::pbtxt),
            "max_batch_size: 16\n"
            "instance_group [\n  { count: 2 }\n]\n"
            "dynamic_batching {\n  preferred_batch_size: [ 8 ]\n  max_queue_delay_microseconds: 500\n}\n"
            "parameters {\n  key: \"intra_op_thread_count\"\n  value: { string_value: \"4\" }\n}\n"
            "parameters {\n  key: \"note\"\n  value: { string_value: \"a\\\"b\" }\n}\n");
  EXPECT_EQ(text({policy("x", R"({"max_batch_size":0,"delay_us":5})")}, ExportFormat::pbtxt),
            "max_batch_size: 0\n");
  EXPECT_EQ(refusal({policy("x", R"({"max_batch_size":1.5})")}, ExportFormat::pbtxt).message,
            "knob \"max_batch_size\" is 1.5, but max_batch_size must be a whole number");
}

TEST(Export, ATableHasARowALevel) {
  EXPECT_EQ(text({policy("r10c0", R"({"rows":8})"), policy("r9c0", R"({"rows":16,"delay":5})", false)},
                 ExportFormat::table, "", true),
            "level  rows  delay  statistic  trials  confirmed\n"
            "r10c0  8     -      1.5ms      12      yes\n"
            "r9c0   16    5      1.5ms      12      no\n");
}

TEST(Export, SeveralLevelsNeedAChoiceWhereOneConfigurationGoes) {
  const std::vector<Policy> two{policy("r10c0", R"({"a":1})"), policy("r12c0", R"({"a":2})")};
  const Refusal several = refusal(two, ExportFormat::env);
  EXPECT_EQ(several.kind, ExitKind::usage);
  EXPECT_EQ(several.message, "--to env holds one configuration; choose one with --level: r10c0 r12c0");
  EXPECT_EQ(text(two, ExportFormat::env, "r12c0"), "A=2\n");
  EXPECT_EQ(refusal(two, ExportFormat::env, "r11c0").message,
            "--level: there is no level \"r11c0\"; did you mean \"r10c0\"?");
  EXPECT_EQ(refusal(two, ExportFormat::env, "single").message,
            "--level: there is no level \"single\"; there are r10c0 r12c0");
}

TEST(Export, WhatIsNotConfirmedIsAskedForByName) {
  const std::vector<Policy> open{policy("x", R"({"a":1})", false)};
  const Refusal refused = refusal(open, ExportFormat::json);
  EXPECT_EQ(refused.kind, ExitKind::answer_no);
  EXPECT_EQ(refused.message,
            "no configuration is confirmed; there is one that is not, which --unconfirmed takes too");
  EXPECT_EQ(text(open, ExportFormat::json, "", true), "{\n\"x\":{\"a\":1}\n}\n");
  EXPECT_EQ(refusal({}, ExportFormat::json).message,
            "there is no policy yet; a search that comes to its end leaves one");
}

}  // namespace
}  // namespace mlq::tune::test
