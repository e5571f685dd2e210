// The sums of a step: their tree, their bits whatever the way, and what is met on it.
#include "lib/simigrad/gram/measure.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "lib/simigrad/gram/dump_source.h"
#include "lib/simigrad/gram/gram_record.h"
#include "lib/simigrad/gram/sum_tree.h"
#include "lib/simigrad/synth/gradient.h"
#include "tests/simigrad/dump_files.h"

namespace mlq::simigrad {
namespace {

using tensorfile::Dtype;
using tensorfile::test::error_of;
using test::dump_of;
using test::place;

// The tree by its definition: split at the largest power of two below the count.
double tree(std::span<const double> x) {
  if (x.empty()) return 0;
  if (x.size() == 1) return x[0];
  size_t half = 1;
  while (2 * half < x.size()) half *= 2;
  return tree(x.first(half)) + tree(x.subspan(half));
}

TEST(SumTree, IsSplitAtPowersOfTwo) {
  std::vector<double> x;
  SumTree sums(1);
  EXPECT_EQ(sums.total(), std::vector<double>{0});
  for (int i = 0; i < 70; ++i) {
    x.push_back(std::ldexp(1.0 + 0.37 * (i * 7919 % 101), i * 31 % 60));
    sums.add({&x.back(), 1});
    EXPECT_EQ(sums.total()[0], tree(x)) << x.size();
  }
}

class MeasureTest : public testing::Test {
 protected:
  std::string folder() const { return dir_.path().string(); }
  Step step_of(const std::vector<std::string>& paths) {
    const DumpSet set = find_dumps(paths, options_);
    return std::move(open_step(set.steps.at(0), set.groups, options_).step);
  }
  // Two groups or more of several tensors, one of them of more than a block.
  Step gaussian(uint64_t groups, Dtype dtype = Dtype::f32, DumpFormat format = DumpFormat::safetensors) {
    GradientLaw law;
    law.law.groups = groups;
    law.law.d_eff = 150'000;
    law.params = 200'000;
    law.tensors = format == DumpFormat::npy ? 1 : 3;
    std::vector<std::string> paths;
    for (uint64_t group = 0; group < groups; ++group)
      paths.push_back(write_dump(law, 1, 0, group, dtype, format, folder()).path);
    if (format == DumpFormat::npy) options_.group_samples = {64};
    return step_of(paths);
  }
  mlq::test::TempDir dir_;
  DumpOptions options_;
};

TEST_F(MeasureTest, SumsGoOnOverBlocksAndTensorsInTheTree) {
  const Step step = gaussian(2);
  // Each tensor whole, through the twin.
  const unsigned width = kernels::gram_sums(2);
  std::vector<std::vector<double>> tensors(width);
  for (const Leaf& leaf : step.leaves) {
    kernels::GramGroups groups;
    groups.count = 2;
    std::vector<std::vector<std::byte>> data(2);
    for (unsigned i = 0; i < 2; ++i) {
      const Leaf::Place& at = leaf.places[i];
      data[i].resize(step.info(at).size_bytes);
      step.sources[at.source].read(at.tensor, 0, data[i]);
      groups.data[i] = data[i].data();
      groups.samples[i] = 64;
    }
    groups.per_batch = 1.0 / 128;
    std::vector<double> sums(kernels::gram_blocks(leaf.elems) * width);
    std::vector<kernels::NonFinite> nonfinite(2);
    kernels::gram_blocks_cpu(groups, leaf.elems, sums.data(), nonfinite.data());
    for (unsigned s = 0; s < width; ++s) {
      std::vector<double> blocks;
      for (size_t at = s; at < sums.size(); at += width) blocks.push_back(sums[at]);
      tensors[s].push_back(tree(blocks));
    }
  }
  const Measured measured = measure(step, {}).value();
  for (unsigned s = 0; s < width; ++s) EXPECT_EQ(measured.sums[s], tree(tensors[s])) << s;
}

TEST_F(MeasureTest, BitsAreTheSameOnAnyNumberOfThreadsAndInEveryWayOfReading) {
  for (const uint64_t groups : {2, 3}) {
    const Step step = gaussian(groups);
    const std::vector<double> expected = measure(step, {}).value().sums;
    for (const unsigned threads : {1, 2, 8}) {
      for (const Io io : {Io::automatic, Io::mmap, Io::read, Io::direct}) {
        for (const uint64_t memory : {uint64_t{64} << 20, uint64_t{1} << 20}) {
          MeasureOptions options;
          options.threads = threads;
          options.io = io;
          options.memory_bytes = memory;
          try {
            EXPECT_EQ(measure(step, options).value().sums, expected)
                << threads << " threads, io " << static_cast<int>(io) << ", " << memory;
          } catch (const Error& error) {
            // Some file systems cannot be read past the cache.
            EXPECT_EQ(io, Io::direct);
            EXPECT_EQ(error.kind(), ExitKind::environment);
          }
        }
      }
    }
  }
}

TEST_F(MeasureTest, BitsAreTheSameOnADevice) {
  if (!device::available()) GTEST_SKIP() << "no GPU: " << device::unavailable_reason();
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::f16, Dtype::f64}) {
    for (const uint64_t groups : {2, 3}) {
      const Step step = gaussian(groups, dtype);
      MeasureOptions options;
      options.threads = 2;
      const std::vector<double> expected = measure(step, options).value().sums;
      options.device = device::open();
      EXPECT_EQ(measure(step, options).value().sums, expected);
    }
  }
}

TEST_F(MeasureTest, AnNpyFileOfTheSameElementsGivesTheSameBits) {
  options_.include = tensorfile::Names("include", {});
  const std::vector<double> npy = measure(gaussian(2, Dtype::f32, DumpFormat::npy), {}).value().sums;
  GradientLaw law;
  law.law.d_eff = 150'000;
  law.params = 200'000;
  std::vector<std::string> paths;
  for (uint64_t group = 0; group < 2; ++group)
    paths.push_back(write_dump(law, 1, 0, group, Dtype::f32, DumpFormat::safetensors, folder()).path);
  options_.group_samples.clear();
  EXPECT_EQ(measure(step_of(paths), {}).value().sums, npy);
}

TEST_F(MeasureTest, StridedTensorsAreTakenInTheOrderOfTheirIndices) {
  // 2 x 3 in Fortran order, and the same as it lies in C order.
  const float fortran[] = {1, 4, 2, 5, 3, 6}, c[] = {1, 2, 3, 4, 5, 6};
  const auto bytes = [](const float* x) { return std::string(reinterpret_cast<const char*>(x), 24); };
  using tensorfile::test::npy;
  dir_.file("f.npy", npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", bytes(fortran)));
  dir_.file("c.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", bytes(c)));
  options_.group_samples = {8};
  const Step strided = step_of({dir_ / "f.npy"}), dense = step_of({dir_ / "c.npy"});
  for (const Io io : {Io::automatic, Io::read}) {
    MeasureOptions options;
    options.io = io;
    EXPECT_EQ(measure(strided, options).value().sums, measure(dense, options).value().sums);
  }
}

TEST_F(MeasureTest, ViewsOfATorchFileAreMeasured) {
  options_.group_samples = {8};
  const Step step = step_of({MLQ_SOURCE_DIR "/tests/data/torch/views.pt"});
  std::map<std::string, double> squares;
  measure(step, {}, [&](const std::string& name, std::span<const Leaf>, const Measured& m) {
    squares[name] = m.sums[0];
  });
  EXPECT_EQ(squares["part"], 10 * 10 + 11 * 11 + 12 * 12 + 13 * 13 + 14 * 14);
  EXPECT_EQ(squares["column"], 3 * 3 + 13 * 13 + 23 * 23 + 33 * 33);
  EXPECT_EQ(squares["transposed"], 20 * 20 + 21 * 21 + 22 * 22 + 23 * 23 + 24 * 24 + 25 * 25);
  EXPECT_EQ(squares["list.0"], 99 * 99);
}

TEST_F(MeasureTest, APartOfATensorIsALeafOfTheTree) {
  dir_.file("p0.safetensors", dump_of(place(0, 0, 1), {{"w", {3}}, {"a", {1}}}));
  dir_.file("p1.safetensors", dump_of(place(0, 0, 1), {{"w", {4, 12}}}));
  options_.split = tensorfile::Names("split", {"w"});
  std::map<std::string, double> squares;
  const Measured all = measure(step_of({folder()}), {},
                               [&](const std::string& name, std::span<const Leaf> parts, const Measured& m) {
                                 squares[name] = m.sums[0];
                                 EXPECT_EQ(parts.size(), name == "w" ? 2U : 1U);
                               })
                           .value();
  EXPECT_EQ(all.sums[0], 170);
  EXPECT_EQ(squares, (std::map<std::string, double>{{"a", 1}, {"w", 169}}));
}

TEST_F(MeasureTest, NoElementsAreNoTrouble) {
  dir_.file("a.safetensors", dump_of(place(0, 0, 1), {{"empty", {}}, {"w", {2}}}));
  EXPECT_EQ(measure(step_of({folder()}), {}).value().sums, (std::vector<double>{4, 0}));
}

TEST_F(MeasureTest, WhatIsNotFiniteIsCountedAndItsFirstPlaceIsKept) {
  const float nan = std::nanf(""), inf = HUGE_VALF;
  dir_.file("a.safetensors", dump_of(place(0, 0), {{"a", {1, 2, 3}}, {"b", {1, 1, 1}}}));
  dir_.file("b.safetensors", dump_of(place(0, 1), {{"a", {1, nan, inf}}, {"b", {-inf, 1, 1}}}));
  const Step step = step_of({folder()});
  const Measured measured = measure(step, {}).value();
  EXPECT_EQ(measured.nonfinite_count(), 3U);
  EXPECT_EQ(measured.nonfinite[0].count, 0U);
  EXPECT_EQ(measured.nonfinite[1].tensor, "a");
  EXPECT_EQ(measured.nonfinite[1].index, 1U);
  const records::Gram gram = gram_record(step, measured, "here");
  EXPECT_FALSE(gram.gram);
  EXPECT_FALSE(gram.between_ss);
  EXPECT_EQ(gram.nonfinite, 3U);
  EXPECT_EQ(gram.note, "nonfinite: group 1, tensor \"a\", element 1");
}

TEST_F(MeasureTest, ARecordSaysWhatItsSumsCannotTell) {
  dir_.file("a.safetensors", dump_of(place(0, 0), {{"w", {3, 4}}}));
  dir_.file("b.safetensors", dump_of(place(0, 1), {{"w", {0, 0}}}));
  Step step = step_of({folder()});
  records::Gram gram = gram_record(step, measure(step, {}).value(), "here");
  EXPECT_EQ(gram.note, "zero_norm");
  EXPECT_EQ(gram.zero_groups, 1U);
  EXPECT_EQ(gram.gram, (std::vector<double>{25, 0, 0}));
  EXPECT_EQ(gram.between_ss, 100);  // 8 samples each, half of the distance away
  EXPECT_EQ(gram.sum, "f64-16x64x64");
  EXPECT_FALSE(gram.group_samples);
  dir_.file("b.safetensors", dump_of(place(0, 1, 2, 24), {{"w", {0, 0}}}));
  step = step_of({folder()});
  gram = gram_record(step, measure(step, {}).value(), "here");
  EXPECT_EQ(gram.group_samples, (std::vector<uint64_t>{8, 24}));
  EXPECT_EQ(gram.batch_samples, 32U);
  EXPECT_EQ(gram.between_ss, 150);  // 8 * 24 / 32 * 25
  dir_.file("c.safetensors", dump_of(place(7, 0, 1), {{"w", {1}}}));
  step = step_of({dir_ / "c.safetensors"});
  EXPECT_EQ(gram_record(step, measure(step, {}).value(), "here").note, "one_group");
}

TEST_F(MeasureTest, TooLittleMemoryIsAUsageError) {
  const Step step = gaussian(2);
  MeasureOptions options;
  options.memory_bytes = 1000;
  EXPECT_EQ(error_of([&] { measure(step, options); }), "2: --memory: 2 groups need 532480 bytes at least");
}

TEST_F(MeasureTest, AStopRequestEndsIt) {
  const Step step = gaussian(2);
  StopFlag stop;
  stop.request(2);
  MeasureOptions options;
  options.stop = &stop;
  EXPECT_FALSE(measure(step, options));
}

TEST_F(MeasureTest, AFileThatHasBecomeShorterEndsItWithItsName) {
  for (const Io io : {Io::mmap, Io::read}) {
    const Step step = gaussian(2);
    const std::string path = dir_ / "step0/group1.safetensors";
    std::filesystem::resize_file(path, 100'000);
    MeasureOptions options;
    options.io = io;
    options.threads = 2;
    const std::string message = error_of([&] { measure(step, options); }, folder());
    EXPECT_TRUE(message.starts_with("4: step0/group1.safetensors: has become shorter than byte ")) << message;
  }
}

TEST_F(MeasureTest, AFileThatWasChangedMeanwhileIsRefused) {
  const Step step = gaussian(2);
  const std::string path = dir_ / "step0/group0.safetensors";
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(10));
  EXPECT_EQ(error_of([&] { measure(step, {}); }, folder()),
            "3: step0/group0.safetensors: was changed while it was read; run again when nobody writes to it");
}

TEST(MappedFile, PagesThatAreNotThereAreZerosAndAreKnown) {
  const mlq::test::TempDir dir;
  const std::string path = dir.file("a", std::string(100'000, 'x'));
  const auto file = tensorfile::open_byte_file(path);
  const MappedFile mapped(file->descriptor(), file->size(), path);
  const MappedFile other(file->descriptor(), 5000, path);
  std::filesystem::resize_file(path, 5000);
  EXPECT_EQ(mapped.data()[4000], std::byte{'x'});
  EXPECT_TRUE(mapped.good());
  EXPECT_EQ(mapped.data()[50'000], std::byte{0});
  EXPECT_EQ(mapped.data()[99'999], std::byte{0});
  EXPECT_FALSE(mapped.good());
  EXPECT_TRUE(other.good()) << "another mapping knows nothing of it";
}

TEST(MappedFileDeathTest, OtherBusErrorsAreFatalAsEver) {
  const mlq::test::TempDir dir;
  const std::string path = dir.file("a", std::string(10'000, 'x'));
  const auto file = tensorfile::open_byte_file(path);
  EXPECT_EXIT(
      {
        const MappedFile ours(file->descriptor(), 10'000, path);
        auto* theirs = static_cast<volatile char*>(
            ::mmap(nullptr, 10'000, PROT_READ, MAP_SHARED, file->descriptor(), 0));
        std::filesystem::resize_file(path, 0);
        static_cast<void>(theirs[9000]);
      },
      // AddressSanitizer reports the signal and exits.
      [](int status) {
        return testing::KilledBySignal(SIGBUS)(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0);
      },
      "");
}

TEST_F(MeasureTest, DumpsBecomeRecordsInTheirOrderAndMissingGroupsArePassedOver) {
  for (const uint64_t step : {2, 1, 3})
    for (const uint64_t group : {0, 1})
      if (step != 2 || group != 0)
        dir_.file(fmt::format("{}{}.safetensors", step, group),
                  dump_of(place(step, group), {{"w", {1, static_cast<float>(group)}}}));
  std::vector<uint64_t> missing;
  DumpEvents events;
  events.missing = [&](const records::MissingGroup& m) { missing = {m.step, m.group}; };
  DumpSource source(find_dumps({folder()}, options_), options_, {}, events);
  records::Gram gram;
  std::vector<uint64_t> steps;
  while (source.next(gram)) steps.push_back(gram.step);
  EXPECT_EQ(steps, (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(missing, (std::vector<uint64_t>{2, 0}));
  EXPECT_EQ(source.incomplete_steps(), 1U);
  EXPECT_EQ(gram.gram, (std::vector<double>{1, 1, 2}));
}

// 100,000 samples a group on a noise scale of 10: the groups are so alike that bf16 shows in their distance.
TEST_F(MeasureTest, RoundingThatLooksLikeNoiseIsToldOnce) {
  GradientLaw law;
  law.law.samples = 100'000;
  law.law.b_simple = 10;
  law.law.d_eff = 5000;
  law.params = 5000;
  law.uniform = true;
  const auto measured = [&](Dtype dtype, std::vector<std::string>& warnings) {
    const std::string to = folder() + "/" + std::string(dtype_name(dtype));
    std::filesystem::create_directory(to);
    for (const uint64_t step : {0, 1})
      for (const uint64_t group : {0, 1}) write_dump(law, 3, step, group, dtype, DumpFormat::safetensors, to);
    DumpEvents events;
    events.warn = [&](const std::string& text) { warnings.push_back(text); };
    DumpSource source(find_dumps({to}, options_), options_, {}, events);
    records::Gram gram;
    EXPECT_TRUE(source.next(gram));
    const double s = *gram.between_ss;
    EXPECT_TRUE(source.next(gram));
    return s;
  };
  std::vector<std::string> warnings;
  const double exact = measured(Dtype::f32, warnings);
  EXPECT_TRUE(warnings.empty());
  const double rounded = measured(Dtype::bf16, warnings);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("rounding to BF16"), std::string::npos) << warnings[0];
  // All elements are near 1/sqrt(5000) = 1.81 2^-7, of which the spacing is 2^-14: n P spacing^2 / 12 is
  // expected, give or take its product with the noise, of the spread 2 sqrt(10 * 0.155 / 5000).
  EXPECT_NEAR(rounded - exact, 1e5 * 5000 * 0x1p-28 / 12, 4 * 0.035);
}

// The numbers of the law come out of the files again.
TEST_F(MeasureTest, SyntheticGradientsHaveTheNoiseThatTheyShould) {
  GradientLaw law;
  law.law.groups = 8;
  law.law.samples = 100;
  law.law.b_simple = 2000;
  law.law.d_eff = 5000;
  law.params = 6000;
  law.tensors = 2;
  std::vector<std::string> paths;
  for (uint64_t group = 0; group < 8; ++group)
    paths.push_back(write_dump(law, 3, 0, group, Dtype::f64, DumpFormat::safetensors, folder()).path);
  const Measured measured = measure(step_of(paths), {}).value();
  // s = between_ss / (K - 1) is S times a chi-squared of (K - 1) D over its degrees of freedom.
  const double s = measured.sums.back() / 7, spread = std::sqrt(2.0 / (7 * 5000));
  EXPECT_NEAR(s / 2000, 1, 4 * spread);
}

TEST(Gradient, ElementsDoNotDependOnHowTheyAreAskedFor) {
  GradientLaw law;
  law.law.d_eff = 900;
  law.params = 1000;
  law.tensors = 3;
  law.uniform = true;
  EXPECT_EQ(tensor_elems(law, 0), 334U);
  EXPECT_EQ(tensor_elems(law, 2), 333U);
  std::vector<double> all(333), part(100);
  fill_gradient(law, 1, 5, 1, 2, 0, all);
  fill_gradient(law, 1, 5, 1, 2, 200, part);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(part[i], all[200 + i]);
  EXPECT_EQ(all[233], 1 / std::sqrt(1000.0)) << "beyond d_eff there is no noise";
  EXPECT_NE(all[232], all[233]);
}

TEST(Gradient, NpyFilesHaveOneTensorOfATypeThatNumpyHas) {
  const mlq::test::TempDir dir;
  GradientLaw law;
  law.tensors = 2;
  const auto refusal = [&](Dtype dtype) {
    return error_of([&] { write_dump(law, 1, 0, 0, dtype, DumpFormat::npy, dir.path().string()); });
  };
  EXPECT_EQ(refusal(Dtype::f32), "2: --format npy: a file has one array; leave --tensors out");
  law.tensors = 1;
  EXPECT_EQ(refusal(Dtype::bf16),
            "2: --format npy: numpy has no bf16; write safetensors, or another --dtype");
}

}  // namespace
}  // namespace mlq::simigrad
