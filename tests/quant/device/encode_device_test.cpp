// A model encoded by a device's kernels is the file, and has the reports, of the CPU.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "lib/base/error.h"
#include "lib/device/device.h"
#include "tests/quant/models.h"

namespace mlq::quant::test {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

// What encode() wrote and said.
struct Encoded {
  std::string file, reports;
};

Encoded encoded(const std::string& in, const std::string& out, EncodeOptions options,
                const std::optional<device::Device>& device) {
  options.resources.device = device;
  options.program = "test";
  options.selection.quantize_1d = true;
  Encoded result;
  const tensorfile::Source source = tensorfile::open_source(in);
  encode(source, out, options, [&](const TensorReport& t) {
    result.reports +=
        fmt::format("{} {} {} {} {} {} {} {} {} {} {}\n", t.info.name, t.hash_source, t.hash_decoded,
                    t.error.rms, t.error.rmse, t.error.bias, t.error.max_abs_err, t.saturated, t.escapes,
                    t.counts.flushed_blocks, t.counts.nonfinite);
  });
  result.file = content(out);
  return result;
}

class EncodeDevice : public testing::Test {
 protected:
  void SetUp() override {
    if (!device::available()) GTEST_SKIP() << device::unavailable_reason();
  }

  void expect_same(const std::vector<TestTensor>& tensors, const EncodeOptions& options,
                   const std::string& what) {
    const mlq::test::TempDir dir;
    write_model(dir / "in.safetensors", tensors);
    const Encoded cpu = encoded(dir / "in.safetensors", dir / "cpu.mlq.safetensors", options, {});
    const Encoded device =
        encoded(dir / "in.safetensors", dir / "device.mlq.safetensors", options, device::open());
    EXPECT_TRUE(cpu.file == device.file) << what << ": the files differ";
    EXPECT_EQ(cpu.reports, device.reports) << what;
  }
};

// Every kind of a block's place: tails, short rows, one element, none, and what no device is asked for.
std::vector<TestTensor> some_tensors() {
  std::vector<TestTensor> tensors = {
      normal_tensor("a", Dtype::f32, {70, 129}, 1), normal_tensor("b", Dtype::bf16, {64, 128}, 2, 0.02f),
      normal_tensor("c", Dtype::f16, {5000}, 3), normal_tensor("d", Dtype::f64, {4096}, 4),
      normal_tensor("e", Dtype::bf16, {33, 257}, 5, 10)};
  std::vector<float> odd(8192, 0.0f);
  odd[17] = 1e-30f, odd[5000] = -448, odd[5001] = 3e38f, odd[8191] = 1e-40f;
  tensors.push_back({"odd", Dtype::f32, {8192}, bytes_of(Dtype::f32, odd)});
  return tensors;
}

TEST_F(EncodeDevice, EveryFormatHasTheBytesOfTheCpu) {
  for (const FormatInfo& info : format_infos()) {
    if (info.format == Format::raw) continue;
    EncodeOptions options;
    options.spec = default_spec(info.format);
    if (info.format == Format::ec) options.spec.step = 0.05;
    expect_same(some_tensors(), options, std::string(info.name));
  }
}

TEST_F(EncodeDevice, WhatAFormatCanBeToldToo) {
  const auto with = [](Format format, auto set) {
    Spec spec = default_spec(format);
    set(spec);
    return spec;
  };
  for (const Spec& spec :
       {with(Format::int8, [](Spec& s) { s.block_kind = BlockKind::tensor; }),
        with(Format::int8, [](Spec& s) { s.block_kind = BlockKind::row; }),
        with(Format::int4, [](Spec& s) { s.row_blocks = true; }),
        with(Format::int4, [](Spec& s) { s.grid = kernels::Grid::mse; }),
        with(Format::int3, [](Spec& s) { s.positive_scales = true, s.scale = Float::f32; }),
        with(Format::nf4, [](Spec& s) { s.double_quant = true; }),
        with(Format::fp4, [](Spec& s) { s.double_quant = true, s.order = kernels::NibbleOrder::high_first; }),
        with(Format::fp8e4m3, [](Spec& s) { s.block_kind = BlockKind::tensor, s.scale = Float::f32; }),
        with(Format::ec, [](Spec& s) { s.step = 1e-4, s.zstd = Zstd::off; }),
        with(Format::ec, [](Spec& s) { s.step = 2; })}) {
    EncodeOptions options;
    options.spec = spec;
    expect_same(some_tensors(), options, std::string(format_info(spec.format).name) + " " + block_text(spec));
  }
}

TEST_F(EncodeDevice, PiecesFollowEachOther) {
  EncodeOptions options;
  options.spec = default_spec(Format::ec);
  options.spec.step = 0.02;
  expect_same({normal_tensor("a", Dtype::bf16, {2100, 2048}), normal_tensor("b", Dtype::f32, {100, 64}, 2)},
              options, "two pieces, then a smaller one");
}

TEST_F(EncodeDevice, ABudgetIsMetByTheSameBytes) {
  EncodeOptions options;
  options.spec = default_spec(Format::ec);
  options.budget.snr_db = 25;
  std::vector<TestTensor> tensors = some_tensors();
  tensors.pop_back();
  expect_same(tensors, options, "--snr");
}

TEST_F(EncodeDevice, AnAuditAgrees) {
  EncodeOptions options;
  options.spec = default_spec(Format::ec);
  options.spec.step = 0.05;
  options.audit = 1;
  expect_same(some_tensors(), options, "ec");
  options.spec = default_spec(Format::nf4);
  options.spec.double_quant = true;
  expect_same(some_tensors(), options, "nf4");
}

TEST_F(EncodeDevice, NotFiniteIsRefusedInTheSameWords) {
  const mlq::test::TempDir dir;
  std::vector<float> values(5000, 1.0f);
  values[4321] = std::numeric_limits<float>::infinity();
  write_model(dir / "in.safetensors", {{"w", Dtype::f32, {5000}, bytes_of(Dtype::f32, values)}});
  EncodeOptions options;
  options.spec = default_spec(Format::int8);
  std::string said[2];
  for (const bool device : {false, true}) {
    try {
      encoded(dir / "in.safetensors", dir / "out.mlq.safetensors", options,
              device ? std::optional(device::open()) : std::nullopt);
    } catch (const Error& error) {
      said[device] = error.what();
    }
  }
  EXPECT_NE(said[0].find("element 4321 is infinite"), std::string::npos) << "said: " << said[0];
  EXPECT_EQ(said[0], said[1]);
}

}  // namespace
}  // namespace mlq::quant::test
