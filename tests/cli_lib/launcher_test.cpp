#include "lib/cli/launcher.h"

#include <map>

#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "lib/cli/secret.h"

namespace mlq::cli {
namespace {

Environment with(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    return at == variables.end() ? std::nullopt : std::optional(at->second);
  };
}

std::string choice(const std::optional<std::string>& option, std::map<std::string, std::string> variables) {
  try {
    const ShardChoice c = choose_shard(option, with(std::move(variables)));
    return std::to_string(c.shard) + "/" + std::to_string(c.shards) + (c.shares_stdout ? " shared" : "");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::usage);
    return "error";
  }
}

TEST(Launcher, WithoutOneAndWithoutAWordEverythingIsSent) { EXPECT_EQ(choice({}, {}), "0/1"); }

TEST(Launcher, AWordOfTheUserIsTaken) {
  EXPECT_EQ(choice("2/4", {}), "2/4");
  EXPECT_EQ(choice("0/1", {{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "4"}}), "0/1");
  for (const char* wrong : {"4/4", "x", "1", "1/0", "-1/2", "1/2/3", "autoo", "auto/x", ""}) {
    EXPECT_EQ(choice(wrong, {{"MLQ_SHARD", "0/2"}}), "error") << wrong;
  }
}

TEST(Launcher, SeveralProcessesWithoutAWordAreRefused) {
  EXPECT_EQ(choice({}, {{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "4"}}), "error");
  EXPECT_EQ(choice({}, {{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}}), "0/1");
}

TEST(Launcher, EachIsRecognised) {
  EXPECT_EQ(choice("auto", {{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "4"}}), "1/4 shared");
  EXPECT_EQ(choice("auto", {{"PMI_RANK", "2"}, {"PMI_SIZE", "3"}}), "2/3 shared");
  EXPECT_EQ(choice("auto", {{"SLURM_PROCID", "5"}, {"SLURM_STEP_NUM_TASKS", "8"}}), "5/8 shared");
  EXPECT_EQ(choice("auto/6", {{"JOB_COMPLETION_INDEX", "5"}}), "5/6");
  EXPECT_EQ(choice("auto/6", {{"PARALLEL_SEQ", "1"}}), "0/6");
  EXPECT_EQ(choice("auto", {{"MLQ_SHARD", "3/9"}}), "3/9");
}

TEST(Launcher, ASlurmBatchScriptIsNoStep) {
  const std::map<std::string, std::string> batch = {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}};
  EXPECT_EQ(choice({}, batch), "0/1");
  EXPECT_EQ(choice("auto", batch), "error");
}

TEST(Launcher, WhatItDoesNotSayMustBeSaid) {
  EXPECT_EQ(choice("auto", {{"JOB_COMPLETION_INDEX", "5"}}), "error");
  EXPECT_EQ(choice("auto", {}), "error");
  EXPECT_EQ(choice("auto/3", {{"JOB_COMPLETION_INDEX", "5"}}), "error");
  EXPECT_EQ(choice("auto", {{"PMI_RANK", "x"}, {"PMI_SIZE", "3"}}), "error");
}

TEST(Secret, ComesFromTheEnvironment) {
  const Environment environment = with({{"TOKEN", "abc"}, {"B", "d"}});
  EXPECT_EQ(reveal("Authorization: Bearer @env:TOKEN", environment), "Authorization: Bearer abc");
  EXPECT_EQ(reveal("x: @env:TOKEN-@env:B!", environment), "x: abc-d!");
  EXPECT_EQ(reveal("plain @ text", environment), "plain @ text");
  EXPECT_THROW(reveal("@env:MISSING", environment), Error);
}

TEST(Secret, IsNotInTheCommandLineOfTheRecord) {
  const std::vector<std::string> shown = redact(
      {"mlq-replay", "run", "--url", "http://me:secret@host:8000/path?key=secret", "--header",
       "Authorization: Bearer secret", "--header=X: secret", "--proxy=http://u:secret@p:1", "trace.jsonl"});
  std::string all;
  for (const std::string& word : shown) all += word + "\n";
  EXPECT_EQ(all.find("secret"), all.npos) << all;
  EXPECT_EQ(shown[3], "http://host:8000/path?...");
  EXPECT_EQ(shown[5], "Authorization: ...");
  EXPECT_EQ(shown[8], "trace.jsonl");
}

}  // namespace
}  // namespace mlq::cli
