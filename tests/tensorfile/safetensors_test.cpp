// What a safetensors file may be, and each way in which it may not.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "lib/tensorfile/safetensors_header.h"
#include "lib/tensorfile/source.h"
#include "tests/support/temp_dir.h"
#include "tests/tensorfile/files.h"

namespace mlq::tensorfile {
namespace {

using test::safetensors;

std::string entry(std::string_view name, std::string_view dtype, std::string_view shape,
                  std::string_view offsets) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
}

class Safetensors : public testing::Test {
 protected:
  Source open(std::string_view bytes) { return open_source(dir_.file("model.safetensors", bytes)); }
  std::string refusal(std::string_view bytes) {
    return test::error_of([&] { open(bytes); }, dir_.path().string());
  }
  mlq::test::TempDir dir_;
};

TEST_F(Safetensors, TensorsComeInTheOrderOfTheirBytes) {
  const Source source = open(safetensors(
      "{" + entry("b", "U8", "[3]", "[4,7]") + "," + entry("a", "F16", "[2,1]", "[0,4]") + "}", 7));
  ASSERT_EQ(source.tensors().size(), 2u);
  const TensorInfo& a = source.tensors()[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.dtype, Dtype::f16);
  EXPECT_EQ(a.shape, (std::vector<uint64_t>{2, 1}));
  EXPECT_EQ(a.elems, 2u);
  EXPECT_EQ(a.size_bytes, 4u);
  EXPECT_EQ(a.file_offset, source.shard(0).data_offset);
  EXPECT_EQ(test::data_of(source, "a"), std::string("\0\1\2\3", 4));
  EXPECT_EQ(test::data_of(source, "b"), "\4\5\6");
  EXPECT_EQ(source.find("c"), std::nullopt);
}

TEST_F(Safetensors, ScalarsEmptyTensorsMetadataAndPaddingAreRead) {
  const Source source = open(safetensors(
      R"({"__metadata__":{"format":"pt","\u00e4":""},)" + entry("scalar", "I64", "[]", "[0,8]") + "," +
          entry("none", "F32", "[0,7]", "[8,8]") + "," + entry("nought", "F32", "[0]", "[0,0]") + "}   \n ",
      8));
  EXPECT_EQ(source.tensors().size(), 3u);
  EXPECT_EQ(source.tensors()[*source.find("scalar")].elems, 1u);
  EXPECT_EQ(test::data_of(source, "none"), "");
  EXPECT_EQ(source.shard(0).metadata, (Metadata{{"format", "pt"}, {"\xC3\xA4", ""}}));
  EXPECT_EQ(source.shard(0).size_bytes, source.shard(0).data_offset + 8);
}

TEST_F(Safetensors, FilesWithoutTensorsAreRead) {
  EXPECT_TRUE(open(safetensors("{}")).tensors().empty());
  EXPECT_TRUE(open(safetensors(R"({"__metadata__":{}})")).tensors().empty());
}

TEST_F(Safetensors, AllDtypesAreRead) {
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    const uint64_t bytes = byte_count(4, dtype).value();
    const Source source = open(
        safetensors("{" + entry("w", dtype_name(dtype), "[2,2]", fmt::format("[0,{}]", bytes)) + "}", bytes));
    EXPECT_EQ(source.tensors()[0].dtype, dtype);
  }
}

TEST_F(Safetensors, MembersThatAreNotKnownArePassedOver) {
  EXPECT_EQ(
      open(safetensors(R"({"w":{"dtype":"U8","more":[[[[[1]]]]],"shape":[1],"data_offsets":[0,1]}})", 1))
          .tensors()
          .size(),
      1u);
}

TEST_F(Safetensors, BytesOutsideATensorAreNotRead) {
  const Source source = open(safetensors("{" + entry("w", "U8", "[4]", "[0,4]") + "}", 4));
  std::string two(2, '?');
  source.read(0, 2, std::as_writable_bytes(std::span(two)));
  EXPECT_EQ(two, "\2\3");
  EXPECT_EQ(test::error_of([&] { source.read(0, 3, std::as_writable_bytes(std::span(two))); }),
            "5: tensor \"w\": bytes 3 to 5 are asked for, of 4");
  EXPECT_EQ(
      test::error_of([&] { source.read(0, ~0ull, std::as_writable_bytes(std::span(two))); }).substr(0, 3),
      "5: ");
}

struct Refused {
  const char* name;
  std::string file;
  std::string message;  // after "3: model.safetensors: "
};

class SafetensorsRefused : public Safetensors, public testing::WithParamInterface<Refused> {};

TEST_P(SafetensorsRefused, WithItsReason) {
  EXPECT_EQ(refusal(GetParam().file), "3: model.safetensors: " + GetParam().message);
}

std::string one(std::string_view shape, std::string_view offsets, size_t data,
                std::string_view dtype = "U8") {
  return safetensors("{" + entry("w", dtype, shape, offsets) + "}", data);
}
std::string with_length(uint64_t length, std::string_view rest) {
  std::string file = safetensors(rest);
  std::memcpy(file.data(), &length, 8);
  return file;
}
const std::string kShape = "its shape is not an array of integers from 0 to 2^64-1";
const std::string kOffsets = "its data_offsets are not two integers from 0 to 2^64-1";
std::string damaged(const std::string& what) { return "tensor \"w\": " + what + "; the file is damaged"; }

std::vector<Refused> refused() {
  return {
      {"Empty", "", "0 bytes can be no safetensors file"},
      {"TooShort", "\1\2\3\4", "4 bytes can be no safetensors file"},
      {"LengthPastTheEnd", with_length(3, "{}"),
       "its header would be 3 bytes (in 10; at most 100000000 are read); this is no safetensors file, or it "
       "is "
       "damaged"},
      {"LengthThatWraps", with_length(~0ull - 7, "{}"),
       "its header would be 18446744073709551608 bytes (in 10; at most 100000000 are read); this is no "
       "safetensors "
       "file, or it is damaged"},
      {"NoHeader", safetensors(""),
       "its header does not begin with {; this is no safetensors file, or it is damaged"},
      {"SpaceBeforeTheHeader", safetensors(" {}"),
       "its header does not begin with {; this is no safetensors file, or it is damaged"},
      {"Array", safetensors("[]"),
       "its header does not begin with {; this is no safetensors file, or it is damaged"},
      {"DamagedJson", safetensors("{\"w\":}"),
       "header: damaged JSON at line 1, character 6; the file is damaged"},
      {"TwoObjects", safetensors("{}{}"), "header: damaged JSON at line 1, character 3; the file is damaged"},
      {"BadUtf8", safetensors("{\"\xC3\":1}"), "header: not UTF-8; the file is damaged"},
      {"NestedTooDeeply", safetensors(R"({"w":{"x":[[[[[[[1]]]]]]]}})"),
       "header: damaged JSON: nested too deeply; the file is damaged"},
      {"NestedWithoutEnd", safetensors("{\"w\":" + std::string(100'000, '[')),
       "header: damaged JSON at line 1, character 1005; the file is damaged"},
      {"DuplicateTensor",
       safetensors(
           "{" + entry("w", "U8", "[1]", "[0,1]") + "," + entry("\\u0077", "U8", "[1]", "[1,2]") + "}", 2),
       "header: \"w\" stands in it twice; the file is damaged"},
      {"DuplicateMetadata", safetensors(R"({"__metadata__":{},"__metadata__":{}})"),
       "header: \"__metadata__\" stands in it twice; the file is damaged"},
      {"DuplicateKeyOfMetadata", safetensors(R"({"__metadata__":{"a":"1","a":"2"}})"),
       "header: __metadata__: \"a\" stands in it twice; the file is damaged"},
      {"DuplicateMember",
       safetensors(R"({"w":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}})", 1),
       damaged("\"dtype\" stands in its entry twice")},
      {"MetadataIsNoObject", safetensors(R"({"__metadata__":[]})"),
       "header: __metadata__ is not an object; the file is damaged"},
      {"MetadataIsNoText", safetensors(R"({"__metadata__":{"a":1}})"),
       "header: __metadata__: \"a\" is not a string; the file is damaged"},
      {"EntryIsNoObject", safetensors(R"({"w":1})"), damaged("its entry is not an object")},
      {"NoDtype", safetensors(R"({"w":{"shape":[],"data_offsets":[0,1]}})", 1), damaged("it has no dtype")},
      {"UnknownDtype", one("[1]", "[0,1]", 1, "U7"),
       "tensor \"w\": dtype \"U7\" is not known; the file is damaged or newer than this program"},
      {"NoShape", safetensors(R"({"w":{"dtype":"U8","data_offsets":[0,1]}})", 1), damaged(kShape)},
      {"NoOffsets", safetensors(R"({"w":{"dtype":"U8","shape":[1]}})", 1), damaged(kOffsets)},
      {"ShapeIsNoArray", one("4", "[0,4]", 4), damaged(kShape)},
      {"ShapeWithExponent", one("[4e0]", "[0,4]", 4), damaged(kShape)},
      {"ShapeWithFraction", one("[4.0]", "[0,4]", 4), damaged(kShape)},
      {"NegativeShape", one("[-4]", "[0,4]", 4), damaged(kShape)},
      {"ShapeInText", one("[\"4\"]", "[0,4]", 4), damaged(kShape)},
      {"ShapeWithLeadingZero", one("[04]", "[0,4]", 4),
       "header: damaged JSON: a number is malformed or out of range; the file is damaged"},
      {"ShapeWithPlus", one("[+4]", "[0,4]", 4), "header: damaged JSON; the file is damaged"},
      {"ShapePast64Bits", one("[18446744073709551616]", "[0,4]", 4),
       "header: damaged JSON: a number is malformed or out of range; the file is damaged"},
      {"ProductPast64Bits", one("[4294967296,4294967296]", "[0,0]", 0),
       "tensor \"w\": its shape has too many elements for 64 bits"},
      {"BytesPast64Bits", one("[4611686018427387905]", "[0,4]", 4, "F32"),
       "tensor \"w\": 4611686018427387905 elements of F32 are no whole number of bytes in 64 bits"},
      {"HalfAByte", one("[3]", "[0,2]", 2, "F4"),
       "tensor \"w\": 3 elements of F4 are no whole number of bytes in 64 bits"},
      {"TooManyDimensions",
       one(
           "[1" +
               [] {
                 std::string ones;
                 for (int i = 0; i < 64; ++i) ones += ",1";
                 return ones;
               }() +
               "]",
           "[0,1]", 1),
       damaged("its shape has 65 dimensions, of at most 64")},
      {"OneOffset", one("[4]", "[4]", 4), damaged(kOffsets)},
      {"ThreeOffsets", one("[4]", "[0,4,4]", 4), damaged(kOffsets)},
      {"OffsetsWithExponent", one("[4]", "[0,4e0]", 4), damaged(kOffsets)},
      {"NegativeOffset", one("[4]", "[-4,0]", 4), damaged(kOffsets)},
      {"OffsetsBackwards", one("[4]", "[4,0]", 4), damaged("data_offsets end before they begin")},
      {"TooFewBytes", one("[4]", "[0,3]", 3),
       damaged("data_offsets span 3 bytes, but its shape and dtype need 4")},
      {"TooManyBytes", one("[4]", "[0,5]", 5),
       damaged("data_offsets span 5 bytes, but its shape and dtype need 4")},
      {"Overlap",
       safetensors("{" + entry("a", "U8", "[4]", "[0,4]") + "," + entry("w", "U8", "[4]", "[3,7]") + "}", 7),
       damaged("data_offsets overlap \"a\"")},
      {"SameBytes",
       safetensors("{" + entry("a", "U8", "[4]", "[0,4]") + "," + entry("w", "U8", "[4]", "[0,4]") + "}", 4),
       damaged("data_offsets overlap \"a\"")},
      {"HoleInFront", one("[4]", "[1,5]", 5), damaged("data_offsets leave 1 byte before it unused")},
      {"Hole",
       safetensors("{" + entry("a", "U8", "[4]", "[0,4]") + "," + entry("w", "U8", "[4]", "[6,10]") + "}",
                   10),
       damaged("data_offsets leave 2 bytes before it unused")},
      {"Cut", one("[4]", "[0,4]", 1),
       "tensor \"w\": data_offsets reach 3 bytes past the end of the file; it was cut"},
      {"EndPast63Bits", one("[18446744073709551615]", "[0,18446744073709551615]", 1),
       "tensor \"w\": data_offsets reach 18446744073709551614 bytes past the end of the file; it was cut"},
      {"TrailingBytes", one("[4]", "[0,4]", 6), "2 bytes after the last tensor; the file is damaged"},
      {"TrailingBytesWithoutTensors", safetensors("{}", 6),
       "6 bytes after the last tensor; the file is damaged"},
      {"LongName", safetensors("{" + entry(std::string(65537, 'n'), "U8", "[1]", "[0,1]") + "}", 1),
       "tensor \"" + std::string(160, 'n') +
           "\"... (65537 bytes): a name may have 65536 bytes; the file is damaged"},
      {"Zip", "PK\x03\x04 and more",
       "is a pickle or a zip archive (.pt, .pth, .bin), which can run code when it is read; convert it to "
       "safetensors"},
      {"Pickle", "\x80\x02}q and more",
       "is a pickle or a zip archive (.pt, .pth, .bin), which can run code when it is read; convert it to "
       "safetensors"},
      {"Gguf", std::string("GGUF\3\0\0\0 and more", 17), "is a GGUF file; GGUF is read in a later version"},
  };
}

INSTANTIATE_TEST_SUITE_P(Each, SafetensorsRefused, testing::ValuesIn(refused()),
                         [](const auto& each) { return each.param.name; });

TEST_F(Safetensors, HeaderLengthsThatLookLikeOtherFormatsAreRead) {
  // 0x0280 is also how a pickle begins, 0x8B1F how a gzip file does.
  for (const size_t length : {0x280u, 0x8B1Fu}) {
    std::string header = "{" + entry("w", "U8", "[4]", "[0,4]") + "}";
    header.resize(length, ' ');
    EXPECT_EQ(refusal(safetensors(header, 4)), "no error") << length;
  }
}

TEST_F(Safetensors, AMillionTensorsAreReadAndNotOneMore) {
  std::string json = "{";
  for (int i = 0; i < 1'000'000; ++i)
    json += fmt::format(R"("{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}},)", i);
  json.back() = '}';
  EXPECT_EQ(open(safetensors(json)).tensors().size(), 1'000'000u);
  json.back() = ',';
  EXPECT_EQ(refusal(safetensors(json + R"("w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})")),
            "3: model.safetensors: header: 1000001 tensors; at most 1000000 are read");
}

TEST_F(Safetensors, AHeaderOfMoreThanTheLimitIsNotRead) {
  const std::string path = dir_.file("model.safetensors", with_length(100'000'001, "{"));
  std::filesystem::resize_file(path, 200'000'000);  // sparse
  EXPECT_EQ(test::error_of([&] { open_source(path); }, dir_.path().string()),
            "3: model.safetensors: its header would be 100000001 bytes (in 200000000; at most 100000000 are "
            "read); this "
            "is no safetensors file, or it is damaged");
}

TEST_F(Safetensors, ATensorOfMoreThanTwoToThe31ElementsIsReadAtItsEnd) {
  const uint64_t elems = (1ull << 31) + 65;
  const std::string header =
      "{" + entry("w", "F32", fmt::format("[{}]", elems), fmt::format("[0,{}]", 4 * elems)) + "}";
  const std::string path = dir_.file("model.safetensors", safetensors(header));
  std::filesystem::resize_file(path, 8 + header.size() + 4 * elems - 4);
  std::ofstream(path, std::ios::app | std::ios::binary) << "last";
  const Source source = open_source(path);
  EXPECT_EQ(source.tensors()[0].elems, elems);
  std::string last(8, '?');
  source.read(0, 4 * elems - 8, std::as_writable_bytes(std::span(last)));
  EXPECT_EQ(last, std::string("\0\0\0\0last", 8));
}

}  // namespace
}  // namespace mlq::tensorfile
