// Files become steps and groups, or are refused by name.
#include <gtest/gtest.h>

#include <filesystem>

#include "lib/simigrad/dump/checksum.h"
#include "tests/simigrad/dump_files.h"

namespace mlq::simigrad {
namespace {

using tensorfile::test::error_of;
using test::dump_of;
using test::Metadata;
using test::place;

class DumpTest : public testing::Test {
 protected:
  std::string put(const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories((dir_.path() / name).parent_path());
    return dir_.file(name, bytes);
  }
  // The first step of the folder.
  OpenedStep open() {
    const DumpSet set = find_dumps({folder()}, options_);
    return open_step(set.steps.at(0), set.groups, options_);
  }
  std::string refusal() {
    return error_of([&] { open(); }, folder());
  }
  std::string folder() const { return dir_.path().string(); }
  // Two groups of one step, with this second one.
  std::string refusal_of(const std::string& second) {
    put("a.safetensors", dump_of(place(0, 0), {{"w", {1, 2}}}));
    put("b.safetensors", second);
    return refusal();
  }

  mlq::test::TempDir dir_;
  DumpOptions options_;
};

TEST_F(DumpTest, MetadataSaysWhereAFileBelongs) {
  for (const uint64_t step : {10, 9})
    for (const uint64_t group : {0, 1})
      put(fmt::format("{}-{}.safetensors", step, group),
          dump_of(place(step, group), {{"w", {1}}, {"b", {2, 3}}}));
  Metadata restarted = place(3, 0, 1);
  restarted["mlq.incarnation"] = "1";
  restarted["mlq.loss_scale"] = "1024";
  put("again.safetensors", dump_of(restarted, {{"w", {1}}}));
  const DumpSet set = find_dumps({folder()}, options_);
  ASSERT_EQ(set.steps.size(), 3U);
  EXPECT_EQ(set.steps[0].step, 9U);
  EXPECT_EQ(set.steps[1].step, 10U);
  EXPECT_EQ(set.steps[2].incarnation, 1U);
  const OpenedStep opened = open_step(set.steps[0], set.groups, options_);
  EXPECT_TRUE(opened.missing.empty());
  EXPECT_EQ(opened.step.samples, (std::vector<uint64_t>{8, 8}));
  EXPECT_EQ(opened.step.params(), 3U);
  EXPECT_EQ(opened.step.tensors(), 2U);
  EXPECT_EQ(opened.step.size_bytes(), 24U);
  EXPECT_EQ(opened.step.dtype(), "F32");
  EXPECT_EQ(opened.step.leaves[0].name, "b") << "by name";
  EXPECT_EQ(open_step(set.steps[2], set.groups, options_).step.loss_scale, 1024);
}

TEST_F(DumpTest, ThePatternSaysItInPlaceOfMetadata) {
  put("step3/group0.safetensors", dump_of({}, {{"w", {1}}}));
  put("step3/group1.safetensors", dump_of({}, {{"w", {1}}}));
  put("step3/notes.txt", "passed over");
  options_.pattern.emplace("step{step}/group{group}.safetensors");
  options_.group_samples = {16, 8};
  const OpenedStep opened = open();
  EXPECT_EQ(opened.step.step, 3U);
  EXPECT_EQ(opened.step.samples, (std::vector<uint64_t>{16, 8}));
}

TEST_F(DumpTest, FilesThatAreNamedAndSayNothingAreGroups) {
  const std::string a = put("x.safetensors", dump_of({}, {{"w", {1}}}));
  const std::string b = put("y.safetensors", dump_of({}, {{"w", {2}}}));
  options_.group_samples = {4};
  const DumpSet set = find_dumps({b, a}, options_);
  ASSERT_EQ(set.steps.size(), 1U);
  EXPECT_EQ(set.steps[0].groups.at(0)[0].path, b);
  EXPECT_EQ(set.steps[0].groups.at(1)[0].path, a);
  EXPECT_EQ(error_of([&] { find_dumps({folder()}, options_); }, folder()),
            "3: x.safetensors: neither its metadata nor a pattern says its step; give --pattern, such as "
            "'step{step}/group{group}.safetensors'");
}

TEST_F(DumpTest, ContradictionsAreRefused) {
  put("step3/group0.safetensors", dump_of(place(4, 0), {{"w", {1}}}));
  options_.pattern.emplace("step{step}/group{group}.safetensors");
  EXPECT_EQ(
      refusal(),
      "3: step3/group0.safetensors: its metadata says step 4, its path 3; rename it or leave --pattern out");
  options_.pattern.emplace("step{step}/group0.safetensors");
  EXPECT_EQ(
      refusal(),
      "3: step3/group0.safetensors: its path says step 3, its metadata 4; rename it or leave --pattern out");
}

TEST_F(DumpTest, BadMetadataIsRefused) {
  for (const auto& [key, value, message] :
       {std::tuple("mlq.step", "-1", "mlq.step is \"-1\", no whole number from 0 on"),
        {"mlq.group", "1e3", "mlq.group is \"1e3\", no whole number from 0 on"},
        {"mlq.samples", "0", "mlq.samples is 0; a group has 1 sample or more"},
        {"mlq.loss_scale", "0", "mlq.loss_scale is \"0\", no finite number above 0"},
        {"mlq.loss_scale", "-2", "mlq.loss_scale is \"-2\", no finite number above 0"},
        {"mlq.loss_scale", "inf", "mlq.loss_scale is \"inf\", no finite number above 0"},
        {"mlq.loss_scale", "nan", "mlq.loss_scale is \"nan\", no finite number above 0"}}) {
    Metadata metadata = place(0, 0);
    metadata[key] = value;
    put("a.safetensors", dump_of(metadata, {{"w", {1}}}));
    EXPECT_EQ(refusal(), fmt::format("3: a.safetensors: __metadata__: {}", message));
  }
  put("a.safetensors", dump_of(place(0, 32, 40), {{"w", {1}}}));
  EXPECT_EQ(refusal(),
            "3: a.safetensors: is of group 32; groups are numbered from 0, and there are 32 at most");
}

TEST_F(DumpTest, AMissingGroupIsNamed) {
  put("a.safetensors", dump_of(place(0, 1, 4), {{"w", {1}}}));
  put("b.safetensors", dump_of(place(0, 3, 4), {{"w", {1}}}));
  EXPECT_EQ(open().missing, (std::vector<uint64_t>{0, 2}));
}

TEST_F(DumpTest, WithoutMetadataAsManyGroupsAreAwaitedAsAnyStepHas) {
  options_.pattern.emplace("{step}-{group}.safetensors");
  options_.group_samples = {8};
  for (const char* name : {"0-0", "0-1", "0-2", "1-0", "1-2"})
    put(fmt::format("{}.safetensors", name), dump_of({}, {{"w", {1}}}));
  const DumpSet set = find_dumps({folder()}, options_);
  EXPECT_TRUE(open_step(set.steps[0], set.groups, options_).missing.empty());
  EXPECT_EQ(open_step(set.steps[1], set.groups, options_).missing, (std::vector<uint64_t>{1}));
}

TEST_F(DumpTest, AFileIsNotTwoDumps) {
  put("a.safetensors", dump_of(place(0, 0), {{"w", {1}}}));
  for (const char* again : {"/a.safetensors", "/./a.safetensors", "/"}) {
    const std::string path = folder() + again;
    EXPECT_EQ(
        error_of(
            [&] {
              find_dumps({folder() + "/a.safetensors", path}, options_);
            },
            folder()),
        "3: " + std::string(again == std::string("/./a.safetensors") ? "./a.safetensors" : "a.safetensors") +
            ": is named twice");
  }
}

TEST_F(DumpTest, GroupsMustHaveTheSameTensors) {
  EXPECT_EQ(refusal_of(dump_of(place(0, 1), {{"v", {1, 2}}})),
            "3: b.safetensors: tensor \"w\" is not in it, though in a.safetensors; --intersect takes what "
            "all groups "
            "have");
  EXPECT_EQ(refusal_of(dump_of(place(0, 1), {{"v", {3}}, {"w", {1, 2}}})),
            "3: a.safetensors: tensor \"v\" is not in it, though in b.safetensors; --intersect takes what "
            "all groups "
            "have");
  options_.intersect = true;
  EXPECT_EQ(open().step.tensors(), 1U);
  EXPECT_EQ(refusal_of(dump_of(place(0, 1), {{"v", {1, 2}}})),
            "3: step 0: no tensor of a.safetensors is in all groups; --intersect leaves none to measure");
  options_.intersect = false;
  EXPECT_EQ(refusal_of(dump_of(place(0, 1), {{"w", {1, 2, 3}}})),
            "3: b.safetensors: tensor \"w\": its shape is [3], but [2] in a.safetensors");
  const std::vector<float> half = {1};
  std::string other = dump_of(place(0, 1), {{"w", {1, 2}}});
  EXPECT_EQ(refusal_of(other.replace(other.find("F32"), 3, "I32")),
            "3: b.safetensors: tensor \"w\": is of I32, which is no type of a gradient; leave it out with "
            "--exclude");
}

TEST_F(DumpTest, TypesMustAgree) {
  put("a.npy",
      tensorfile::test::npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "12345678"));
  put("b.npy", tensorfile::test::npy("{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }", "1234"));
  options_.group_samples = {8};
  const auto refusal_of_named = [&] {
    return error_of(
        [&] {
          const DumpSet set = find_dumps({dir_ / "a.npy", dir_ / "b.npy"}, options_);
          open_step(set.steps[0], set.groups, options_);
        },
        folder());
  };
  EXPECT_EQ(refusal_of_named(), "3: b.npy: tensor \"array\": is of F16, but F32 in a.npy");
  put("a.npy",
      tensorfile::test::npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,2), }", "12345678"));
  put("b.npy",
      tensorfile::test::npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1,2), }", "12345678"));
  EXPECT_EQ(refusal_of_named(), "3: b.npy: tensor \"array\": is in Fortran order, but not in a.npy");
}

TEST_F(DumpTest, SamplesMustBeKnownAndAgree) {
  Metadata silent = place(0, 1);
  silent.erase("mlq.samples");
  EXPECT_EQ(
      refusal_of(dump_of(silent, {{"w", {1, 2}}})),
      "3: b.safetensors: does not say how many samples are behind it (mlq.samples); give --group-samples");
  options_.group_samples = {8};
  EXPECT_EQ(open().step.batch_samples(), 16U);
  options_.group_samples = {9};
  EXPECT_EQ(refusal(), "3: a.safetensors: mlq.samples is 8, but --group-samples 9");
  options_.group_samples = {8, 8, 8};
  EXPECT_EQ(refusal(), "3: step 0: has 2 groups, but --group-samples 3 numbers");
}

TEST_F(DumpTest, WhatFilesOfAStepSayOfItMustAgree) {
  EXPECT_EQ(refusal_of(dump_of(place(0, 1, 3), {{"w", {1, 2}}})),
            "3: b.safetensors: mlq.groups is 3, but 2 in another file of the step");
  Metadata scaled = place(0, 1);
  scaled["mlq.loss_scale"] = "2";
  refusal_of(dump_of(scaled, {{"w", {1, 2}}}));
  options_.loss_scale = 4;
  EXPECT_EQ(refusal(), "3: a.safetensors: mlq.loss_scale is 2, but --loss-scale 4");
  options_.loss_scale = 2;
  EXPECT_EQ(open().step.loss_scale, 2);
  put("c.safetensors", dump_of(place(0, 2), {{"w", {1, 2}}}));
  EXPECT_EQ(refusal(), "3: c.safetensors: is of group 2, but mlq.groups says that there are 2");
}

TEST_F(DumpTest, TensorsAreChosenByName) {
  put("a.safetensors", dump_of(place(0, 0, 1), {{"h.0.w", {1}}, {"h.0.b", {1}}, {"h.1.w", {1}}}));
  options_.include = tensorfile::Names("include", {"w$"});
  EXPECT_EQ(open().step.tensors(), 2U);
  options_.exclude = tensorfile::Names("exclude", {"^h\\.1"});
  EXPECT_EQ(open().step.tensors(), 1U);
  options_.include = tensorfile::Names("include", {"nothing"});
  EXPECT_EQ(refusal(),
            "3: step 0: no tensor is left to measure, of 3 tensors in a.safetensors; look at --include and "
            "--exclude");
  EXPECT_EQ(error_of([] { tensorfile::Names("exclude", {"("}); }).substr(0, 50),
            "2: --exclude: \"(\" is no regular expression: Mismat");
}

TEST_F(DumpTest, ATensorInTwoShardsIsRefusedUnlessItsMeaningIsSaid) {
  put("g0-0.safetensors", dump_of(place(0, 0, 1), {{"w", {1, 2}}}));
  put("g0-1.safetensors", dump_of(place(0, 0, 1), {{"w", {3}}, {"v", {4}}}));
  EXPECT_EQ(refusal(),
            "3: g0-1.safetensors: tensor \"w\": is in g0-0.safetensors too; say with --split that these are "
            "parts of "
            "it, or with --replicated that both are the whole");
  options_.split = tensorfile::Names("split", {"^w$"});
  const OpenedStep split = open();
  EXPECT_EQ(split.step.leaves.size(), 3U);
  EXPECT_EQ(split.step.tensors(), 2U);
  EXPECT_EQ(split.step.params(), 4U);
  options_.split = {};
  options_.replicated = tensorfile::Names("replicated", {"^w$"});
  EXPECT_EQ(open().step.params(), 3U) << "the first counts";
}

TEST_F(DumpTest, ShardsAreNumberedOnce) {
  options_.pattern.emplace("g{group}s{step}p{shard}.safetensors");
  put("g0s0p1.safetensors", dump_of(place(0, 0, 1), {{"w", {1}}}));
  put("g0s0p01.safetensors", dump_of(place(0, 0, 1), {{"v", {1}}}));
  EXPECT_EQ(refusal(), "3: g0s0p1.safetensors: is shard 1 of step 0, group 0, and so is g0s0p01.safetensors");
}

TEST_F(DumpTest, FoldersWithoutDumpsAreRefused) {
  put("a.txt", "");
  EXPECT_EQ(error_of([&] { find_dumps({folder()}, options_); }),
            fmt::format(
                "3: {}: no .safetensors, .npy, .pt or .pth file is in it; name the files, or give --pattern",
                folder()));
  options_.pattern.emplace("x{step}");
  EXPECT_EQ(error_of([&] { find_dumps({folder()}, options_); }),
            fmt::format("3: {}: no file in it is like the pattern x{{step}}", folder()));
}

TEST_F(DumpTest, RawFilesAreWhatTheyAreSaidToBe) {
  const std::string path = put("a.bin", "12345678");
  options_.source.raw = tensorfile::RawForm{tensorfile::Dtype::f32};
  options_.group_samples = {8};
  const DumpSet set = find_dumps({path}, options_);
  EXPECT_EQ(open_step(set.steps[0], set.groups, options_).step.params(), 2U);
  options_.source.raw->elems = 3;
  EXPECT_EQ(error_of([&] { find_dumps({path}, options_); }, folder()),
            "3: a.bin: has 2 elements of F32, not 3; it is cut, or of another type");
  put("a.bin", "1234567");
  options_.source.raw->elems.reset();
  EXPECT_EQ(
      error_of([&] { find_dumps({path}, options_); }, folder()),
      "3: a.bin: its 7 bytes are no multiple of the 4 of an element of F32; it is cut, or of another type");
}

TEST_F(DumpTest, AChecksumIsXxh3OfTheBytes) {
  const std::string path = put("a.bin", "");
  EXPECT_EQ(checksum(*tensorfile::open_byte_file(path)), "99aa06d3014798d86001c324468d497f");
}

}  // namespace
}  // namespace mlq::simigrad
