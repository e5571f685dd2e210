// Differences of words on the device are those of the CPU twin, byte for byte.
#include "tests/kernels/device/device_memory.h"
#include "tests/kernels/ordered_diff_inputs.h"

namespace mlq::kernels::test {
namespace {

using Bytes = std::vector<uint8_t>;

class OrderedDiffOnTheDevice : public DeviceTest {};

template <class Body>
void with_pairs(const Body& body) {
  for (const WordKind kind : kWordKinds) {
    for (const uint64_t elems : {1, 7, 2048, 2049, 70001}) {
      for (const unsigned one_in : {1, 20, 3000}) {
        SCOPED_TRACE(std::to_string(kind.width) + " bytes, " + std::to_string(elems) + ", one in " +
                     std::to_string(one_in));
        body(kind, elems, WordPair(kind, elems, one_in, elems));
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(OrderedDiffOnTheDevice, IsThatOfTheTwin) {
  with_pairs([](WordKind kind, uint64_t elems, const WordPair& pair) {
    Bytes mask((elems + 7) / 8), planes(kind.width * elems);
    const uint64_t changed =
        ordered_diff_cpu(kind, elems, pair.base.data(), pair.next.data(), mask.data(), planes.data(), elems);
    const size_t bytes = elems * kind.width;
    const DeviceBytes base(pair.base.data(), bytes), next(pair.next.data(), bytes, kind.width);
    const DeviceBytes device_mask(mask.size(), 3), count(sizeof(uint64_t));
    const DeviceBytes scratch(ordered_diff_scratch_bytes(elems));
    for (unsigned k = 0; k < kind.width; ++k)  // what is behind the changed ones stays as it was
      std::fill(planes.begin() + static_cast<long>(k * elems + changed),
                planes.begin() + static_cast<long>((k + 1) * elems), DeviceBytes::kUntouched);
    const DeviceBytes device_planes(planes.size(), 1);
    ordered_diff_cuda(kind, elems, base.data(), next.data(), device_mask.as<uint8_t>(),
                      device_planes.as<uint8_t>(), elems, count.as<uint64_t>(), scratch.data(), nullptr);
    finish();
    ASSERT_EQ(count.value<uint64_t>(), changed);
    ASSERT_EQ(difference("masks", device_mask.to_host(), mask), "");
    ASSERT_EQ(difference("planes", device_planes.to_host(), planes), "");

    ordered_patch_cuda(kind, elems, device_mask.as<uint8_t>(), device_planes.as<uint8_t>(), elems,
                       base.data(), scratch.data(), nullptr);
    finish();
    ASSERT_EQ(difference("words", base.to_host(), next.to_host()), "");
    scratch.to_host();  // throws if what is around it was written
  });
}

TEST_F(OrderedDiffOnTheDevice, XorIsThatOfTheTwin) {
  with_pairs([](WordKind kind, uint64_t elems, const WordPair& pair) {
    const size_t bytes = elems * kind.width;
    Bytes planes(bytes);
    xor_planes_cpu(kind.width, elems, pair.base.data(), pair.next.data(), planes.data());
    const DeviceBytes base(pair.base.data(), bytes, kind.width), next(pair.next.data(), bytes);
    const DeviceBytes device_planes(bytes, 5);
    xor_planes_cuda(kind.width, elems, base.data(), next.data(), device_planes.as<uint8_t>(), nullptr);
    finish();
    ASSERT_EQ(difference("planes", device_planes.to_host(), planes), "");
    xor_unplanes_cuda(kind.width, elems, device_planes.as<uint8_t>(), base.data(), nullptr);
    finish();
    ASSERT_EQ(difference("words", base.to_host(), next.to_host()), "");
  });
}

}  // namespace
}  // namespace mlq::kernels::test
