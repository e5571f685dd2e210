#include "lib/records/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "lib/records/arrival.h"
#include "lib/records/stream.h"
#include "lib/records/trace.h"

namespace mlq::records {
namespace {

template <class T>
std::string line_of(const T& record) {
  jsonl::Buffer buffer;
  write_record(buffer, record);
  return std::string(buffer.view());
}

// Reads `json` into a T; the parser is kept by the caller of read().
template <class T>
struct Read {
  explicit Read(std::string_view json) : object(json) {
    result = read_record(object.parser().members(), record);
  }
  jsonl::OwnedObject object;
  T record;
  ReadResult result;
};

template <class T>
std::string error_of(std::string_view json) {
  const Read<T> read(json);
  return read.result.ok ? "" : read.result.error;
}

Arrival full_arrival() {
  Arrival a;
  a.t_ns = 12'500'000;
  a.i = 18446744073709551615u;
  a.klass = "chat \"\u00e9\"\n";
  a.input_tokens = 4294967295u;
  a.output_tokens = 0;
  a.size_bytes = 1;
  a.rows = 2;
  a.key = 3;
  a.conversation = "";
  a.turn = 4;
  a.after_i = 5;
  a.think_ns = -6;
  a.prefix_ids = {7, 8};
  a.method = "GET";
  a.path = "/a?b";
  a.prompt = "p";
  a.body = "{}";
  a.deadline_ns = 9;
  a.segment = 10;
  a.episode = 11;
  return a;
}

TEST(Codec, TypeComesFirstAndUnsetFieldsAreLeftOut) {
  EXPECT_EQ(line_of(Arrival{.t_ns = 5}), "{\"type\":\"arrival\",\"t_ns\":5}\n");
  Arrival a;
  a.klass = "chat";
  EXPECT_EQ(line_of(a), "{\"type\":\"arrival\",\"t_ns\":0,\"class\":\"chat\"}\n");
}

TEST(Codec, FieldsAreWrittenInTheOrderOfTheirDeclaration) {
  EXPECT_EQ(line_of(full_arrival()),
            "{\"type\":\"arrival\",\"t_ns\":12500000,\"i\":18446744073709551615,\"class\":\"chat "
            "\\\"\u00e9\\\"\\n\","
            "\"input_tokens\":4294967295,\"output_tokens\":0,\"size_bytes\":1,\"rows\":2,\"key\":3,"
            "\"conversation\":\"\",\"turn\":4,\"after_i\":5,\"think_ns\":-6,\"prefix_ids\":[7,8],"
            "\"method\":\"GET\",\"path\":\"/a?b\",\"prompt\":\"p\",\"body\":\"{}\",\"deadline_ns\":9,"
            "\"segment\":10,\"episode\":11}\n");
}

TEST(Codec, WhatIsWrittenReadsBackToTheSameRecord) {
  const std::string line = line_of(full_arrival());
  const Read<Arrival> read(line);
  ASSERT_TRUE(read.result.ok) << read.result.error;
  EXPECT_EQ(read.result.unknown, "");
  EXPECT_EQ(line_of(read.record), line);
}

TEST(Codec, ExtremeTimesStayExact) {
  for (const int64_t t : {INT64_MIN, INT64_MAX, int64_t{0}, (int64_t{1} << 53) + 1}) {
    const std::string line = line_of(Arrival{.t_ns = t});
    EXPECT_EQ(Read<Arrival>(line).record.t_ns, t);
  }
}

TEST(Codec, NanIsWrittenAsNullAndReadBackAsNan) {
  records::Test test;
  test.name = "ks";
  test.statistic = std::nan("");
  const std::string line = line_of(test);
  EXPECT_NE(line.find("\"statistic\":null"), std::string::npos) << line;
  Bin bin;
  bin.count = std::nan("");
  const std::string text = line_of(bin);
  EXPECT_TRUE(std::isnan(Read<Bin>(text).record.count)) << text;
}

TEST(Codec, NullOfAnOptionalFieldMeansThatItIsUnset) {
  const Read<Arrival> read(R"({"type":"arrival","t_ns":1,"class":null,"prefix_ids":null})");
  ASSERT_TRUE(read.result.ok) << read.result.error;
  EXPECT_FALSE(read.record.klass.has_value());
  EXPECT_FALSE(read.record.prefix_ids.has_value());
}

TEST(Codec, NamesTheFieldThatIsMissing) {
  EXPECT_EQ(error_of<Arrival>(R"({"type":"arrival"})"), "missing field \"t_ns\"");
  EXPECT_EQ(error_of<Bin>(R"({"type":"bin","t_ns":1,"count":2})"), "missing field \"dt_ns\"");
}

TEST(Codec, NamesTheFieldWhoseValueIsWrong) {
  EXPECT_EQ(error_of<Arrival>(R"({"t_ns":"soon"})"), R"(field "t_ns" is "soon"; it must be of type int64)");
  EXPECT_EQ(error_of<Arrival>(R"({"t_ns":1.5})"), R"(field "t_ns" is 1.5; it must be of type int64)");
  EXPECT_EQ(error_of<Arrival>(R"({"t_ns":null})"), R"(field "t_ns" is null; it must be of type int64)");
  EXPECT_EQ(error_of<Arrival>(R"({"t_ns":1,"class":7})"), R"(field "class" is 7; it must be of type string)");
  EXPECT_EQ(error_of<Arrival>(R"({"t_ns":1,"rows":-1})"), R"(field "rows" is -1; it must be of type uint32)");
  EXPECT_EQ(error_of<Arrival>(R"({"t_ns":1,"rows":4294967296})"),
            R"(field "rows" is 4294967296; it must be of type uint32)");
  EXPECT_EQ(error_of<Arrival>(R"({"t_ns":9223372036854775808})"),
            R"(field "t_ns" is 9223372036854775808; it must be of type int64)");
  EXPECT_EQ(error_of<Arrival>(R"({"t_ns":1,"prefix_ids":["a"]})"),
            R"(field "prefix_ids" is an array; it must be of type array of uint64)");
  EXPECT_EQ(error_of<End>(R"({"count":1,"interrupted":"yes"})"),
            R"(field "interrupted" is "yes"; it must be of type bool)");
}

TEST(Codec, QuotesOnlyTheBeginningOfALongValueAndNoPieceOfACharacter) {
  const std::string wrong = "{\"t_ns\":\"" + std::string(39, 'x') + "\u00e9\"}";
  const std::string error = error_of<Arrival>(wrong);
  EXPECT_EQ(error, "field \"t_ns\" is \"" + std::string(39, 'x') + "...\"; it must be of type int64");
}

TEST(Codec, RefusesADuplicateField) {
  EXPECT_EQ(error_of<Arrival>(R"({"t_ns":1,"t_ns":1})"), "duplicate field \"t_ns\"");
  EXPECT_EQ(error_of<Arrival>(R"({"t_ns":1,"class":null,"class":"a"})"), "duplicate field \"class\"");
}

TEST(Codec, PassesUnknownFieldsOverAndNamesTheFirst) {
  const Read<Arrival> read(R"({"type":"arrival","t_ns":1,"zone":"eu","other":[1]})");
  ASSERT_TRUE(read.result.ok);
  EXPECT_EQ(read.result.unknown, "zone");
}

TEST(Codec, AWholeDoubleMayStandForAnInteger) {
  EXPECT_EQ(Read<Arrival>(R"({"t_ns":1e9})").record.t_ns, 1'000'000'000);
  EXPECT_EQ(Read<Arrival>(R"({"t_ns":5.0})").record.t_ns, 5);
}

TEST(Codec, JsonIsPassedOnAsItCame) {
  records::Run run;
  run.tool = "mlq-test";
  run.version = "1";
  run.argv = {"mlq-test", "a b", ""};
  run.inputs = RawJson{"[{\"type\":\"run\",\"tool\":\"x\"}]"};
  const std::string line = line_of(run);
  const Read<records::Run> read(line);
  ASSERT_TRUE(read.result.ok) << read.result.error;
  EXPECT_EQ(read.record.inputs->text, run.inputs->text);
  EXPECT_EQ(read.record.argv, run.argv);
  EXPECT_EQ(line_of(read.record), line);
}

TEST(Codec, JsonMayBeAnyValue) {
  for (const std::string value :
       {"5", "-2.5", "18446744073709551615", "true", "\"a\\\"b\"", "[1,{}]", "{\"a\":null}"}) {
    const std::string line =
        R"({"type":"run","tool":"a","version":"1","schema":1,"argv":[],"inputs":)" + value + "}\n";
    const Read<records::Run> read(line);
    ASSERT_TRUE(read.result.ok) << read.result.error;
    EXPECT_EQ(read.record.inputs->text, value);
    EXPECT_EQ(line_of(read.record), line);
  }
}

}  // namespace
}  // namespace mlq::records
