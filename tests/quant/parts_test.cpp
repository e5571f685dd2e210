// Frames, nested scales, plans, hashes, schedules: the parts of an encoder.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <set>

#include "lib/base/error.h"
#include "lib/quant/frames.h"
#include "lib/quant/nested_scale.h"
#include "lib/quant/plan.h"
#include "lib/quant/schedule.h"
#include "lib/quant/tensor_meta.h"
#include "tests/quant/models.h"

namespace mlq::quant::test {
namespace {

using mlq::test::TempDir;

std::vector<std::byte> plane_of(size_t size) {
  std::vector<std::byte> plane(size);
  for (size_t i = 0; i < size; ++i) plane[i] = static_cast<std::byte>((i * 2654435761U >> 13) % 19);
  return plane;
}

TEST(Frames, ComeBackThroughTheirSeekTable) {
  FramePacker packer;
  FrameUnpacker unpacker;
  for (const size_t size :
       {size_t{1}, size_t{kFrameBytes}, size_t{kFrameBytes + 1}, size_t{3 * kFrameBytes - 7}}) {
    for (const Zstd how : {Zstd::literal, Zstd::match}) {
      const auto plane = plane_of(size);
      std::vector<std::byte> packed;
      std::vector<FrameEntry> entries;
      packer.pack(plane, how, packed, entries);
      const size_t data = packed.size();
      const auto table = seek_table(entries);
      packed.insert(packed.end(), table.begin(), table.end());
      ASSERT_LE(packed.size(), largest_packed(size));
      const auto read = read_seek_table(std::span(packed).subspan(data), size, packed.size(), "x");
      ASSERT_EQ(read.size(), frames_of(size));
      std::vector<std::byte> back(size);
      uint64_t from = 0, to = 0;
      for (const FrameEntry& entry : read) {
        unpacker.unpack(std::span(packed).subspan(from, entry.packed_bytes), entry,
                        std::span(back).subspan(to, entry.bytes), "x");
        from += entry.packed_bytes;
        to += entry.bytes;
      }
      EXPECT_TRUE(back == plane);
    }
  }
}

TEST(Frames, ATableThatDoesNotFitThePlaneIsRefused) {
  FramePacker packer;
  std::vector<std::byte> packed;
  std::vector<FrameEntry> entries;
  packer.pack(plane_of(kFrameBytes + 100), Zstd::literal, packed, entries);
  const auto table = seek_table(entries);
  const uint64_t total = packed.size() + table.size();
  EXPECT_EQ(error_of([&] { read_seek_table(table, kFrameBytes + 100, total, "x"); }), "");
  EXPECT_NE(error_of([&] { read_seek_table(table, kFrameBytes + 101, total, "x"); }), "");
  EXPECT_NE(error_of([&] { read_seek_table(table, kFrameBytes + 100, total + 1, "x"); }), "");
  EXPECT_NE(error_of([&] { read_seek_table(table, kFrameBytes - 1, total, "x"); }), "");
  for (size_t at = 0; at < table.size(); ++at) {
    auto damaged = table;
    damaged[at] ^= std::byte{4};
    const bool checksum = at >= 8 && at < table.size() - 9 && (at - 8) % 12 >= 8;
    // A wrong checksum shows when the frame is read.
    EXPECT_EQ(error_of([&] { read_seek_table(damaged, kFrameBytes + 100, total, "x"); }).empty(), checksum)
        << at;
  }
}

TEST(NestedScale, ItsTableIsSymmetricDenseAtZeroAndEndsAtOne) {
  const auto& table = nested_table();
  EXPECT_TRUE(std::is_sorted(table.begin(), table.end()));
  EXPECT_EQ(std::set<float>(table.begin(), table.end()).size(), 256U);
  EXPECT_EQ(table[255], 1.0F);
  EXPECT_EQ(table[127], 0.0F);
  for (size_t i = 0; i < 127; ++i) EXPECT_EQ(table[i], -table[254 - i]);
  EXPECT_NEAR(table[254], 0.9929688, 1e-6);  // the last midpoint of 65 values from 0.1 to 1
  EXPECT_NEAR(table[128], 0.55e-6, 1e-9);    // the only one of the smallest decade
}

TEST(NestedScale, IsWithinHalfAStepOfEveryScale) {
  std::vector<float> scales;
  for (int i = 0; i < 1000; ++i) scales.push_back(1.0F + 0.3F * std::sin(static_cast<float>(i)));
  const NestedScales nested = nested_encode(scales);
  ASSERT_EQ(nested.absmax.size(), 4U);
  const auto back = nested_decode(nested.codes, nested.absmax, nested.offset);
  for (size_t i = 0; i < scales.size(); ++i) EXPECT_NEAR(back[i], scales[i], 0.31 * 0.008) << i;
}

TEST(Allocation, WithContinuousCurvesGivesAllTheSameSlope) {
  // Reverse water-filling (Cover, Thomas, "Elements of information theory", 10.3.3): errors of 2^-2b at any
  // variance, each tensor gets the same error where that is below its variance.
  std::vector<std::vector<Point>> tensors(3);
  const double variance[] = {1, 16, 0.01}, elems[] = {1000, 500, 2000};
  for (size_t t = 0; t < 3; ++t)
    for (int i = 0; i <= 800; ++i)
      tensors[t].push_back({i * 0.01 * elems[t], elems[t] * variance[t] * std::pow(4.0, -i * 0.01)});
  const auto chosen = allocate(tensors, 3000, true);
  ASSERT_TRUE(chosen);
  double bits = 0;
  std::vector<double> error;
  for (size_t t = 0; t < 3; ++t) {
    bits += tensors[t][(*chosen)[t]].bits;
    error.push_back(tensors[t][(*chosen)[t]].error / elems[t]);
  }
  EXPECT_LE(bits, 3000);
  EXPECT_GT(bits, 2970);
  EXPECT_NEAR(error[0] / error[1], 1, 0.03);
  EXPECT_EQ(error[2], 0.01);  // under water
}

TEST(Allocation, TheDualMeetsAnErrorWithTheFewestBits) {
  std::vector<std::vector<Point>> tensors(2);
  for (int i = 0; i <= 400; ++i)
    for (auto& points : tensors) points.push_back({i * 1.0, std::pow(4.0, -i * 0.01)});
  const auto chosen = allocate(tensors, 0.02, false);
  ASSERT_TRUE(chosen);
  double error = 0;
  for (size_t t = 0; t < 2; ++t) error += tensors[t][(*chosen)[t]].error;
  EXPECT_LE(error, 0.02);
  EXPECT_GT(error, 0.0195);
  EXPECT_FALSE(allocate(tensors, 1e-9, false));
  EXPECT_FALSE(allocate(tensors, -1, true));
}

TEST(Allocation, IsAsGoodAsTryingAll) {
  // Few points on hulls: no other choice within the budget has less error than the step that fits no more
  // would save.
  std::vector<std::vector<Point>> tensors = {{{0, 10}, {2, 4}, {4, 1.5}, {8, 0.2}},
                                             {{0, 7}, {1, 5}, {3, 2.5}, {7, 1}},
                                             {{0, 3}, {5, 0.5}, {6, 0.4}}};
  for (double limit = 0; limit <= 21; ++limit) {
    const auto chosen = allocate(tensors, limit, true);
    ASSERT_TRUE(chosen);
    double bits = 0, error = 0, best = 1e9, step = 0;
    for (size_t t = 0; t < 3; ++t) {
      bits += tensors[t][(*chosen)[t]].bits;
      error += tensors[t][(*chosen)[t]].error;
      for (size_t i = 0; i + 1 < tensors[t].size(); ++i)
        step = std::max(step, tensors[t][i].error - tensors[t][i + 1].error);
    }
    for (const Point& a : tensors[0])
      for (const Point& b : tensors[1])
        for (const Point& c : tensors[2])
          if (a.bits + b.bits + c.bits <= limit) best = std::min(best, a.error + b.error + c.error);
    EXPECT_LE(bits, limit);
    EXPECT_LE(error, best + step);
  }
}

TEST(Plan, WithEcAloneGivesOneSnrOrOneStep) {
  const TempDir dir;
  write_model(dir / "in.safetensors", {normal_tensor("a", Dtype::f32, {400, 512}, 1, 1),
                                       normal_tensor("b", Dtype::f32, {300, 512}, 2, 0.03F),
                                       normal_tensor("c", Dtype::bf16, {500, 512}, 3, 4)});
  const auto source = tensorfile::open_source(dir / "in.safetensors");
  PlanOptions options;
  options.formats = {Format::ec};
  options.budget.bits = 4.5;
  const Plan relative = make_plan(source, options);
  EXPECT_NEAR(relative.bits_per_weight, 4.5, 0.02);
  for (const auto& tensor : relative.tensors)
    EXPECT_NEAR(snr_db_of(tensor.energy, tensor.chosen.noise), relative.snr_db, 0.3) << tensor.info.name;
  options.objective = Objective::absolute;
  options.budget.bits = 4.5;
  const Plan absolute = make_plan(source, options);
  EXPECT_NEAR(absolute.tensors[0].chosen.spec.step / absolute.tensors[2].chosen.spec.step, 1, 0.04);
}

TEST(Plan, SaysWhatItWouldNeed) {
  const TempDir dir;
  write_model(dir / "in.safetensors", {normal_tensor("a", Dtype::f32, {64, 128})});
  const auto source = tensorfile::open_source(dir / "in.safetensors");
  PlanOptions options;
  options.formats = {Format::int8};
  options.budget.bits = 4;
  EXPECT_EQ(error_of([&] { make_plan(source, options); }),
            "1: no plan meets the budget: the candidates need at least 8.125 bits a weight");
}

TEST(SnrForBits, IsWhatAllTensorsAreThenEncodedIn) {
  const TempDir dir;
  write_model(dir / "in.safetensors", {normal_tensor("a", Dtype::f32, {700, 1024}),
                                       normal_tensor("b", Dtype::f32, {300, 1024}, 2, 3)});
  EncodeOptions options;
  options.spec = default_spec(Format::ec);
  options.budget.snr_db = snr_for_bits(tensorfile::open_source(dir / "in.safetensors"), options, 4.4);
  ModelReport model;
  encode_file(dir / "in.safetensors", dir / "out.mlq.safetensors", options, &model);
  EXPECT_NEAR(bits_per_weight(model.quantized_bytes, model.quantized_elems), 4.4, 0.02);
}

TEST(TreeHash, NamesOrderAndShapeCount) {
  ModelHash a, b, c;
  const Digest one = digest_of({}), two = digest_of(std::as_bytes(std::span("x", 1)));
  a.add("p", "F32", {2, 3}, one);
  a.add("q", "F32", {2}, two);
  b.add("q", "F32", {2}, two);
  b.add("p", "F32", {2, 3}, one);
  c.add("p", "F32", {3, 2}, one);
  c.add("q", "F32", {2}, two);
  EXPECT_EQ(a.digest(), b.digest());
  EXPECT_NE(a.digest(), c.digest());
}

// Counts its pieces and checks their order.
class CountingWork final : public Work {
 public:
  CountingWork(size_t pieces, unsigned passes, std::atomic<int>& total, std::vector<int>& ends, int number)
      : pieces_(pieces), passes_(passes), total_(total), ends_(ends), number_(number) {}
  size_t pieces() const override { return pieces_; }
  unsigned passes() const override { return passes_; }
  void run(unsigned pass, size_t, Worker& worker) override {
    EXPECT_EQ(pass, current_.load());
    worker.compute([&] { ++total_; });
  }
  void end_pass(unsigned pass) override {
    current_ = pass + 1;
    if (pass == 0 && passes_ == 2) passes_ = 3;
  }
  void end() override { ends_.push_back(number_); }

 private:
  size_t pieces_;
  std::atomic<unsigned> passes_;
  std::atomic<unsigned> current_ = 0;
  std::atomic<int>& total_;
  std::vector<int>& ends_;
  int number_;
};

TEST(Coding, ADifferenceInAnyPlaneIsSeen) {
  const auto plane = plane_of(9);
  const auto more = plane_of(12);
  const PieceView view{plane, plane, plane, plane};
  EXPECT_TRUE(same_planes(view, view));
  EXPECT_TRUE(same_planes(view, {plane, plane, plane, more}));
  EXPECT_FALSE(same_planes({plane, plane, plane, more}, view));
  for (size_t i = 0; i < plane.size(); ++i) {
    auto other = plane;
    other[i] ^= std::byte{1};
    EXPECT_FALSE(same_planes(view, {other, plane, plane, plane}));
    EXPECT_FALSE(same_planes(view, {plane, other, plane, plane}));
    EXPECT_FALSE(same_planes(view, {plane, plane, other, plane}));
    EXPECT_FALSE(same_planes(view, {plane, plane, plane, other}));
  }
}

TEST(Schedule, DoesEveryPieceOfEveryPassInOrderOnThreads) {
  std::atomic<int> total = 0;
  std::vector<int> ends;
  std::vector<std::unique_ptr<Work>> works;
  int expected = 0;
  for (int i = 0; i < 40; ++i) {
    const size_t pieces = 1 + static_cast<size_t>(i) % 7;
    const unsigned passes = i % 3 == 0 ? 2 : 1;
    works.push_back(std::make_unique<CountingWork>(pieces, passes, total, ends, i));
    expected += static_cast<int>(pieces) * (passes == 2 ? 3 : 1);
  }
  ScheduleOptions options;
  options.compute_threads = 2;
  options.workers = 5;
  EXPECT_TRUE(run_schedule(works, options));
  EXPECT_EQ(total, expected);
  std::vector<int> in_order(40);
  for (int i = 0; i < 40; ++i) in_order[static_cast<size_t>(i)] = i;
  EXPECT_EQ(ends, in_order);
}

class FailingWork final : public Work {
 public:
  explicit FailingWork(Turnstile& turns) : turns_(turns) {}
  size_t pieces() const override { return 20; }
  void run(unsigned, size_t piece, Worker&) override {
    if (piece == 3) throw input_error("piece 3");
    turns_.wait_for(piece);
    turns_.pass();
  }

 private:
  Turnstile& turns_;
};

TEST(Schedule, AFailureWakesThoseThatWaitAndIsThrown) {
  Turnstile turns;
  std::vector<std::unique_ptr<Work>> works;
  works.push_back(std::make_unique<FailingWork>(turns));
  ScheduleOptions options;
  options.workers = 6;
  options.on_failure = [&] { turns.abort(); };
  EXPECT_EQ(error_of([&] { run_schedule(works, options); }), "3: piece 3");
}

TEST(TensorMeta, ComesBackAndStaysWithinItsRoom) {
  TensorMeta meta;
  meta.name = "a \"b\" \n";
  meta.dtype = Dtype::bf16;
  meta.shape = {100, 300};
  meta.size_bytes = 60000;
  meta.coding = unsettled_coding(default_spec(Format::nf4), Float::bf16, {100, 300});
  meta.coding.spec.double_quant = true;
  meta.coding.nested_offset = 0.1F;
  for (const Plane plane : kPlanes)
    if (plane_bytes(meta.coding, plane) > 0)
      meta.planes.push_back(
          {plane, meta.name + std::string(name_of(plane)), plane_bytes(meta.coding, plane), false});
  meta.hash_source = meta.hash_decoded = hash_text({});
  meta.rmse = 1e-300;
  const std::string json = meta_json(meta);
  EXPECT_LE(json.size(), meta_json(widest(meta)).size());
  const TensorMeta back = parse_meta(meta.name, json, "f");
  EXPECT_EQ(back.coding.spec, meta.coding.spec);
  EXPECT_EQ(back.planes, meta.planes);
  EXPECT_EQ(back.coding.nested_offset, 0.1F);
  EXPECT_EQ(meta_json(back), json);
}

TEST(TensorMeta, WhatDoesNotGoTogetherIsRefused) {
  const std::string good =
      R"({"dtype":"F32","shape":[64],"format":"int8","block":"64","blocks":"flat","grid":"absmax","scale":"bf16",)"
      R"("planes":{"codes":{"tensor":"c","bytes":64,"zstd":false},"scales":{"tensor":"s","bytes":2,"zstd":false}},)"
      R"("hash_source":"","hash_decoded":"","rmse":0,"rel_rmse":0,"max_abs_err":0})";
  EXPECT_EQ(error_of([&] { parse_meta("x", good, "f"); }), "");
  const auto changed = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return error_of([&] { parse_meta("x", text, "f"); });
  };
  const std::string tail = "; the file is damaged, or of a later version";
  EXPECT_EQ(changed("\"bytes\":64", "\"bytes\":65"),
            "3: f: mlq.t.x: plane \"codes\" does not fit format and shape" + tail);
  EXPECT_EQ(changed("[64]", "[128]"), "3: f: mlq.t.x: plane \"codes\" does not fit format and shape" + tail);
  EXPECT_EQ(changed("\"scales\":{", "\"high\":{"),
            "3: f: mlq.t.x: plane \"high\" does not fit format and shape" + tail);
  EXPECT_EQ(changed("\"scales\":{", "\"codes\":{"),
            "3: f: mlq.t.x: plane \"codes\" does not fit format and shape" + tail);
  EXPECT_EQ(changed("\"block\":\"64\"", "\"block\":\"63\"").substr(0, 30),
            "3: f: mlq.t.x: \"block\": \"63\" m");
  EXPECT_EQ(changed("F32", "U8"), "3: f: mlq.t.x: only floats can be quantized" + tail);
  EXPECT_EQ(changed("[64]", "[18446744073709551615,2]").substr(0, 2), "3:");
  EXPECT_EQ(changed("int8", "int9").substr(0, 32), "3: f: mlq.t.x: \"format\": \"int9\" ");
}

}  // namespace
}  // namespace mlq::quant::test
