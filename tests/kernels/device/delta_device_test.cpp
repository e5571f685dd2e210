// Closed-loop deltas on the device: the twin's codes, scales, counts and state.
#include "kernels/delta.h"
#include "tests/kernels/device/device_memory.h"
#include "tests/kernels/inputs.h"

namespace mlq::kernels::test {
namespace {

using Bytes = std::vector<uint8_t>;

class DeltaOnTheDevice : public DeviceTest {};

struct Case {
  BlockIntSpec spec;
  std::vector<BlockLayout> layouts;
};

const std::vector<BlockLayout> kLayouts = {{1, 64 * 20 + 13, 64}, {3, 200, 32},    {5, 72, 16},
                                           {7, 33, 64},           {1, 1000, 1000}, {1, 4096 + 9, 4096}};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const unsigned bits : {8u, 4u, 3u, 2u})
    for (const Grid grid : {Grid::absmax, Grid::sign}) out.push_back({{bits, grid, Float::bf16}, kLayouts});
  out.push_back({{4, Grid::sign, Float::f32}, {{1, 64 * 20 + 13, 64}}});
  out.push_back({{2, Grid::mse, Float::bf16}, {{1, 64 * 3 + 13, 64}, {3, 40, 32}}});
  return out;
}

Bytes bytes_of(const Array& array) {
  const auto* first = static_cast<const uint8_t*>(array.data());
  return {first, first + array.bytes()};
}

// `shifted`: every array begins an element after an aligned address.
void compare(const BlockIntSpec& spec, const BlockLayout& layout, const Array& w, const Array& before,
             bool shifted) {
  Bytes codes(layout.code_bytes(spec.bits)), scales(layout.blocks() * size_of(spec.scale));
  EncodeCounts counts;
  uint64_t saturated = 0;
  Array state = before;
  delta_encode_cpu(spec, layout, w.type(), w.data(), state.type(), state.data(), codes.data(), scales.data(),
                   &counts, &saturated);

  const DeviceBytes device_w(w.data(), w.bytes(), shifted ? size_of(w.type()) : 0);
  const DeviceBytes device_state(before.data(), before.bytes(), shifted ? size_of(before.type()) : 0);
  const DeviceBytes device_codes(codes.size(), shifted ? 1 : 0);
  const DeviceBytes device_scales(scales.size(), shifted ? size_of(spec.scale) : 0);
  const EncodeCounts none;
  const DeviceBytes device_counts(&none, sizeof none);
  const uint64_t zero = 0;
  const DeviceBytes cut(&zero, sizeof zero);
  delta_encode_cuda(spec, layout, w.type(), device_w.data(), before.type(), device_state.data(),
                    device_codes.as<uint8_t>(), device_scales.data(), device_counts.as<EncodeCounts>(),
                    cut.as<uint64_t>(), nullptr);
  finish();
  ASSERT_EQ(difference("codes", device_codes.to_host(), codes), "");
  ASSERT_EQ(difference("scales", device_scales.to_host(), scales), "");
  ASSERT_EQ(difference("states", device_state.to_host(), bytes_of(state)), "");
  ASSERT_EQ(cut.value<uint64_t>(), saturated);
  const auto met = device_counts.value<EncodeCounts>();
  ASSERT_EQ(met.nonfinite, counts.nonfinite);
  ASSERT_EQ(met.flushed_blocks, counts.flushed_blocks);
  ASSERT_EQ(met.scale_overflow, counts.scale_overflow);

  const DeviceBytes received(before.data(), before.bytes(), shifted ? size_of(before.type()) : 0);
  const DeviceBytes cut_again(&zero, sizeof zero);
  delta_apply_cuda(spec, layout, device_codes.as<uint8_t>(), device_scales.data(), before.type(),
                   received.data(), cut_again.as<uint64_t>(), nullptr);
  finish();
  ASSERT_EQ(difference("received states", received.to_host(), bytes_of(state)), "");
  ASSERT_EQ(cut_again.value<uint64_t>(), saturated);
}

TEST_F(DeltaOnTheDevice, HasTheBytesOfTheTwin) {
  for (const Case& c : cases())
    for (const BlockLayout& layout : c.layouts)
      for (const Float source : kFloats)
        for (const Float state : kFloats)
          for (const Input input :
               {Input::normal, Input::nonfinite, Input::huge, Input::spread, Input::small_integers}) {
            SCOPED_TRACE(std::string(name_of(input)) + " " + name_of(source) + " to " + name_of(state) +
                         ", " + std::to_string(c.spec.bits) + " bits, " + std::to_string(layout.rows) +
                         " x " + std::to_string(layout.cols) + " in blocks of " +
                         std::to_string(layout.block));
            const Array w = make_input(input, source, layout.elems());
            const Array before =
                make_input(input == Input::nonfinite ? Input::normal : input, state, layout.elems(), 1);
            compare(c.spec, layout, w, before, false);
            if (input == Input::normal) compare(c.spec, layout, w, before, true);
            if (HasFatalFailure()) return;
          }
}

}  // namespace
}  // namespace mlq::kernels::test
