#include "lib/jsonl/object.h"

#include <gtest/gtest.h>

#include <string>

namespace mlq::jsonl {
namespace {

const Value* member(OwnedObject& object, std::string_view key) { return object.parser().find(key); }

std::string error_of(std::string_view text) {
  OwnedObject object(text);
  return object.ok() ? "" : object.parser().error();
}

TEST(ObjectParser, ReadsEveryKindOfValue) {
  OwnedObject o(
      R"({"n":null,"t":true,"f":false,"i":-5,"u":18446744073709551615,"r":1.5,"s":"x","a":[1],"o":{}})");
  ASSERT_TRUE(o.ok());
  EXPECT_EQ(member(o, "n")->kind, Kind::null);
  EXPECT_TRUE(member(o, "t")->boolean);
  EXPECT_FALSE(member(o, "f")->boolean);
  EXPECT_EQ(member(o, "i")->signed_integer, -5);
  EXPECT_EQ(member(o, "u")->unsigned_integer, 18446744073709551615u);
  EXPECT_EQ(member(o, "r")->real, 1.5);
  EXPECT_EQ(member(o, "s")->text, "x");
  EXPECT_EQ(member(o, "a")->kind, Kind::array);
  EXPECT_EQ(member(o, "o")->kind, Kind::object);
  EXPECT_EQ(member(o, "missing"), nullptr);
}

TEST(ObjectParser, KeepsOrderAndDuplicates) {
  OwnedObject o(R"({"b":1,"a":2,"b":3})");
  ASSERT_TRUE(o.ok());
  const auto members = o.parser().members();
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members[0].key, "b");
  EXPECT_EQ(members[1].key, "a");
  EXPECT_EQ(members[2].value.signed_integer, 3);
}

TEST(ObjectParser, UnescapesStringsAndKeys) {
  OwnedObject o(R"({"k\n":"\u00e9\ud83d\ude00\"\\\/"})");
  ASSERT_TRUE(o.ok());
  EXPECT_EQ(member(o, "k\n")->text, "\u00e9\U0001F600\"\\/");
}

TEST(ObjectParser, AnEmptyObjectIsAnObject) {
  OwnedObject o("{}");
  EXPECT_TRUE(o.ok());
  EXPECT_TRUE(o.parser().members().empty());
}

TEST(ObjectParser, SaysWhatIsWrong) {
  EXPECT_EQ(error_of("[1]"), "not a JSON object");
  EXPECT_EQ(error_of("12"), "not a JSON object");
  EXPECT_EQ(error_of(""), "empty");
  EXPECT_EQ(error_of("{\"a\":\"\xff\"}"), "not UTF-8");
  EXPECT_EQ(error_of("{\"a\":1e999}"), "damaged JSON: a number is malformed or out of range");
  EXPECT_EQ(error_of("{\"a\":\"x"), "damaged JSON: a string is not closed");
  EXPECT_EQ(error_of("{\"a\":1}{\"b\":2}"), "damaged JSON");
  EXPECT_EQ(error_of("{\"a\":1,}"), "damaged JSON");
  EXPECT_EQ(error_of("{'a':1}"), "damaged JSON");
  EXPECT_EQ(error_of("{\"a\":NaN}"), "damaged JSON");
}

TEST(ObjectParser, RefusesDeepNestingWithoutCrashing) {
  std::string deep = "{\"a\":";
  deep += std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_EQ(error_of(deep), "damaged JSON: nested too deeply");
}

TEST(ObjectParser, ForgetsTheLineBefore) {
  ObjectParser parser;
  std::string good = "{\"a\":[1,2]}" + std::string(64, '\0');
  std::string bad = "{\"a\":" + std::string(64, '\0');
  ASSERT_TRUE(parser.parse({good.data(), 11}));
  EXPECT_EQ(parser.members().size(), 1u);
  EXPECT_FALSE(parser.parse({bad.data(), 5}));
  EXPECT_TRUE(parser.members().empty());
  ASSERT_TRUE(parser.parse({good.data(), 11}));
  EXPECT_EQ(parser.members().size(), 1u);
}

TEST(Value, IntegersStayExactToTheirLastBit) {
  OwnedObject o(R"({"min":-9223372036854775808,"max":9223372036854775807,"past":9223372036854775808})");
  ASSERT_TRUE(o.ok());
  EXPECT_EQ(member(o, "min")->as_int64(), INT64_MIN);
  EXPECT_EQ(member(o, "max")->as_int64(), INT64_MAX);
  EXPECT_EQ(member(o, "past")->as_int64(), std::nullopt);
  EXPECT_EQ(member(o, "past")->as_uint64(), 9223372036854775808u);
  EXPECT_EQ(member(o, "min")->as_uint64(), std::nullopt);
}

TEST(Value, AWholeDoubleIsAnInteger) {
  OwnedObject o(
      R"({"a":1000.0,"b":1e3,"c":1.5,"d":1e19,"e":-1.0,"f":1e20,"g":-9223372036854775808.0,"h":9223372036854775808.0})");
  ASSERT_TRUE(o.ok());
  EXPECT_EQ(member(o, "a")->as_int64(), 1000);
  EXPECT_EQ(member(o, "b")->as_uint64(), 1000u);
  EXPECT_EQ(member(o, "c")->as_int64(), std::nullopt);
  EXPECT_EQ(member(o, "d")->as_int64(), std::nullopt);
  EXPECT_EQ(member(o, "d")->as_uint64(), 10'000'000'000'000'000'000u);
  EXPECT_EQ(member(o, "e")->as_uint64(), std::nullopt);
  EXPECT_EQ(member(o, "f")->as_uint64(), std::nullopt);
  EXPECT_EQ(member(o, "g")->as_int64(), INT64_MIN);
  EXPECT_EQ(member(o, "h")->as_int64(), std::nullopt);
}

TEST(Value, AStringIsNoNumber) {
  OwnedObject o(R"({"a":"5","b":true})");
  ASSERT_TRUE(o.ok());
  EXPECT_EQ(member(o, "a")->as_int64(), std::nullopt);
  EXPECT_EQ(member(o, "a")->as_double(), std::nullopt);
  EXPECT_EQ(member(o, "b")->as_uint64(), std::nullopt);
}

TEST(Nested, ArraysAreReadWholeOrRefused) {
  OwnedObject o(R"({"a":[1,2,18446744073709551615],"b":[1,-2],"c":["x","y"],"d":["x",1],"e":5,"f":[]})");
  ASSERT_TRUE(o.ok());
  std::vector<uint64_t> numbers;
  EXPECT_TRUE(read_uint64_array(*member(o, "a"), numbers));
  EXPECT_EQ(numbers, (std::vector<uint64_t>{1, 2, 18446744073709551615u}));
  EXPECT_FALSE(read_uint64_array(*member(o, "b"), numbers));
  EXPECT_FALSE(read_uint64_array(*member(o, "e"), numbers));
  std::vector<std::string> texts;
  EXPECT_TRUE(read_string_array(*member(o, "c"), texts));
  EXPECT_EQ(texts, (std::vector<std::string>{"x", "y"}));
  EXPECT_FALSE(read_string_array(*member(o, "d"), texts));
  texts.clear();
  EXPECT_TRUE(read_string_array(*member(o, "f"), texts));
  EXPECT_TRUE(texts.empty());
}

TEST(Nested, MatricesKeepTheirRows) {
  OwnedObject o(R"({"m":[[1,2.5],[-3]],"bad":[[1],2],"worse":[["x"]]})");
  ASSERT_TRUE(o.ok());
  std::vector<std::vector<double>> rows;
  EXPECT_TRUE(read_matrix(*member(o, "m"), rows));
  EXPECT_EQ(rows, (std::vector<std::vector<double>>{{1, 2.5}, {-3}}));
  EXPECT_FALSE(read_matrix(*member(o, "bad"), rows));
  EXPECT_FALSE(read_matrix(*member(o, "worse"), rows));
}

TEST(Nested, TextIsMinified) {
  OwnedObject o("{\"a\": [ 1 , {\"b\" : \"c d\"} ], \"z\": {} }");
  ASSERT_TRUE(o.ok());
  EXPECT_EQ(json_text(*member(o, "a")), "[1,{\"b\":\"c d\"}]");
  EXPECT_EQ(json_text(*member(o, "z")), "{}");
}

TEST(Nested, MembersAndElementsAreFoundAtAnyDepth) {
  OwnedObject o(R"({"c":[{"d":{"t":"x","t":"y"},"n":null},7],"s":"text"})");
  ASSERT_TRUE(o.ok());
  const Value choices = *member(o, "c");
  const Value first = *element(choices, 0);
  EXPECT_EQ(member(*member(first, "d"), "t")->text, "x");  // the first of its name
  EXPECT_EQ(member(first, "n")->kind, Kind::null);
  EXPECT_EQ(element(choices, 1)->as_int64(), 7);
  EXPECT_FALSE(element(choices, 2));
  EXPECT_FALSE(member(first, "absent"));
}

TEST(Nested, LookupInWhatIsNoneFindsNothing) {
  OwnedObject o(R"({"a":[],"s":"text","n":null,"o":{}})");
  ASSERT_TRUE(o.ok());
  for (const char* key : {"a", "s", "n", "o"}) {
    EXPECT_FALSE(member(*member(o, key), "x")) << key;
    EXPECT_FALSE(element(*member(o, key), 0)) << key;
  }
}

TEST(Nested, MembersAndElementsAreReadInOrder) {
  OwnedObject o(R"({"o":{"b":1,"a":[2]},"a":[true,"x"]})");
  ASSERT_TRUE(o.ok());
  std::vector<Member> members;
  ASSERT_TRUE(read_members(*member(o, "o"), members));
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[0].key, "b");
  EXPECT_EQ(element(members[1].value, 0)->as_int64(), 2);
  std::vector<Value> values;
  ASSERT_TRUE(read_elements(*member(o, "a"), values));
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[1].text, "x");
  EXPECT_FALSE(read_members(*member(o, "a"), members));
  EXPECT_FALSE(read_elements(*member(o, "o"), values));
}

TEST(ObjectParser, CountsTheOutermostObjectAsOneLevel) {
  const auto nested = [](size_t depth) {
    return "{\"a\":" + std::string(depth - 1, '[') + "1" + std::string(depth - 1, ']') + "}";
  };
  for (const size_t depth : {2, 8, 1023}) {
    ObjectParser parser(depth);
    EXPECT_TRUE(parser.parse_copy(nested(depth))) << depth;
    EXPECT_FALSE(parser.parse_copy(nested(depth + 1))) << depth;
    EXPECT_EQ(parser.error(), "damaged JSON: nested too deeply");
  }
}

TEST(Object, TextWithoutPaddingIsCopied) {
  const std::string exact = R"({"a":1})";
  ObjectParser parser;
  std::vector<char> tight(exact.begin(), exact.end());
  ASSERT_TRUE(parser.parse_copy({tight.data(), tight.size()}));
  EXPECT_EQ(parser.find("a")->as_int64(), 1);
  EXPECT_FALSE(parser.parse_copy(""));
}

}  // namespace
}  // namespace mlq::jsonl
