// Whole models, encoded, read back, decoded and verified.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "lib/base/error.h"
#include "tests/quant/models.h"

namespace mlq::quant::test {
namespace {

using mlq::test::slurp;
using mlq::test::TempDir;

struct Case {
  std::string name;
  Spec spec;
  ErrorBudget budget;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

Spec with(Format format, auto change) {
  Spec spec = default_spec(format);
  change(spec);
  return spec;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const FormatInfo& info : format_infos())
    if (info.format != Format::ec) all.push_back({std::string(info.name), default_spec(info.format), {}});
  all.push_back({"ec_snr", default_spec(Format::ec), {.snr_db = 25}});
  all.push_back({"ec_wide", default_spec(Format::ec), {.snr_db = 60}});
  all.push_back({"ec_rmse", default_spec(Format::ec), {.rmse = 0.05}});
  all.push_back({"ec_unpacked", with(Format::ec, [](Spec& s) { s.zstd = Zstd::off; }), {.snr_db = 25}});
  all.push_back({"int8_row", with(Format::int8, [](Spec& s) { s.block_kind = BlockKind::row; }), {}});
  all.push_back({"int4_tensor", with(Format::int4, [](Spec& s) { s.block_kind = BlockKind::tensor; }), {}});
  all.push_back({"int3_rows", with(Format::int3, [](Spec& s) { s.row_blocks = true; }), {}});
  all.push_back({"int3_zstd", with(Format::int3, [](Spec& s) { s.zstd = Zstd::match; }), {}});
  all.push_back({"int4_mse", with(Format::int4, [](Spec& s) { s.grid = kernels::Grid::mse; }), {}});
  all.push_back({"fp8_tensor", with(Format::fp8e4m3, [](Spec& s) { s.block_kind = BlockKind::tensor; }), {}});
  all.push_back({"nf4_double", with(Format::nf4, [](Spec& s) { s.double_quant = true; }), {}});
  all.push_back({"raw_zstd", with(Format::raw, [](Spec& s) { s.zstd = Zstd::automatic; }), {}});
  return all;
}

class EveryFormat : public testing::TestWithParam<Case> {
 protected:
  EncodeOptions options() const {
    EncodeOptions options;
    options.spec = GetParam().spec;
    options.budget = GetParam().budget;
    options.selection.min_elems = 16;
    options.resources.threads = 2;
    return options;
  }
};

INSTANTIATE_TEST_SUITE_P(Quant, EveryFormat, testing::ValuesIn(cases()),
                         [](const auto& param) { return param.param.name; });

std::vector<TestTensor> mixed_model() {
  std::vector<TestTensor> tensors = {normal_tensor("even.weight", Dtype::f32, {64, 128}),
                                     normal_tensor("odd.weight", Dtype::bf16, {37, 101}, 2),
                                     normal_tensor("half.weight", Dtype::f16, {5, 8, 64}, 3),
                                     normal_tensor("wide.weight", Dtype::f64, {33, 65}, 4),
                                     normal_tensor("bias", Dtype::f32, {100}, 5),
                                     {"zeros.weight", Dtype::f32, {32, 32}, std::vector<std::byte>(4096)},
                                     {"empty", Dtype::f32, {0, 4}, {}},
                                     {"scalar", Dtype::f32, {}, bytes_of(Dtype::f32, {3.5F})},
                                     {"bytes", Dtype::u8, {3}, {std::byte{1}, std::byte{2}, std::byte{255}}}};
  return tensors;
}

TEST_P(EveryFormat, IsVerifiedAndDecodesToWhatItsHashSays) {
  const TempDir dir;
  write_model(dir / "in.safetensors", mixed_model());
  const auto reports = encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options());
  ASSERT_EQ(reports.size(), 9U);
  std::vector<std::string> notes;
  EXPECT_TRUE(verify_file(dir / "out.mlq.safetensors", dir / "in.safetensors", &notes).ok());
  EXPECT_EQ(notes, std::vector<std::string>{});
  decode_file(dir / "out.mlq.safetensors", dir / "back.safetensors");
  const auto in = read_model(dir / "in.safetensors"), back = read_model(dir / "back.safetensors");
  ASSERT_EQ(in.size(), back.size());
  for (const TensorReport& report : reports) {
    const auto& decoded = back.at(report.info.name);
    ASSERT_EQ(decoded.size(), report.info.size_bytes) << report.info.name;
    if (report.coding.spec.format == Format::raw)
      EXPECT_EQ(decoded, in.at(report.info.name)) << report.info.name;
    if (report.info.name == "zeros.weight") EXPECT_EQ(decoded, in.at("zeros.weight"));
    // A small tensor is one leaf: its hash can be computed from the bytes alone.
    if (decoded.empty()) continue;
    const Digest leaf = digest_of(decoded);
    EXPECT_EQ(report.hash_decoded, hash_text(tensor_hash(leaf))) << report.info.name;
  }
}

TEST_P(EveryFormat, GivesTheSameBytesOnAnyNumberOfThreadsAndInAnyMemory) {
  const TempDir dir;
  // Large enough for several pieces.
  write_model(dir / "in.safetensors", {normal_tensor("a.weight", Dtype::bf16, {4400, 1024}),
                                       normal_tensor("b.weight", Dtype::f32, {96, 1024}, 2)});
  EncodeOptions one = options();
  one.resources.threads = 1;
  one.resources.memory_bytes = 1;
  encode_file(dir / "in.safetensors", dir / "one.mlq.safetensors", one);
  EncodeOptions many = options();
  many.resources.threads = 4;
  const auto reports = encode_file(dir / "in.safetensors", dir / "many.mlq.safetensors", many);
  EXPECT_TRUE(slurp(dir / "one.mlq.safetensors") == slurp(dir / "many.mlq.safetensors"));
  if (GetParam().spec.format != Format::raw && GetParam().spec.zstd != Zstd::match) {
    for (const TensorReport& report : reports)
      EXPECT_EQ(report.pieces, report.info.name == "a.weight" ? 2U : 1U);
  }
  EXPECT_TRUE(verify_file(dir / "many.mlq.safetensors", dir / "in.safetensors").ok());
}

TEST_P(EveryFormat, AnAuditOfAllChangesNothing) {
  const TempDir dir;
  write_model(dir / "in.safetensors", mixed_model());
  encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options());
  EncodeOptions audited = options();
  ModelReport model;
  audited.audit = 1;
  const auto reports = encode_file(dir / "in.safetensors", dir / "audited.mlq.safetensors", audited, &model);
  EXPECT_TRUE(slurp(dir / "out.mlq.safetensors") == slurp(dir / "audited.mlq.safetensors"));
  uint64_t quantized = 0;
  for (const TensorReport& report : reports)
    if (report.coding.spec.format != Format::raw) quantized += report.info.elems;
  EXPECT_EQ(model.audited_elems, quantized);
}

TEST_P(EveryFormat, NoFlippedBitIsPassedOver) {
  const TempDir dir{mlq::test::quick_folder()};
  write_model(dir / "in.safetensors",
              {normal_tensor("a.weight", Dtype::f32, {8, 80}), normal_tensor("b", Dtype::bf16, {5})});
  encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options());
  const std::string whole = slurp(dir / "out.mlq.safetensors");
  ASSERT_TRUE(verify_file(dir / "out.mlq.safetensors").ok());
  const std::string original = [&] {
    decode_file(dir / "out.mlq.safetensors", dir / "back.safetensors");
    return slurp(dir / "back.safetensors");
  }();
  size_t passed_over = 0;
  // One bit of a byte, all over header and data.
  for (size_t at = 0; at < whole.size(); at += whole.size() / 200 + 1) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    std::ofstream(dir / "bad.mlq.safetensors", std::ios::binary) << damaged;
    try {
      if (!verify_file(dir / "bad.mlq.safetensors").ok()) continue;
      // What is said of a tensor beside its values (its error, the hash of its source) is for --against to
      // check.
      decode_file(dir / "bad.mlq.safetensors", dir / "back2.safetensors");
      const bool same = slurp(dir / "back2.safetensors") == original;
      passed_over += same ? 0 : 1;
      if (!same) ADD_FAILURE() << at << ": " << damaged.substr(at > 20 ? at - 20 : 0, 40);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ExitKind::input) << error.what();
    }
  }
  EXPECT_EQ(passed_over, 0U);
}

TEST(QuantEncode, MeetsAnSnrOnHeavyTailsToo) {
  const TempDir dir;
  std::vector<float> values(200000);
  const auto raw = normal_values(Float::f32, values.size(), 7);
  std::memcpy(values.data(), raw.data(), raw.size());
  for (float& v : values) v = v * v * v;  // kurtosis 46
  write_model(dir / "in.safetensors", {{"w", Dtype::f32, {200, 1000}, bytes_of(Dtype::f32, values)}});
  for (const double snr : {12.0, 20.0, 30.0, 40.0, 60.0}) {
    EncodeOptions options;
    options.spec = default_spec(Format::ec);
    options.budget.snr_db = snr;
    const auto reports = encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options);
    EXPECT_GE(reports[0].error.snr_db, snr);
    EXPECT_LE(reports[0].error.snr_db, snr + kSnrSlackDb);
  }
}

TEST(QuantEncode, OfATensorInSeveralPiecesMeetsTheSnr) {
  const TempDir dir;
  // Not alike from one end to the other, so that a sample alone would miss.
  TestTensor tensor = normal_tensor("w", Dtype::f32, {5000, 1000});
  auto* values = reinterpret_cast<float*>(tensor.bytes.data());
  for (size_t i = 0; i < 5000 * 1000; ++i)
    values[i] *= 1.0F + static_cast<float>(i % 5) + (i % 31 == 0 ? 20.0F : 0.0F);
  write_model(dir / "in.safetensors", {tensor});
  EncodeOptions options;
  options.spec = default_spec(Format::ec);
  options.budget.snr_db = 27;
  options.resources.threads = 2;
  const auto reports = encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options);
  EXPECT_GE(reports[0].error.snr_db, 27);
  EXPECT_LE(reports[0].error.snr_db, 27 + kSnrSlackDb);
}

TEST(QuantEncode, StopsAtNaNWithItsPlaceAndBits) {
  const TempDir dir;
  std::vector<float> values(64 * 64, 1.0F);
  TestTensor tensor{"w", Dtype::f32, {64, 64}, bytes_of(Dtype::f32, values)};
  const uint32_t nan = 0xffc00001;
  std::memcpy(tensor.bytes.data() + 4 * 1234, &nan, 4);
  write_model(dir / "in.safetensors", {tensor});
  EncodeOptions options;
  options.spec = default_spec(Format::int4);
  const std::string message =
      error_of([&] { encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options); });
  EXPECT_EQ(
      message,
      "3: " + (dir / "in.safetensors") +
          ": tensor \"w\": element 1234 is NaN (bits 0xffc00001); --nonfinite keep stores such tensors as "
          "they are");
  EXPECT_EQ(dir.listing(), "in.safetensors");
  options.nonfinite = Nonfinite::keep;
  const auto kept = encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options);
  EXPECT_EQ(kept[0].coding.spec.format, Format::raw);
  EXPECT_TRUE(kept[0].fallback);
  options.nonfinite = Nonfinite::zero;
  const auto zeroed = encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options);
  EXPECT_EQ(zeroed[0].counts.nonfinite, 1U);
  EXPECT_TRUE(verify_file(dir / "out.mlq.safetensors", dir / "in.safetensors").ok());
}

TEST(QuantEncode, LeavesTheOldFileWhereTheBudgetIsMissed) {
  const TempDir dir;
  write_model(dir / "in.safetensors", {normal_tensor("w", Dtype::f32, {64, 64})});
  dir.file("out.mlq.safetensors", "old");
  EncodeOptions options;
  options.spec = default_spec(Format::ec);
  options.spec.step = 0.5;  // as a plan has it; 16.8 dB
  options.budget.snr_db = 30;
  const auto encode = [&] { encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options); };
  const std::string message = error_of(encode);
  EXPECT_EQ(
      message,
      "1: the budget is missed: tensor \"w\" has 16.84 dB, of 30; nothing was written; --force writes it");
  EXPECT_EQ(slurp(dir / "out.mlq.safetensors"), "old");
  EXPECT_EQ(dir.listing(), "in.safetensors out.mlq.safetensors");
  options.force = true;
  encode();
  EXPECT_TRUE(verify_file(dir / "out.mlq.safetensors", dir / "in.safetensors").ok());
}

TEST(QuantEncode, RefusesNamesThatCollide) {
  const TempDir dir;
  write_model(dir / "in.safetensors",
              {normal_tensor("w", Dtype::f32, {64, 64}), normal_tensor("w.mlq.codes", Dtype::f32, {4, 4})});
  EncodeOptions options;
  options.spec = default_spec(Format::int8);
  EXPECT_EQ(error_of([&] { encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options); }),
            "3: tensors \"w\" and \"w.mlq.codes\" would both become \"w.mlq.codes\"");
}

TEST(QuantEncode, SaysWhyATensorDoesNotFit) {
  const TempDir dir;
  write_model(dir / "in.safetensors", {normal_tensor("w", Dtype::f32, {64, 100})});
  EncodeOptions options;
  options.spec = default_spec(Format::int8);
  options.container = Container::safetensors;
  const auto reports = encode_file(dir / "in.safetensors", dir / "out.safetensors", options);
  EXPECT_TRUE(reports[0].fallback);
  EXPECT_EQ(reports[0].why_raw, "rows of 100 are no multiple of 64");
  options.no_fallback = true;
  EXPECT_EQ(error_of([&] { encode_file(dir / "in.safetensors", dir / "out.safetensors", options); }),
            "1: tensor \"w\": int8 does not fit: rows of 100 are no multiple of 64; without --no-fallback it "
            "is stored as "
            "it is");
}

TEST(QuantEncode, CutsIntoShardsThatAreReadAsOne) {
  const TempDir dir;
  std::vector<TestTensor> tensors;
  for (int i = 0; i < 6; ++i)
    tensors.push_back(normal_tensor(fmt::format("layer{}.weight", i), Dtype::f32, {64, 256},
                                    10 + static_cast<uint64_t>(i)));
  write_model(dir / "in.safetensors", tensors);
  EncodeOptions options;
  options.spec = default_spec(Format::int8);
  options.largest_shard = 40000;
  ModelReport model;
  encode_file(dir / "in.safetensors", dir / "out/", options, &model);
  EXPECT_EQ(model.shards.size(), 3U);
  EXPECT_TRUE(verify_file(dir / "out", dir / "in.safetensors").ok());
  decode_file(dir / "out/model.safetensors.index.json", dir / "back.safetensors");
  EXPECT_EQ(read_model(dir / "back.safetensors").size(), 6U);
}

TEST(QuantEncode, IsEndedByAStopRequestAndLeavesNothing) {
  const TempDir dir;
  write_model(dir / "in.safetensors", {normal_tensor("w", Dtype::f32, {64, 64})});
  StopFlag stop;
  stop.request(2);
  EncodeOptions options;
  options.spec = default_spec(Format::int8);
  options.resources.stop = &stop;
  ModelReport model;
  encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options, &model);
  EXPECT_TRUE(model.interrupted);
  EXPECT_EQ(dir.listing(), "in.safetensors");
}

TEST(QuantVerify, TellsAnotherSourceApart) {
  const TempDir dir;
  write_model(dir / "in.safetensors", {normal_tensor("w", Dtype::f32, {64, 64})});
  write_model(dir / "other.safetensors", {normal_tensor("w", Dtype::f32, {64, 64}, 99)});
  EncodeOptions options;
  options.spec = default_spec(Format::int8);
  encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options);
  std::vector<std::string> notes;
  EXPECT_FALSE(verify_file(dir / "out.mlq.safetensors", dir / "other.safetensors", &notes).ok());
  EXPECT_EQ(notes, std::vector<std::string>{"was encoded from other values than those it is compared with"});
}

TEST(QuantDecode, CountsWhatIsBeyondTheRangeOfF16) {
  const TempDir dir;
  write_model(dir / "in.safetensors", {normal_tensor("w", Dtype::f32, {64, 64}, 1, 1e6F)});
  EncodeOptions options;
  options.spec = default_spec(Format::int8);
  encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options);
  DecodeOptions decoding;
  decoding.dtype = Float::f16;
  decode_file(dir / "out.mlq.safetensors", dir / "half.safetensors", decoding);
  decoding.strict = true;
  const std::string message =
      error_of([&] { decode_file(dir / "out.mlq.safetensors", dir / "half2.safetensors", decoding); });
  EXPECT_EQ(message.substr(0, 3), "3: ");
  EXPECT_NE(message.find("are beyond the range of F16"), message.npos) << message;
}

}  // namespace
}  // namespace mlq::quant::test
