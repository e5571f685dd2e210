// Files of torch.save: what is in those of tests/data/torch, and what is refused of spoilt ones.
#include <gtest/gtest.h>

#include "lib/tensorfile/source.h"
#include "lib/tensorfile/torch_pickle.h"
#include "lib/tensorfile/zip_directory.h"
#include "tests/support/temp_dir.h"
#include "tests/tensorfile/files.h"
#include "tests/tensorfile/zip_files.h"

namespace mlq::tensorfile {
namespace {

using namespace test;

// A file that is all in order, of four floats.
std::vector<ZipPart> good_parts() {
  return {{"a/data.pkl", pickle_of("w", tensor(4, 0, {2, 2}, {2, 1}))},
          {"a/byteorder", "little"},
          {"a/data/0", std::string(16, '\1')}};
}

class TorchTest : public testing::Test {
 protected:
  Source open(const std::string& bytes) { return open_source(dir_.file("x.pt", bytes), {.strided = true}); }
  std::string refusal(const std::string& bytes) {
    return error_of([&] { open(bytes); }, dir_.path().string());
  }
  std::string refusal(const std::vector<ZipPart>& parts) { return refusal(zip(parts)); }
  // Of a pickle in an archive that has a storage of four floats.
  std::string pickle_refusal(const std::string& bytes) {
    std::vector<ZipPart> parts = good_parts();
    parts[0].data = bytes;
    return refusal(parts);
  }
  mlq::test::TempDir dir_;
};

Source fixture(const std::string& name) {
  return open_source(MLQ_SOURCE_DIR "/tests/data/torch/" + name, {.strided = true});
}
const TensorInfo& info_of(const Source& source, std::string_view name) {
  return source.tensors()[source.find(name).value()];
}
template <class T>
std::vector<T> values_of(const Source& source, std::string_view name) {
  const std::string bytes = data_of(source, name);
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Files of tests/data/torch, and the same tensors as torch itself has written them.
class TorchFixture : public testing::TestWithParam<std::string> {};

TEST_P(TorchFixture, AStateDictHasItsTensorsByName) {
  const Source source = fixture(GetParam() + "state_dict.pt");
  ASSERT_EQ(source.tensors().size(), 3U);
  EXPECT_EQ(source.shard(0).format, FileFormat::torch);
  EXPECT_EQ(info_of(source, "weight").dtype, Dtype::f32);
  EXPECT_EQ(info_of(source, "weight").shape, (std::vector<uint64_t>{3, 4}));
  const auto weight = values_of<float>(source, "weight");
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(weight[i], 0.5 * static_cast<double>(i) - 2);
  EXPECT_EQ(info_of(source, "bias").dtype, Dtype::bf16);
  EXPECT_EQ(values_of<uint16_t>(source, "bias"), (std::vector<uint16_t>{0x3f80, 0xc000, 0x3e80}));
  EXPECT_EQ(values_of<double>(source, "norm.scale"), (std::vector<double>{1e-300, 3}));
}

TEST_P(TorchFixture, ViewsAreWhereTheyLieInTheirStorage) {
  const Source source = fixture(GetParam() + "views.pt");
  EXPECT_EQ(values_of<float>(source, "part"), (std::vector<float>{10, 11, 12, 13, 14}));
  EXPECT_EQ(values_of<float>(source, "list.0"), (std::vector<float>{99}));
  EXPECT_EQ(info_of(source, "transposed").strides, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(info_of(source, "column").strides, (std::vector<uint64_t>{10}));
  EXPECT_TRUE(info_of(source, "part").storage_shared);
  EXPECT_EQ(source.shard(0).stored_bytes, 400U);
}

INSTANTIATE_TEST_SUITE_P(Torch, TorchFixture, testing::Values("", "written/"));

TEST_F(TorchTest, Zip64RecordsAreRead) {
  EXPECT_EQ(values_of<uint16_t>(fixture("zip64.pt"), "half"), (std::vector<uint16_t>{0x3e00, 0xbc00}));
}

TEST_F(TorchTest, ATensorAloneIsCalledTensor) {
  std::vector<ZipPart> parts = good_parts();
  parts[0].data = pickle(tensor(4, 1, {3}, {1}));
  EXPECT_EQ(info_of(open(zip(parts)), "tensor").shape, (std::vector<uint64_t>{3}));
}

TEST_F(TorchTest, PlacesComeFromTheLocalHeader) {
  std::vector<ZipPart> parts = good_parts();
  parts[2].local_extra = "FB" + u16(5) + "ZZZZZ";
  EXPECT_EQ(data_of(open(zip(parts, "a comment")), "w"), std::string(16, '\1'));
}

TEST_F(TorchTest, OfQuantizersSuchFilesAreStillRefused) {
  const std::string path = dir_.file("x.pt", zip(good_parts()));
  EXPECT_EQ(error_of([&] { open_source(path); }, dir_.path().string()),
            "3: x.pt: is a pickle or a zip archive (.pt, .pth, .bin), which can run code when it is read; "
            "convert it to safetensors");
}

// ---- Archives

TEST_F(TorchTest, ACutArchiveIsRefusedWithThePlace) {
  const std::string whole = zip(good_parts());
  EXPECT_EQ(refusal(whole.substr(0, 100)),
            "3: x.pt: zip: byte 100: there is no end record; the file is cut or damaged");
  for (size_t size = 9; size < whole.size(); ++size)
    EXPECT_TRUE(refusal(whole.substr(0, size)).starts_with("3: x.pt: ")) << size;
}

TEST_F(TorchTest, CompressedAndEncryptedEntriesAreRefused) {
  std::vector<ZipPart> parts = good_parts();
  parts[2].method = 8;
  EXPECT_EQ(refusal(parts),
            "3: x.pt: zip: \"a/data/0\" is compressed, which torch.save does not do; pack it "
            "again with zip -0");
  parts = good_parts();
  parts[2].flags = 1;
  EXPECT_EQ(refusal(parts), "3: x.pt: zip: \"a/data/0\" is encrypted");
}

TEST_F(TorchTest, OverlappingEntriesAreRefused) {
  std::vector<ZipPart> parts = good_parts();
  parts.push_back(parts[2]);
  parts[3].name = parts[3].local_name = "a/data/1";
  // The last one's header is said to be that of the one before.
  parts[3].header_shift = -static_cast<int64_t>(30 + parts[2].name.size() + 16);
  parts[3].name = parts[2].name;
  EXPECT_NE(refusal(parts).find("\"a/data/0\" and \"a/data/0\" overlap; the file is cut or damaged"),
            std::string::npos)
      << refusal(parts);
  parts = good_parts();
  parts[1].size_shift = 8;  // into the next header
  EXPECT_NE(refusal(parts).find("\"a/byteorder\" and \"a/data/0\" overlap"), std::string::npos)
      << refusal(parts);
}

TEST_F(TorchTest, DirectoriesThatLieAreRefused) {
  std::vector<ZipPart> parts = good_parts();
  parts[2].size_shift = 1000;
  EXPECT_NE(refusal(parts).find("\"a/data/0\", of 1016 bytes, would reach beyond the directory"),
            std::string::npos);
  parts = good_parts();
  parts[2].local_name = "a/data/7";
  EXPECT_NE(refusal(parts).find("the directory has \"a/data/0\" where \"a/data/7\" begins"),
            std::string::npos);
  parts = good_parts();
  parts[2].header_shift = 1 << 20;
  EXPECT_NE(refusal(parts).find("the header of \"a/data/0\" would be beyond the directory"),
            std::string::npos);
  parts = good_parts();
  parts.push_back(parts[1]);
  EXPECT_EQ(refusal(parts), "3: x.pt: zip: \"a/byteorder\" stands in it twice; the file is damaged");
}

TEST_F(TorchTest, Zip64RecordsThatLieAreRefused) {
  const std::string whole = zip(good_parts(), "", true);
  EXPECT_EQ(data_of(open(whole), "w"), std::string(16, '\1'));
  const size_t locator = whole.size() - 22 - 20;
  std::string spoilt = whole;
  spoilt.replace(locator, 4, "PK\x07\x09");
  EXPECT_NE(refusal(spoilt).find("there is no zip64 locator"), std::string::npos);
  spoilt = whole;
  spoilt.replace(locator + 8, 8, u64(uint64_t{1} << 63));
  EXPECT_NE(refusal(spoilt).find("its zip64 end record would be at 9223372036854775808"), std::string::npos);
  spoilt = whole;
  spoilt.replace(locator - 56 + 24, 16, u64(uint64_t{1} << 60) + u64(uint64_t{1} << 60));
  EXPECT_NE(refusal(spoilt).find("would have 1152921504606846976 entries"), std::string::npos);
}

TEST_F(TorchTest, WhatElseAnArchiveMustHave) {
  EXPECT_EQ(refusal({{"readme.txt", "hello"}}),
            "3: x.pt: is a zip archive, but none of torch.save: it has no FOLDER/data.pkl");
  std::vector<ZipPart> parts = good_parts();
  parts[1].data = "big";
  EXPECT_EQ(refusal(parts), "3: x.pt: its numbers are not little-endian; save it again on another machine");
  parts = good_parts();
  parts.pop_back();
  EXPECT_EQ(refusal(parts), "3: x.pt: tensor \"w\": its storage \"0\" is missing; the file is damaged");
  parts = good_parts();
  parts[2].data.resize(15);
  EXPECT_EQ(refusal(parts),
            "3: x.pt: tensor \"w\": its storage \"0\" has 15 bytes, not 16; the file is cut or damaged");
}

TEST_F(TorchTest, ABarePickleIsRefusedWithTheRemedy) {
  EXPECT_EQ(refusal(pickle_of("w", tensor(4, 0, {4}, {1}))),
            "3: x.pt: is a bare pickle, as torch before 1.6 wrote it; load it with a newer torch and save it "
            "again");
}

// ---- Pickles

TEST_F(TorchTest, ForeignNamesAreRefusedAndNothingIsRun) {
  EXPECT_EQ(
      pickle_refusal(pickle(global("os", "system") + tuple({text("touch /tmp/owned")}) + "R")),
      "3: x.pt: pickle: byte 2: \"os.system\" is not read, as it would be code to run; save a dictionary "
      "of plain tensors");
  EXPECT_EQ(
      pickle_refusal(pickle(global("torch.distributed.tensor", "DTensor"))),
      "3: x.pt: pickle: byte 2: \"torch.distributed.tensor.DTensor\" is not read; save the full_tensor() "
      "of each DTensor");
  EXPECT_EQ(
      pickle_refusal(pickle(std::string("\x93"))),
      "3: x.pt: pickle: byte 2: opcode 0x93 is none that torch.save writes; save it again with torch.save");
  EXPECT_EQ(pickle_refusal("\x80\x04."),
            "3: x.pt: pickle: byte 0: protocol 4 is not read; save it again with torch.save(..., "
            "pickle_protocol=2)");
}

TEST_F(TorchTest, ViewsBeyondTheirStorageAreRefused) {
  constexpr std::string_view kBeyond =
      "3: x.pt: tensor \"w\": reaches beyond its storage of 4 elements; the file is damaged";
  EXPECT_EQ(pickle_refusal(pickle_of("w", tensor(4, 1, {4}, {1}))), kBeyond);
  EXPECT_EQ(pickle_refusal(pickle_of("w", tensor(4, 0, {2, 2}, {3, 1}))), kBeyond);
  EXPECT_EQ(pickle_refusal(pickle_of("w", tensor(4, 5, {0}, {1}))), kBeyond);
  EXPECT_EQ(pickle_refusal(pickle_of("w", tensor(4, 0, {2, 2}, {0x7fffffff, 0x7fffffff}))), kBeyond);
  EXPECT_EQ(pickle_refusal(pickle_of("w", tensor(4, 0, {1000, 4}, {0, 1}))),
            "3: x.pt: tensor \"w\": shows elements more than once (expand); save its contiguous()");
  EXPECT_EQ(pickle_refusal(pickle_of("w", tensor(4, 0, {2}, {1, 1}))),
            "3: x.pt: pickle: byte 150: a tensor's size and stride differ in length; the file is damaged");
  EXPECT_NE(pickle_refusal(pickle_of("w", tensor(4, 0xffffffff, {2}, {1}))).find("a number is below 0"),
            std::string::npos);
}

TEST_F(TorchTest, DeepAndEndlessPicklesAreRefused) {
  std::string deep;
  for (int i = 0; i < 70; ++i) deep += "]";
  for (int i = 0; i < 69; ++i) deep += "a";
  EXPECT_NE(pickle_refusal(pickle(deep)).find("is deeper than 64 containers"), std::string::npos);
  // A list that holds itself.
  EXPECT_NE(pickle_refusal(pickle("]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a"))
                .find("is deeper than 64 containers"),
            std::string::npos);
  // Thirty lists, each with the one before ten times: 10^30 items in a few hundred bytes.
  std::string wide = "(]q" + std::string(1, '\0');
  for (int i = 0; i < 30; ++i) {
    wide += "]q" + std::string(1, static_cast<char>(i + 1)) + "(";
    for (int k = 0; k < 10; ++k) wide += "h" + std::string(1, static_cast<char>(i));
    wide += "e";
  }
  EXPECT_NE(pickle_refusal(pickle(wide + "t")).find("more than 4000000 items"), std::string::npos);
}

TEST_F(TorchTest, ACutPickleIsRefused) {
  const std::string whole = pickle_of("w", tensor(4, 0, {2, 2}, {2, 1}));
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_TRUE(pickle_refusal(whole.substr(0, size)).starts_with("3: x.pt: pickle: ")) << size;
}

TEST_F(TorchTest, DamagedStacksAreRefused) {
  for (const std::string& bytes :
       {std::string("."), std::string("R."), std::string("s."), std::string("t."), std::string("u."),
        std::string("a."), std::string("Nb."), std::string("NN."), std::string("(N."), std::string("NR."),
        std::string("]Ns."), std::string("h\5."), std::string("N\x85Q."), std::string("}Nb"),
        "X" + u32(5) + "ab."})
    EXPECT_TRUE(pickle_refusal("\x80\x02" + bytes).starts_with("3: x.pt: pickle: byte ")) << bytes;
}

}  // namespace
}  // namespace mlq::tensorfile
