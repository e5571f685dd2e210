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

}  // namespace
}  // namespace mlq::tune::test
