#include "lib/serve/protocol/values.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lib/serve/protocol/oip.h"
#include "lib/serve/protocol/row_array.h"

namespace mlq::serve {
namespace {

template <class T>
std::vector<T> values_of(std::string_view type, std::string_view data, std::string_view shape) {
  const std::string body =
      fmt::format(R"({{"inputs":[{{"name":"x","shape":{},"datatype":"{}","data":{}}}]}})", shape, type, data);
  ParsedRequest request;
  const auto refusal = parse_v2(body, std::nullopt, Rules{}, request);
  EXPECT_FALSE(refusal) << refusal->message;
  std::vector<T> out;
  const auto refused = read_values(request.inputs.at(0), out);
  EXPECT_FALSE(refused) << refused->message;
  return out;
}

template <class Stored>
std::vector<double> binary_values(Datatype type, std::vector<Stored> stored) {
  InputTensor tensor;
  tensor.datatype = type;
  tensor.form = Form::binary;
  tensor.elements = stored.size();
  tensor.data = {reinterpret_cast<const char*>(stored.data()), stored.size() * sizeof(Stored)};
  std::vector<double> out;
  EXPECT_FALSE(read_values(tensor, out));
  return out;
}

TEST(Values, JsonReadsAsTheNearestValueOfTheDatatype) {
  EXPECT_EQ(values_of<double>("FP64", "[ 0.1, -1e-3 ,12345678901234567 ]", "[3]"),
            (std::vector<double>{0.1, -1e-3, 12345678901234567.0}));
  EXPECT_EQ(values_of<double>("FP32", "[[0.1],[2]]", "[2,1]"),
            (std::vector<double>{static_cast<double>(0.1f), 2}));
  EXPECT_EQ(values_of<float>("INT64", "[-9223372036854775808,9]", "[2]"), (std::vector<float>{-0x1p63f, 9}));
  EXPECT_EQ(values_of<float>("BOOL", "[true,false]", "[2]"), (std::vector<float>{1, 0}));
  EXPECT_EQ(values_of<double>("FP64", "[1e-999,-4.9e-324]", "[2]"),
            (std::vector<double>{0, -std::numeric_limits<double>::denorm_min()}));
}

TEST(Values, NumbersBeyondTheDatatypeAreRefused) {
  for (const auto& [type, data] :
       std::vector<std::pair<std::string_view, std::string_view>>{{"FP32", "[1e39]"},
                                                                  {"FP64", "[-1e999]"},
                                                                  {"INT8", "[128]"},
                                                                  {"UINT8", "[-1]"},
                                                                  {"UINT64", "[18446744073709551616]"}}) {
    const std::string body =
        fmt::format(R"({{"inputs":[{{"name":"x","shape":[1],"datatype":"{}","data":{}}}]}})", type, data);
    ParsedRequest request;
    ASSERT_FALSE(parse_v2(body, std::nullopt, Rules{}, request)) << body;
    std::vector<float> out;
    EXPECT_TRUE(read_values(request.inputs[0], out)) << body;
  }
}

TEST(Values, BinaryIsLittleEndian) {
  EXPECT_EQ(binary_values<uint16_t>(Datatype::uint16, {1, 65535}), (std::vector<double>{1, 65535}));
  EXPECT_EQ(binary_values<int64_t>(Datatype::int64, {-5}), (std::vector<double>{-5}));
  EXPECT_EQ(binary_values<float>(Datatype::fp32, {0.5f}), (std::vector<double>{0.5}));
  EXPECT_EQ(binary_values<uint8_t>(Datatype::boolean, {0, 1, 2}), (std::vector<double>{0, 1, 1}));
  // 1, -2, the largest, the smallest subnormal, infinity.
  EXPECT_EQ(binary_values<uint16_t>(Datatype::fp16, {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x7C00}),
            (std::vector<double>{1, -2, 65504, 0x1p-24, INFINITY}));
  EXPECT_EQ(binary_values<uint16_t>(Datatype::bf16, {0x3F80, 0xC000}), (std::vector<double>{1, -2}));
}

TEST(Values, BytesAreNoNumbers) {
  InputTensor tensor;
  tensor.datatype = Datatype::bytes;
  std::vector<float> out;
  EXPECT_TRUE(read_values(tensor, out));
}

TEST(Values, RowsOfV1) {
  const auto read = [](std::string body, size_t& width, std::vector<float>& out) {
    ParsedRequest request;
    EXPECT_FALSE(parse_v1(body, Rules{}, request));
    return read_rows(request, out, width);
  };
  size_t width = 0;
  std::vector<float> out;
  EXPECT_FALSE(read(R"({"instances": [[1, 2.5], [true, -3e1]]})", width, out));
  EXPECT_EQ(width, 2u);
  EXPECT_EQ(out, (std::vector<float>{1, 2.5, 1, -30}));
  EXPECT_TRUE(read(R"({"instances": [[1, 2], [3]]})", width, out));
  EXPECT_TRUE(read(R"({"instances": ["a"]})", width, out));
  EXPECT_TRUE(read(R"({"instances": [{"a":1}]})", width, out));
}

TEST(Values, ReplyHasTheOutputsAskedForInTheirOrder) {
  const std::string body =
      R"({"id":"a\"b","inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2]}],)"
      R"("outputs":[{"name":"label"},{"name":"p","parameters":{"binary_data":true}},{"name":"k"}]})";
  ParsedRequest request;
  ASSERT_FALSE(parse_v2(body, std::nullopt, Rules{}, request));
  const std::vector<float> p = {0.1f, -2, 0, 1};
  const std::vector<std::string> label = {"a\n", "é"};
  const std::vector<int64_t> k = {-7, 8};
  const std::vector<OutputValues> outputs = {{"p", {2, 2}, std::span(p)},
                                             {"label", {2}, std::span(label)},
                                             {"k", {2, 1}, std::span(k)},
                                             {"unasked", {2}, std::span(k)}};
  ReplyText reply;
  ASSERT_FALSE(write_v2(request, "m", "3", outputs, reply));
  const std::string json =
      R"({"model_name":"m","model_version":"3","id":"a\"b","outputs":[)"
      R"({"name":"label","shape":[2],"datatype":"BYTES","data":["a\n","é"]},)"
      R"({"name":"p","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}},)"
      R"({"name":"k","shape":[2,1],"datatype":"INT64","data":[-7,8]}]})";
  EXPECT_EQ(reply.json_bytes, json.size());
  EXPECT_EQ(reply.body.substr(0, json.size()), json);
  EXPECT_EQ(reply.body.substr(json.size()), std::string(reinterpret_cast<const char*>(p.data()), 16));
  EXPECT_TRUE(write_v2(request, "m", "", std::span(outputs).first(2), reply));  // there is no "k"
}

TEST(Values, NumbersOfAReplyReadBackAndNanIsPythons) {
  const std::vector<float> p = {0.1f, NAN, INFINITY, -INFINITY};
  ParsedRequest request;
  request.answers_pointer = "/a/b";
  EXPECT_EQ(write_rows(request, {"p", {2, 2}, std::span(p)}),
            R"({"a":{"b":[[0.1,NaN],[Infinity,-Infinity]]}})");
  request.answers_pointer = "";
  EXPECT_EQ(write_rows(request, {"p", {4}, std::span(p)}), "[0.1,NaN,Infinity,-Infinity]");
}

}  // namespace
}  // namespace mlq::serve
