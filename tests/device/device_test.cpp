#include "lib/device/device.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "lib/base/error.h"

namespace mlq::device {
namespace {

TEST(Device, SaysWhyNoneCanBeUsed) {
  EXPECT_EQ(available(), unavailable_reason().empty());
  EXPECT_EQ(available(), !devices().empty());
}

TEST(Device, ThatIsNotThereIsAnErrorOfTheEnvironment) {
  try {
    open(1 << 20);
    FAIL() << "it was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::environment);
    EXPECT_NE(std::string(error.what()), "");
    if (!available()) {
      EXPECT_NE(std::string(error.what()).find(unavailable_reason()), std::string::npos);
    }
  }
}

class OnADevice : public testing::Test {
 protected:
  void SetUp() override {
    if (!available()) GTEST_SKIP() << "no GPU: " << unavailable_reason();
  }
};

TEST_F(OnADevice, CopiesComeBackAsTheyWent) {
  const Device device = open(devices().front().index);
  EXPECT_GT(device.free_bytes(), 0u);
  constexpr size_t kSize = 1'000'003;
  const PinnedBuffer there(device, kSize), back(device, kSize);
  const DeviceBuffer first(device, kSize), second(device, kSize);
  for (size_t i = 0; i < kSize; ++i) there.data()[i] = static_cast<std::byte>(i * 31 + 7);
  const Stream out(device), in(device);
  const Event event(device);
  copy_to_device(first.data(), there.data(), kSize, out);
  copy_on_device(second.data(), first.data(), kSize, out);
  event.record(out);
  in.wait(event);
  copy_to_host(back.data(), second.data(), kSize, in);
  in.sync();
  EXPECT_TRUE(event.done());
  EXPECT_EQ(std::memcmp(there.data(), back.data(), kSize), 0);
  zero(second.data(), kSize, in);
  copy_to_host(back.data(), second.data(), kSize, in);
  in.sync();
  EXPECT_EQ(std::vector<std::byte>(back.data(), back.data() + kSize), std::vector<std::byte>(kSize));
}

TEST_F(OnADevice, NoBytesAreABuffer) {
  const Device device = open(devices().front().index);
  EXPECT_EQ(DeviceBuffer(device, 0).size(), 0u);
  EXPECT_EQ(PinnedBuffer(device, 0).size(), 0u);
}

TEST_F(OnADevice, TooMuchMemoryIsAnErrorOfTheEnvironment) {
  const Device device = open(devices().front().index);
  try {
    const DeviceBuffer buffer(device, size_t{1} << 50);
    FAIL() << "it was given";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::environment);
    EXPECT_NE(std::string(error.what()).find("cudaMalloc"), std::string::npos);
  }
  EXPECT_EQ(DeviceBuffer(device, 16).size(), 16u);  // the failure is not sticky
}

}  // namespace
}  // namespace mlq::device
