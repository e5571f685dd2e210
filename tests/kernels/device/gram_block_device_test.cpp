// Gram sums of the device have the bits of the CPU twin.
#include <memory>

#include "kernels/gram_block.h"
#include "tests/kernels/device/device_memory.h"
#include "tests/kernels/gram_inputs.h"

namespace mlq::kernels::test {
namespace {

class GramOnTheDevice : public DeviceTest {};

void compare(GramType type, const std::vector<std::vector<uint8_t>>& data, uint64_t elems) {
  const GramGroups groups = gram_groups(type, data);
  GramResult expected(groups, elems);
  const std::vector<NonFinite> none(groups.count);
  gram_blocks_cpu(groups, elems, expected.sums.data(), expected.nonfinite.data());

  GramGroups on_device = groups;
  std::vector<std::unique_ptr<DeviceBytes>> arrays;
  for (unsigned i = 0; i < groups.count; ++i) {
    arrays.push_back(std::make_unique<DeviceBytes>(data[i].data(), data[i].size(), size_of(type)));
    on_device.data[i] = arrays.back()->data();
  }
  const DeviceBytes sums(expected.sums.size() * sizeof(double));
  const DeviceBytes nonfinite(none.data(), none.size() * sizeof(NonFinite));
  gram_blocks_cuda(on_device, elems, sums.as<double>(), nonfinite.as<NonFinite>(), nullptr);
  finish();
  GramResult result(groups, elems);
  const auto sum_bytes = sums.to_host(), nonfinite_bytes = nonfinite.to_host();
  std::memcpy(result.sums.data(), sum_bytes.data(), sum_bytes.size());
  std::memcpy(result.nonfinite.data(), nonfinite_bytes.data(), nonfinite_bytes.size());
  ASSERT_EQ(difference(result, expected), "");
}

TEST_F(GramOnTheDevice, SumsHaveTheBitsOfTheTwin) {
  for (const GramType type : kGramTypes) {
    for (const unsigned count : {1U, 2U, 3U, 8U}) {
      for (const uint64_t elems : {uint64_t{1}, 9 * kGramStrip + 17, 3 * kGramBlock + 1}) {
        if (count != 2 && elems > kGramBlock) continue;
        SCOPED_TRACE(std::string(name_of(type)) + ", " + std::to_string(count) + " groups of " +
                     std::to_string(elems));
        compare(type, gram_input(type, count, elems), elems);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(GramOnTheDevice, NonFiniteElementsAreCountedAsByTheTwin) {
  for (const GramType type : kGramTypes) {
    for (const unsigned count : {2U, 3U}) {
      SCOPED_TRACE(std::string(name_of(type)) + ", " + std::to_string(count) + " groups");
      const uint64_t elems = 2 * kGramBlock + 900;
      auto data = gram_input(type, count, elems);
      std::vector<uint8_t> nan;
      append_element(type, __builtin_nan(""), nan);
      for (const uint64_t at : {uint64_t{5}, kGramBlock + 7, kGramBlock + 8, elems - 1})
        std::memcpy(&data[1][at * nan.size()], nan.data(), nan.size());
      compare(type, data, elems);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace mlq::kernels::test
