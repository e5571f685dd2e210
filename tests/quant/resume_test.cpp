// Encodings that are ended early and gone on with.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "tests/quant/models.h"

namespace mlq::quant::test {
namespace {

using mlq::test::slurp;
using mlq::test::TempDir;

void put(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// Tensors of all kinds.
std::vector<TestTensor> model() {
  return {normal_tensor("a.weight", Dtype::f32, {64, 128}),
          normal_tensor("b.weight", Dtype::bf16, {37, 101}, 2),
          {"c.empty", Dtype::f32, {0, 4}, {}},
          normal_tensor("d.bias", Dtype::f32, {10}, 5),
          normal_tensor("e.weight", Dtype::f16, {5, 8, 64}),
          {"f.bytes", Dtype::u8, {3}, std::vector<std::byte>(3)},
          {"g.zeros", Dtype::f32, {32, 32}, std::vector<std::byte>(4096)}};
}

class Resume : public testing::TestWithParam<std::string> {
 protected:
  Resume() {
    write_model(in_, model());
    options_.spec = default_spec(parse_format(format()));
    if (format() == "ec") options_.budget.snr_db = 25;
    if (format() == "raw") options_.spec.zstd = Zstd::automatic;
    if (format() == "nf4") options_.spec.double_quant = true;
    options_.selection.min_elems = 16;
    options_.resources.threads = 2;
    if (sharded()) options_.largest_shard = 10'000;
    ModelReport whole;
    whole_ = encode_file(in_, folder("whole"), options_, &whole);
    first_file_ = std::filesystem::path(whole.shards.front().file).filename();
    options_.resume = true;
  }
  std::string format() const { return GetParam().substr(0, GetParam().find('_')); }
  bool sharded() const { return GetParam().ends_with("_shards"); }
  std::string folder(const std::string& name) const { return dir_ / name + "/"; }
  std::string part() const { return folder("out") + first_file_ + ".part"; }
  std::string journal() const { return folder("out") + "model.safetensors.part.journal"; }

  // Begins to encode, and fails when `count` tensors are done.
  void begin(size_t count) {
    const tensorfile::Source source = tensorfile::open_source(in_);
    size_t done = 0;
    const auto fail = [&](const TensorReport&) {
      if (++done == count) throw environment_error("the end");
    };
    ASSERT_THROW(encode(source, folder("out"), options_, fail), Error);
    ASSERT_TRUE(std::filesystem::exists(part()));
    ASSERT_TRUE(std::filesystem::exists(journal()));
  }

  // Goes on to the end; how many tensors were done before. The result must be that of one go.
  uint64_t go_on() {
    ModelReport model;
    const std::vector<TensorReport> reports = encode_file(in_, folder("out"), options_, &model);
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(folder("whole"))) {
      names.push_back(file.path().filename());
      EXPECT_TRUE(slurp(folder("out") + names.back()) == slurp(file.path())) << names.back();
    }
    size_t files = 0;
    for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(folder("out"))) ++files;
    EXPECT_EQ(files, names.size()) << "something is left beside the output";
    expect_same(reports);
    return model.resumed;
  }

  void expect_same(const std::vector<TensorReport>& reports) const {
    ASSERT_EQ(reports.size(), whole_.size());
    for (size_t i = 0; i < reports.size(); ++i) {
      const TensorReport &a = reports[i], &b = whole_[i];
      SCOPED_TRACE(b.info.name);
      EXPECT_EQ(a.info.name, b.info.name);
      EXPECT_EQ(a.file, b.file);
      EXPECT_EQ(a.coding.spec.format, b.coding.spec.format);
      EXPECT_EQ(a.coding.step, b.coding.step);
      EXPECT_EQ(a.why_raw, b.why_raw);
      EXPECT_EQ(a.fallback, b.fallback);
      EXPECT_EQ(a.out_bytes, b.out_bytes);
      EXPECT_EQ(a.pieces, b.pieces);
      EXPECT_EQ(a.error.rms, b.error.rms);
      EXPECT_EQ(a.error.rel_rmse, b.error.rel_rmse);
      EXPECT_EQ(a.error.snr_db, b.error.snr_db);
      EXPECT_EQ(a.error.bias, b.error.bias);
      EXPECT_EQ(a.error.max_abs_err, b.error.max_abs_err);
      EXPECT_EQ(a.escapes, b.escapes);
      EXPECT_EQ(a.saturated, b.saturated);
      EXPECT_EQ(a.counts.flushed_blocks, b.counts.flushed_blocks);
      EXPECT_EQ(a.hash_source, b.hash_source);
      EXPECT_EQ(a.hash_decoded, b.hash_decoded);
    }
  }

  const TempDir dir_{mlq::test::quick_folder()};
  const std::string in_ = dir_ / "in.safetensors";
  EncodeOptions options_;
  std::vector<TensorReport> whole_;
  std::string first_file_;
};

INSTANTIATE_TEST_SUITE_P(Quant, Resume, testing::Values("int8", "ec", "nf4", "raw", "ec_shards"),
                         [](const auto& param) { return param.param; });

TEST_P(Resume, GoesOnAfterWhatIsDoneToTheSameBytes) {
  for (size_t count = 1; count < model().size(); ++count) {
    begin(count);
    EXPECT_GE(go_on(), count);
    std::filesystem::remove_all(folder("out"));
  }
}

TEST_P(Resume, CanBeStoppedAgainAndAgain) {
  begin(1);
  begin(2);
  begin(5);
  EXPECT_GE(go_on(), 5U);
}

TEST_P(Resume, WhatThePartNoLongerHoldsIsMadeAgain) {
  begin(4);
  const std::string part_file = slurp(part()), lines = slurp(journal());
  for (size_t at = 0; at < part_file.size(); at += part_file.size() / 40 + 1) {
    std::string damaged = part_file;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    put(part(), damaged);
    put(journal(), lines);
    go_on();
    std::filesystem::remove_all(folder("out"));
    begin(1);  // the other part files
  }
  put(part(), part_file.substr(0, part_file.size() / 2));
  put(journal(), lines);
  go_on();
}

TEST_P(Resume, AJournalThatIsCutOrDamagedIsBelievedAsFarAsItGoes) {
  begin(5);
  const std::string part_file = slurp(part()), lines = slurp(journal());
  for (size_t at = 0; at < lines.size(); at += 97) {
    for (const bool cut : {true, false}) {
      std::string journal_text = lines.substr(0, cut ? at : lines.npos);
      if (!cut) journal_text[at] = journal_text[at] == '7' ? '3' : '7';
      put(part(), part_file);
      put(journal(), journal_text);
      go_on();
      std::filesystem::remove_all(folder("out"));
      std::filesystem::create_directory(folder("out"));
    }
  }
  put(part(), part_file);
  put(journal(), "");
  EXPECT_EQ(go_on(), 0U);
}

TEST_P(Resume, AnotherSourceOrOtherOptionsBeginAnew) {
  begin(5);
  std::filesystem::last_write_time(in_, std::filesystem::file_time_type::clock::now());
  EXPECT_EQ(go_on(), 0U);
  begin(5);
  options_.program = "a later version";
  EXPECT_EQ(go_on(), 0U);
  begin(5);
  options_.nonfinite = Nonfinite::zero;
  ModelReport report;
  encode_file(in_, folder("out"), options_, &report);
  EXPECT_EQ(report.resumed, 0U);
}

TEST_P(Resume, ARunWithoutItLeavesNothingToGoOnWith) {
  begin(5);
  options_.resume = false;
  EXPECT_EQ(go_on(), 0U);
}

TEST(QuantResume, AnErrorKeepsWhatIsDone) {
  const TempDir dir;
  std::vector<TestTensor> tensors = model();
  tensors.push_back({"z.nan", Dtype::f32, {16}, std::vector<std::byte>(64, std::byte{0xff})});
  write_model(dir / "in.safetensors", tensors);
  EncodeOptions options;
  options.spec = default_spec(Format::int8);
  options.selection.min_elems = 16;
  options.selection.quantize_1d = true;
  options.resume = true;
  const auto encode_it = [&] { encode_file(dir / "in.safetensors", dir / "out", options); };
  EXPECT_NE(error_of(encode_it).find("NaN"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(dir / "out.part"));
  EXPECT_TRUE(std::filesystem::exists(dir / "out.part.journal"));
}

TEST(QuantResume, StreamsAreRefused) {
  const TempDir dir;
  write_model(dir / "in.safetensors", model());
  EncodeOptions options;
  options.spec = default_spec(Format::int8);
  options.resume = true;
  Output packed = Output::open(dir / "packed.zst");
  packed.write(slurp(dir / "in.safetensors"));
  packed.close();
  EXPECT_NE(error_of([&] { encode_file(dir / "packed.zst", dir / "out", options); }).find("2: --resume: "),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(dir / "out.part"));
  for (const std::string& out : {std::string("-"), std::string("/dev/null"), dir / "out.safetensors.zst"})
    EXPECT_NE(error_of([&] { encode_file(dir / "in.safetensors", out, options); }).find("2: "),
              std::string::npos)
        << out;
}

}  // namespace
}  // namespace mlq::quant::test
