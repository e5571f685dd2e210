// Patches with loss: what receivers have is what the sender knows, to the last bit, and as near to the model
// as the law of the closed loop says.
#include "lib/patch/lossy.h"

#include <cmath>
#include <filesystem>

#include "lib/patch/patched_model.h"
#include "lib/quant/tree_hash.h"
#include "tests/patch/models.h"

namespace mlq::patch::test {
namespace {

namespace fs = std::filesystem;
using kernels::Float;
using kernels::Grid;
using mlq::test::slurp;
using mlq::test::TempDir;

DiffOptions lossy(unsigned bits, std::string next_base, std::optional<Float> state = {},
                  Grid grid = Grid::sign) {
  DiffOptions options;
  options.lossy.emplace();
  options.lossy->spec.code.bits = bits;
  options.lossy->spec.code.grid = grid;
  options.lossy->state = state;
  options.lossy->next_base = std::move(next_base);
  return options;
}

// Normal weights that move by normal updates, as f32.
class Walk {
 public:
  explicit Walk(uint64_t elems) : values_(elems), elems_(elems) { step(1); }
  void step(float update) {
    const std::vector<std::byte> normal = quant::normal_values(Float::f32, elems_, ++seed_);
    for (uint64_t i = 0; i < elems_; ++i) values_[i] += update * kernels::load(Float::f32, normal.data(), i);
  }
  TestTensor tensor(Dtype dtype) const {
    return {"w", dtype, {elems_}, quant::test::bytes_of(dtype, values_)};
  }

 private:
  std::vector<float> values_;
  uint64_t elems_, seed_ = 0;
};

struct Law {
  unsigned bits;
  Grid grid;
  Float state;
  double error;
};

// White updates of 1e-3 of the weights, blocks of 64: c u / sqrt(1 - c^2), c being the relative error of the
// grid. The loop has settled by then: its memory is less than two steps, at two bits.
TEST(LossyPatch, ErrorsInTheLoopAreThoseOfTheLaw) {
  for (const Law& law : {Law{4, Grid::sign, Float::f32, 9.5e-5}, Law{4, Grid::absmax, Float::f32, 1.08e-4},
                         Law{3, Grid::sign, Float::f32, 1.95e-4}, Law{2, Grid::sign, Float::f32, 4.29e-4},
                         Law{2, Grid::mse, Float::f32, 3.8e-4}, Law{4, Grid::sign, Float::bf16, 1.7e-3}}) {
    const TempDir tmp(mlq::test::quick_folder());
    Walk walk(1 << 16);
    write_model(tmp / "held", {walk.tensor(Dtype::f32)});
    double rel_rmse = 0;
    for (int i = 0; i < 8; ++i) {
      walk.step(1e-3F);
      write_model(tmp / "next", {walk.tensor(Dtype::f32)});
      std::vector<TensorDiff> said;
      diff_files(tmp / "held", tmp / "next", tmp / ("d" + std::to_string(i)),
                 lossy(law.bits, tmp / "held", law.state, law.grid), &said);
      rel_rmse = *said.at(0).rel_rmse;
      EXPECT_EQ(said.at(0).codec, "delta");
      EXPECT_LT(said.at(0).stored_bytes, (1U << 16) * law.bits / 8 + (1U << 10) * 2);
    }
    const double tolerance = law.state == Float::f32 ? .02 : .03;
    EXPECT_NEAR(rel_rmse, law.error, tolerance * law.error) << law.bits << " bits";
  }
}

TEST(LossyPatch, LeadsReceiversToTheSendersState) {
  const TempDir tmp;
  for (const auto& [dtype, state] :
       {std::pair(Dtype::bf16, std::optional<Float>()), std::pair(Dtype::bf16, std::optional(Float::f32)),
        std::pair(Dtype::f16, std::optional(Float::bf16)),
        std::pair(Dtype::f32, std::optional(Float::f16))}) {
    Walk walk(10'000);
    write_model(tmp / "start", {walk.tensor(dtype), raw_tensor("ids", Dtype::i64, {2}, "0123456789abcdef")},
                {{"k", "v"}});
    std::vector<std::string> patches;
    std::string held = tmp / "start";
    for (int i = 1; i <= 3; ++i) {
      walk.step(1e-3F);
      write_model(
          tmp / "next",
          {walk.tensor(dtype), raw_tensor("ids", Dtype::i64, {2}, "0123456789abcde" + std::to_string(i))},
          {{"k", "w"}});
      patches.push_back(tmp / ("d" + std::to_string(i)));
      const std::string next_base = tmp / ("held" + std::to_string(i));
      diff_files(held, tmp / "next", patches.back(), lossy(4, next_base, state));
      held = next_base;
    }
    apply_files(tmp / "start", patches, tmp / "out");
    EXPECT_EQ(slurp(tmp / "out"), slurp(held));
    squash_files(tmp / "start", patches, tmp / "squashed");
    apply_files(tmp / "start", {tmp / "squashed"}, tmp / "out");
    EXPECT_EQ(slurp(tmp / "out"), slurp(held)) << "the squashed patch has no loss of its own";
  }
}

TEST(LossyPatch, KeepsTheFilesOfTheModelWhereTypesStay) {
  const TempDir tmp;
  Walk walk(5000);
  write_model(tmp / "a", {walk.tensor(Dtype::bf16)}, {{"format", "pt"}});
  walk.step(1e-3F);
  write_model(tmp / "b", {walk.tensor(Dtype::bf16)}, {{"format", "pt"}, {"step", "2"}});
  diff_files(tmp / "a", tmp / "b", tmp / "d", lossy(8, tmp / "held"));
  const std::string held = slurp(tmp / "held"), next = slurp(tmp / "b");
  ASSERT_EQ(held.size(), next.size());
  const size_t header = next.size() - 10'000;
  EXPECT_EQ(held.substr(0, header), next.substr(0, header));
}

TEST(LossyPatch, HasTheSameBytesOnAnyNumberOfThreads) {
  const TempDir tmp;
  Walk walk(kPieceWords + 5000);
  write_model(tmp / "a", {walk.tensor(Dtype::bf16)});
  walk.step(1e-3F);
  write_model(tmp / "b", {walk.tensor(Dtype::bf16)});
  diff_files(tmp / "a", tmp / "b", tmp / "one", lossy(3, tmp / "held one"));
  DiffOptions options = lossy(3, tmp / "held four");
  options.resources.threads = 4;
  diff_files(tmp / "a", tmp / "b", tmp / "four", options);
  EXPECT_EQ(slurp(tmp / "one"), slurp(tmp / "four"));
  EXPECT_EQ(slurp(tmp / "held one"), slurp(tmp / "held four"));
  apply_files(tmp / "a", {tmp / "one"}, tmp / "out", 4);
  EXPECT_EQ(slurp(tmp / "out"), slurp(tmp / "held one"));
}

TEST(LossyPatch, IsAKeyFrameWhereItMustBe) {
  const TempDir tmp;
  Walk walk(8192);
  const TestTensor before = walk.tensor(Dtype::bf16);
  write_model(tmp / "a", {before});
  walk.step(1e-3F);
  TestTensor reshaped = walk.tensor(Dtype::bf16), added = reshaped;
  reshaped.shape = {2, 4096};
  added.name = "added";
  write_model(tmp / "b", {walk.tensor(Dtype::bf16)});
  write_model(tmp / "c", {reshaped, added});
  const auto codecs = [&](const std::string& next, const DiffOptions& options) {
    std::vector<TensorDiff> said;
    diff_files(tmp / "a", next, tmp / "d", options, &said);
    apply_files(tmp / "a", {tmp / "d"}, tmp / "out");
    EXPECT_EQ(slurp(tmp / "out"), slurp(tmp / "held"));
    std::string text;
    for (const TensorDiff& tensor : said) {
      text += std::string(tensor.codec) + (tensor.key_frame ? "! " : " ");
      EXPECT_LT(*tensor.rel_rmse, .007) << "8 bits";
    }
    return text;
  };
  DiffOptions options = lossy(4, tmp / "held");
  EXPECT_EQ(codecs(tmp / "b", options), "delta ");
  EXPECT_EQ(codecs(tmp / "c", options), "key! key! ") << "of other shapes";
  options.lossy->key_frame = true;
  EXPECT_EQ(codecs(tmp / "b", options), "key! ") << "on request";
  options.lossy->key_frame = false;
  options.lossy->rekey_above = 1e-5;
  EXPECT_EQ(codecs(tmp / "b", options), "key! ") << "by its error";
}

TEST(LossyPatch, LeavesSmallTensorsAndOtherTypesWithoutLoss) {
  const TempDir tmp;
  Walk walk(5000), small(4095);
  TestTensor wide = walk.tensor(Dtype::f64), little = small.tensor(Dtype::f32);
  wide.name = "wide", little.name = "little";
  write_model(tmp / "a", {wide, little});
  walk.step(1e-3F), small.step(1e-3F);
  wide.bytes = walk.tensor(Dtype::f64).bytes, little.bytes = small.tensor(Dtype::f32).bytes;
  write_model(tmp / "b", {wide, little});
  std::vector<TensorDiff> said;
  diff_files(tmp / "a", tmp / "b", tmp / "d", lossy(2, tmp / "held", Float::bf16), &said);
  for (const TensorDiff& tensor : said) EXPECT_FALSE(tensor.rel_rmse) << tensor.name;
  EXPECT_EQ(slurp(tmp / "held"), slurp(tmp / "b"));
}

TEST(LossyPatch, RefusesWhatCannotBeCoded) {
  const TempDir tmp;
  Walk walk(5000);
  TestTensor bad = walk.tensor(Dtype::f32);
  const float nan = std::nanf("");
  std::memcpy(bad.bytes.data() + 4 * 4321, &nan, 4);
  write_model(tmp / "a", {walk.tensor(Dtype::f32)});
  write_model(tmp / "b", {bad});
  tmp.file("held", "old");
  const std::string why =
      " tensor \"w\" has NaN or infinite values, which cannot be coded; without --bits it goes as it is";
  EXPECT_EQ(error_of([&] { diff_files(tmp / "a", tmp / "b", tmp / "d", lossy(4, tmp / "held")); }),
            "3: " + (tmp / "b:") + why);
  EXPECT_EQ(error_of([&] { diff_files(tmp / "b", tmp / "a", tmp / "d", lossy(4, tmp / "held")); }),
            "3: " + (tmp / "b:") + why);
  EXPECT_EQ(slurp(tmp / "held"), "old");
  EXPECT_FALSE(fs::exists(tmp / "d"));
  EXPECT_EQ(tmp.listing(), "a b held");
}

TEST(LossyPatch, IsRefusedByAnotherBase) {
  const TempDir tmp;
  Walk walk(5000);
  write_model(tmp / "a", {walk.tensor(Dtype::bf16)});
  walk.step(1e-3F);
  write_model(tmp / "b", {walk.tensor(Dtype::bf16)});
  diff_files(tmp / "a", tmp / "b", tmp / "d", lossy(4, tmp / "held"));
  EXPECT_EQ(error_of([&] { apply_files(tmp / "b", {tmp / "d"}, tmp / "out"); }).substr(0, 1), "3");
}

// Small steps are what the loop must not lose: 10,000 of them at two and four bits, in which the weights move
// by as much as they are, and what goes over is what a patch stores.
TEST(LossyPatch, DoesNotDriftInTenThousandSteps) {
  constexpr uint64_t kElems = 1024;
  for (const auto& [bits, type, limit] :
       {std::tuple(2U, Float::f32, 6e-4), std::tuple(4U, Float::f32, 1.2e-4),
        std::tuple(4U, Float::bf16, 1.8e-3)}) {
    const LossySpec spec = {{bits, Grid::sign, Float::bf16, false}, 64};
    const std::vector<std::byte> begin = quant::normal_values(Float::f32, kElems, 1);
    std::vector<float> w(kElems);
    std::memcpy(w.data(), begin.data(), begin.size());
    std::vector<std::byte> state(size_of(type) * kElems), held;
    for (uint64_t i = 0; i < kElems; ++i) kernels::store(type, state.data(), i, w[i]);
    held = state;
    double early = 0, late = 0;
    for (int step = 1; step <= 10'000; ++step) {
      // White updates of 1e-3 and a drift of 1e-4, to one side and back.
      const std::vector<std::byte> u =
          quant::normal_values(Float::f32, kElems, static_cast<uint64_t>(step) + 1);
      for (uint64_t i = 0; i < kElems; ++i)
        w[i] += 1e-3F * kernels::load(Float::f32, u.data(), i) + (step <= 5000 ? 1e-4F : -1e-4F);
      const LossyPiece piece = encode_lossy(spec, Float::f32, std::as_bytes(std::span(w)), type, state);
      apply_lossy(spec, piece.codes, piece.scales, type, held, "test");
      ASSERT_EQ(state, held) << "step " << step;
      if (step % 1000 != 0) continue;
      double error = 0, energy = 0;
      for (uint64_t i = 0; i < kElems; ++i) {
        const double e = kernels::load(type, state.data(), i) - w[i];
        error += e * e;
        energy += static_cast<double>(w[i]) * w[i];
      }
      (step <= 5000 ? early : late) = std::max(step <= 5000 ? early : late, std::sqrt(error / energy));
    }
    EXPECT_LT(early, limit) << bits << " bits";
    EXPECT_LT(late, 1.1 * early) << bits << " bits: no more at the end than halfway";
  }
}

TEST(LossyPatch, OfScalesThatAreNoNumbersIsRefused) {
  const LossySpec spec = {{4, Grid::sign, Float::bf16, false}, 64};
  std::vector<std::byte> codes(32), scales = {std::byte{0x80}, std::byte{0x7f}}, state(128);
  EXPECT_EQ(error_of([&] { apply_lossy(spec, codes, scales, Float::bf16, state, "x"); }),
            "3: x: a scale is no finite number; the file is damaged");
}

}  // namespace
}  // namespace mlq::patch::test
