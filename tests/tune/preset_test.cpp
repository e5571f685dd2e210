// Presets are files that every reader of them accepts.
#include "lib/tune/preset/preset.h"

#include <gtest/gtest.h>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/tune/actuator/actuator.h"
#include "lib/tune/measure/measure_source.h"
#include "lib/tune/space/space_file.h"

namespace mlq::tune::test {
namespace {

TEST(EndpointPreset, EveryOneIsASpaceAndEndpointFile) {
  EXPECT_EQ(endpoint_presets().size(), 12u);
  const SteadyClock clock;
  for (const EndpointPreset& preset : endpoint_presets()) {
    const std::string name(preset.name);
    const std::string text = preset_text(name);
    EXPECT_EQ(text.back(), '\n') << name;
    EXPECT_EQ(preset.text.back(), '.') << name;
    const SpaceFile file = parse_space_file(text, name);
    ASSERT_NE(file.space, nullptr) << name;
    EXPECT_GE(file.space->points().size(), 4u) << name;
    EXPECT_FALSE(file.load.empty()) << name;
    ActuatorContext context;
    context.where = name + ": actuator";
    context.clock = &clock;
    context.space = file.space.get();
    EXPECT_NE(make_actuator(file.actuator, context), nullptr) << name;
    if (!file.measure.empty()) parse_measure(file.measure, name + ": measure");
    // What a start configuration sets is valid as it stands.
    if (file.start) EXPECT_TRUE(file.space->find(*file.start)) << name;
  }
}

TEST(EndpointPreset, AnUnknownOneIsAnsweredWithTheNearest) {
  const auto message = [](std::string_view name) -> std::string {
    try {
      preset_text(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ExitKind::usage);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message("tritn"), "there is no preset \"tritn\"; did you mean \"triton\"?");
  EXPECT_EQ(
      message("kubernetes"),
      "there is no preset \"kubernetes\"; there are mlq triton torchserve tfs ovms vllm sglang ray mosec "
      "mlserver llamacpp exec");
}

SpaceFile from_live(const std::string& preset, const Config& live) {
  return parse_space_file(preset_from_live(preset, live), preset);
}
std::vector<KnobValue> values(const SpaceFile& file, std::string_view name) {
  for (const Axis& axis : file.space->axes())
    if (axis.name == name) return axis.values;
  return {};
}

TEST(PresetFromLive, WhatIsSetIsTheStartAndTheMiddleOfTheRanges) {
  const SpaceFile file = from_live("torchserve", {{"workers", int64_t{12}},
                                                  {"batch_size", int64_t{128}},
                                                  {"max_batch_delay", int64_t{30}},
                                                  {"another", int64_t{1}}});
  EXPECT_EQ(config_json(*file.start), R"({"workers":12,"batch_size":128,"max_batch_delay":30})");
  EXPECT_TRUE(file.space->find(*file.start));
  const auto workers = values(file, "workers"), rows = values(file, "batch_size");
  ASSERT_EQ(workers.size(), 8u);  // as 1 to 8
  EXPECT_EQ(std::get<int64_t>(workers.front()), 9);
  ASSERT_EQ(rows.size(), 7u);  // as 1 to 64
  EXPECT_EQ(std::get<int64_t>(rows.front()), 16);
  EXPECT_EQ(values(file, "max_batch_delay").size(), 8u);  // one more than there were
}

TEST(PresetFromLive, NothingGoesBelowWhereThePresetBegins) {
  const SpaceFile file =
      from_live("vllm", {{"max_num_seqs", int64_t{16}}, {"max_num_batched_tokens", int64_t{1000}}});
  EXPECT_EQ(std::get<int64_t>(values(file, "max_num_seqs").front()), 8);
  EXPECT_EQ(values(file, "max_num_seqs").size(), 8u);
  // 1000 is no doubling of 512: it joins the values that there are. What was not read is as the preset has
  // it.
  EXPECT_EQ(values(file, "max_num_batched_tokens").size(), 8u);
  EXPECT_EQ(config_json(*file.start),
            R"({"max_num_seqs":16,"max_num_batched_tokens":1000,"gpu_memory_utilization":0.9})");
  EXPECT_TRUE(file.space->find(*file.start));
}

TEST(PresetFromLive, AServerWithoutItsKnobsIsAnotherOne) {
  EXPECT_THROW(from_live("mosec", {{"max_rows", int64_t{16}}}), Error);
}

}  // namespace
}  // namespace mlq::tune::test
