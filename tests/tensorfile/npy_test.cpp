// What an npy file may be, and each way in which it may not.
#include <gtest/gtest.h>

#include "lib/tensorfile/source.h"
#include "tests/support/temp_dir.h"
#include "tests/tensorfile/files.h"

namespace mlq::tensorfile {
namespace {

using test::npy;

std::string dict(std::string_view descr, std::string_view shape, std::string_view fortran = "False") {
  return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}", descr, fortran, shape);
}

class Npy : public testing::Test {
 protected:
  Source open(std::string_view bytes, bool bf16 = false) {
    return open_source(dir_.file("a.npy", bytes), {.u2_is_bf16 = bf16});
  }
  std::string refusal(std::string_view bytes) {
    return test::error_of([&] { open(bytes); }, dir_.path().string());
  }
  mlq::test::TempDir dir_;
};

TEST_F(Npy, IsOneTensorNamedLikeTheFile) {
  for (const unsigned version : {1, 2, 3}) {
    const Source source = open(npy(dict("<i2", "(2, 3)"), "0123456789ab", version));
    ASSERT_EQ(source.tensors().size(), 1u);
    const TensorInfo& tensor = source.tensors()[0];
    EXPECT_EQ(tensor.name, "a");
    EXPECT_EQ(tensor.dtype, Dtype::i16);
    EXPECT_EQ(tensor.shape, (std::vector<uint64_t>{2, 3}));
    EXPECT_EQ(source.shard(0).format, FileFormat::npy);
    EXPECT_EQ(source.shard(0).data_offset % 64, 0u);
    EXPECT_EQ(test::data_of(source, "a"), "0123456789ab");
  }
}

TEST_F(Npy, TypesAreThoseOfSafetensors) {
  const std::pair<const char*, Dtype> types[] = {
      {"<f2", Dtype::f16},    {"<f4", Dtype::f32}, {"<f8", Dtype::f64}, {"<c8", Dtype::c64},
      {"|i1", Dtype::i8},     {"|u1", Dtype::u8},  {"<i2", Dtype::i16}, {"<u2", Dtype::u16},
      {"<i4", Dtype::i32},    {"<u4", Dtype::u32}, {"<i8", Dtype::i64}, {"<u8", Dtype::u64},
      {"|b1", Dtype::boolean}};
  for (const auto& [descr, dtype] : types) {
    const std::string data(bits_per_element(dtype) / 8, '\1');
    EXPECT_EQ(open(npy(dict(descr, "()"), data)).tensors()[0].dtype, dtype) << descr;
  }
}

TEST_F(Npy, SixteenBitsAreBf16OnRequest) {
  for (const char* descr : {"<u2", "|V2", "<V2"})
    EXPECT_EQ(open(npy(dict(descr, "(1,)"), "01"), true).tensors()[0].dtype, Dtype::bf16) << descr;
  EXPECT_EQ(open(npy(dict("<i2", "(1,)"), "01"), true).tensors()[0].dtype, Dtype::i16);
}

TEST_F(Npy, SpellingsOfOneDictAreTheSame) {
  for (const char* text : {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
                           "{\"shape\":(3,),\"fortran_order\":True,\"descr\":\"<f4\"}",
                           " { 'fortran_order' : False , 'shape' : ( 3 , ) , 'descr' : '<f4' } "})
    EXPECT_EQ(open(npy(text, "0123456789ab")).tensors()[0].elems, 3u) << text;
}

struct Refused {
  const char* name;
  std::string file;
  std::string message;  // after "3: a.npy: "
};

class NpyRefused : public Npy, public testing::WithParamInterface<Refused> {};

TEST_P(NpyRefused, WithItsReason) { EXPECT_EQ(refusal(GetParam().file), "3: a.npy: " + GetParam().message); }

std::string header(const std::string& what) { return "npy header: " + what + "; the file is damaged"; }
std::string patched(std::string file, size_t at, char byte) {
  file[at] = byte;
  return file;
}
const std::string kNoDict = header("it is no dict of Python");
const std::string kNoInteger = header("its shape has no integers from 0 to 2^64-1");

std::vector<Refused> refused() {
  const std::string good = npy(dict("<f4", "(1,)"), "0123");
  return {
      {"TooShort", "\x93NUMPY\1", "7 bytes can be no npy file"},
      {"Version0", patched(good, 6, 0), "npy version 0.0 is not known; the file is damaged"},
      {"Version4", patched(good, 6, 4), "npy version 4.0 is not known; the file is damaged"},
      {"Version11", patched(good, 7, 1), "npy version 1.1 is not known; the file is damaged"},
      {"HeaderPastTheEnd", patched(good, 9, 1),
       "its npy header would be 374 bytes (in 132; at most 1048576 are read); the file is damaged"},
      {"NoDict", npy("[]", ""), kNoDict},
      {"DictIsNotClosed", npy("{'descr': '<f4'", ""), kNoDict},
      {"MoreBehindTheDict", npy(dict("<f4", "(1,)") + "x", "0123"), header("something follows its dict")},
      {"UnknownEntry", npy("{'x': 1}", ""), header("\"x\" is no entry that it may have")},
      {"EntryTwice", npy("{'descr': '<f4', 'descr': '<f4'}", ""), header("\"descr\" stands in it twice")},
      {"EntryMissing", npy("{'descr': '<f4'}", ""), header("descr, fortran_order or shape is missing")},
      {"StringIsNotClosed", npy("{'descr': '<f4}", ""), header("a string is not closed")},
      {"Backslash", npy("{'desc\\162': '<f4'}", ""), header("a string has a backslash")},
      {"FortranOrderIsANumber", npy(dict("<f4", "(1,)", "0"), "0123"),
       header("fortran_order is neither True nor False")},
      {"ShapeIsAList", npy(dict("<f4", "[1]"), "0123"), kNoDict},
      {"ShapeIsANumber", npy(dict("<f4", "(1)"), "0123"), header("its shape is no tuple of Python")},
      {"NegativeShape", npy(dict("<f4", "(-1,)"), "0123"), kNoInteger},
      {"ShapeWithLeadingZero", npy(dict("<f4", "(01,)"), "0123"), kNoInteger},
      {"ShapeWithExponent", npy(dict("<f4", "(1e0,)"), "0123"), header("its shape is no tuple of Python")},
      {"ShapePast64Bits", npy(dict("<f4", "(18446744073709551616,)"), "0123"), kNoInteger},
      {"ShapeOfCommas", npy(dict("<f4", "(,)"), "0123"), kNoInteger},
      {"TooManyDimensions",
       npy(dict(
               "<f4", "(" +
                          [] {
                            std::string s;
                            for (int i = 0; i < 65; ++i) s += "1,";
                            return s;
                          }() +
                          ")"),
           "0123"),
       header("its shape has more than 64 dimensions")},
      {"ProductPast64Bits", npy(dict("<f4", "(4294967296, 4294967296)"), "0123"),
       "tensor \"a\": its shape has too many elements for 64 bits"},
      {"BytesPast64Bits", npy(dict("<f4", "(4611686018427387905,)"), "0123"),
       "tensor \"a\": 4611686018427387905 elements of F32 are no whole number of bytes in 64 bits"},
      {"Cut", npy(dict("<f4", "(2,)"), "0123"),
       "its shape and type need 8 bytes, but 4 follow the header; the file is damaged"},
      {"TrailingBytes", npy(dict("<f4", "(1,)"), "01234"),
       "its shape and type need 4 bytes, but 5 follow the header; the file is damaged"},
      {"FortranOrder", npy(dict("<f4", "(1, 1)", "True"), "0123"),
       "is in Fortran order; save numpy.ascontiguousarray of it"},
      {"BigEndian", npy(dict(">f4", "(1,)"), "0123"),
       "its elements are big-endian (>f4); save it little-endian"},
      {"Objects", npy(dict("|O", "(1,)"), "0123"),
       "holds pickled Python objects, which are not read; save an array of numbers"},
      {"Structures", npy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", "0123"),
       "its elements are structures; save each field as an array"},
      {"Strings", npy(dict("<U1", "(1,)"), "0123"),
       "elements of type \"<U1\" are not read; save floats, integers or booleans"},
      {"NoByteOrder", npy(dict("|f4", "(1,)"), "0123"),
       "elements of type \"|f4\" are not read; save floats, integers or booleans"},
      {"NoType", npy(dict("", "(1,)"), "0123"),
       "elements of type \"\" are not read; save floats, integers or booleans"},
      {"NamelessSixteenBits", npy(dict("|V2", "(2,)"), "0123"),
       "elements of type |V2 have no meaning of their own; if they are BF16, say --npy-bf16"},
  };
}

INSTANTIATE_TEST_SUITE_P(Each, NpyRefused, testing::ValuesIn(refused()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace mlq::tensorfile
