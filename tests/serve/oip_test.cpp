#include "lib/serve/protocol/oip.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>

namespace mlq::serve {
namespace {

const std::vector<std::string> kBatchParams = {"temperature"};

struct Parsed {
  std::string body;
  ParsedRequest request;
  std::string refusal;  // empty: accepted
};

// On the heap: the request's views must not move.
std::unique_ptr<Parsed> parse(std::string body, std::optional<uint64_t> json_bytes = std::nullopt,
                              Rules rules = {}) {
  rules.batch_params = kBatchParams;
  auto out = std::make_unique<Parsed>();
  out->body = std::move(body);
  if (const auto refused = parse_v2(out->body, json_bytes, rules, out->request)) {
    EXPECT_EQ(refused->status, 400);
    out->refusal = refused->message;
    EXPECT_FALSE(out->refusal.empty());
  }
  return out;
}

std::string one_input(std::string_view shape, std::string_view type, std::string_view data) {
  return fmt::format(R"({{"inputs":[{{"name":"x","shape":{},"datatype":"{}","data":{}}}]}})", shape, type,
                     data);
}

std::string refusal(std::string body, std::optional<uint64_t> json_bytes = std::nullopt) {
  return parse(std::move(body), json_bytes)->refusal;
}

std::string_view alone(std::string body, Rules rules = {}) {
  const auto got = parse(std::move(body), std::nullopt, rules);
  EXPECT_EQ(got->refusal, "");
  return got->request.alone;
}

TEST(Oip, ReadsARequest) {
  const auto got = parse(
      R"({"id":"a\u0062","parameters":{"priority":2,"timeout":1500,"temperature":0.5},)"
      R"("inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1, 2.5], [-3e2,0] ]},)"
      R"({"name":"t","shape":[2],"datatype":"BYTES","parameters":{"content_type":"str"},"data":[ "é","\n" ]}],)"
      R"("outputs":[{"name":"y","parameters":{"binary_data":true}}]})");
  ASSERT_EQ(got->refusal, "");
  const ParsedRequest& r = got->request;
  EXPECT_EQ(r.alone, "");
  EXPECT_EQ(r.id, "a\\u0062");
  EXPECT_EQ(r.level, 2);
  EXPECT_EQ(r.timeout_ns, 1'500'000);
  EXPECT_EQ(r.rows, 2u);
  ASSERT_EQ(r.inputs.size(), 2u);
  EXPECT_EQ(r.inputs[0].form, Form::nested);
  EXPECT_EQ(r.inputs[0].data, "[1, 2.5], [-3e2,0]");
  EXPECT_EQ(r.inputs[0].elements, 4u);
  EXPECT_EQ(r.inputs[1].data, R"("é","\n")");
  ASSERT_EQ(r.inputs[1].parameters.size(), 1u);
  EXPECT_EQ(r.inputs[1].parameters[0].value, "\"str\"");
  ASSERT_EQ(r.outputs.size(), 1u);
  EXPECT_EQ(r.outputs[0].binary_data, true);
}

TEST(Oip, MembersMayComeInAnyOrder) {
  const auto got = parse(R"({"inputs":[{"data":[1,2],"datatype":"INT8","shape":[2],"name":"x"}]})");
  ASSERT_EQ(got->refusal, "");
  EXPECT_EQ(got->request.inputs[0].data, "1,2");
  EXPECT_NE(refusal(R"({"inputs":[{"data":[1,2.5],"datatype":"INT8","shape":[2],"name":"x"}]})"), "");
}

TEST(Oip, BinaryDataAreTakenInTheOrderOfTheInputs) {
  const std::string json =
      R"({"inputs":[{"name":"a","shape":[1,2],"datatype":"INT16","parameters":{"binary_data_size":4}},)"
      R"({"name":"b","shape":[1],"datatype":"FP32","data":[1]},)"
      R"({"name":"c","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}]})";
  const std::string blobs("\1\0\2\0\2\0\0\0hi", 10);
  const auto got = parse(json + blobs, json.size());
  ASSERT_EQ(got->refusal, "");
  EXPECT_EQ(got->request.alone, "");
  EXPECT_EQ(got->request.inputs[0].data, blobs.substr(0, 4));
  EXPECT_EQ(got->request.inputs[0].form, Form::binary);
  EXPECT_EQ(got->request.inputs[1].form, Form::flat);
  EXPECT_EQ(got->request.inputs[2].data, blobs.substr(4));
  EXPECT_TRUE(got->request.inputs[2].parameters.empty());
}

TEST(Oip, RefusalNamesFieldAndOffset) {
  const std::string body = one_input("[2]", "FP32", "[1,NaN]");
  EXPECT_EQ(refusal(body),
            fmt::format("inputs[0].data: byte {}: a number is missing here", body.find("NaN")));
}

TEST(OipBadInput, ShapeThatIsTooLargeNegativeOrNoInteger) {
  EXPECT_NE(refusal(one_input("[4294967296,2147483648]", "FP32", "[1]")), "");
  EXPECT_NE(refusal(one_input("[0,4294967296,4294967296]", "FP32", "[]")), "");
  EXPECT_NE(refusal(one_input("[18446744073709551616]", "FP32", "[1]")), "");
  EXPECT_NE(refusal(one_input("[-1]", "FP32", "[1]")), "");
  EXPECT_NE(refusal(one_input("[1.0]", "FP32", "[1]")), "");
  EXPECT_NE(refusal(one_input("[1,1,1,1,1,1,1,1,1]", "FP32", "[1]")), "");
  EXPECT_EQ(refusal(one_input("[1,1,1,1,1,1,1,1]", "FP32", "[1]")), "");
}

TEST(OipBadInput, ShapeThatLiesAboutTheData) {
  EXPECT_NE(refusal(one_input("[3]", "FP32", "[1,2]")), "");
  EXPECT_NE(refusal(one_input("[1]", "FP32", "[1,2]")), "");
  EXPECT_NE(refusal(one_input("[2,2]", "FP32", "[[1,2],[3]]")), "");
  EXPECT_NE(refusal(one_input("[9223372036854775807]", "FP32", "[1]")), "");
}

TEST(OipBadInput, BytesShapeThatLies) {  // MLServer #1718
  EXPECT_NE(refusal(one_input("[2]", "BYTES", R"(["a,b"])")), "");
  const std::string json =
      R"({"inputs":[{"name":"c","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":6}}]})";
  EXPECT_NE(refusal(json + std::string("\2\0\0\0hi", 6), json.size()), "");
}

TEST(OipBadInput, BytesLengthPastTheEnd) {
  const std::string json =
      R"({"inputs":[{"name":"c","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}]})";
  EXPECT_EQ(refusal(json + std::string("\2\0\0\0hi", 6), json.size()), "");
  EXPECT_NE(refusal(json + std::string("\3\0\0\0hi", 6), json.size()), "");
  EXPECT_NE(refusal(json + std::string("\xff\xff\xff\xffhi", 6), json.size()), "");
  EXPECT_NE(refusal(json + std::string("\1\0\0\0hi", 6), json.size()), "");
}

TEST(OipBadInput, BinarySizesThatDoNotFit) {
  const std::string json =
      R"({"inputs":[{"name":"c","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]})";
  EXPECT_EQ(refusal(json + "abcd", json.size()), "");
  EXPECT_NE(refusal(json + "abc", json.size()), "");
  EXPECT_NE(refusal(json + "abcde", json.size()), "");
  EXPECT_NE(refusal(json), "");
  EXPECT_NE(refusal(json + "abcd", json.size() + 5), "");  // header length > body
  const std::string huge =
      R"({"inputs":[{"name":"c","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":18446744073709551615}}]})";
  EXPECT_NE(refusal(huge + "abcd", huge.size()), "");
}

TEST(OipBadInput, DuplicateKeys) {
  EXPECT_NE(refusal(R"({"inputs":[],"inputs":[]})"), "");
  EXPECT_NE(refusal(R"({"id":"a","id":"b","inputs":[]})"), "");
  EXPECT_NE(refusal(R"({"parameters":{},"parameters":{},"inputs":[]})"), "");
  EXPECT_NE(refusal(R"({"parameters":{"a":1,"b":1,"a":1},"inputs":[]})"), "");
  for (const std::string_view key :
       {R"("name":"y")", R"("shape":[1])", R"("datatype":"FP32")", R"("data":[1])"})
    EXPECT_NE(refusal(fmt::format(
                  R"({{"inputs":[{{"name":"x","shape":[1],"datatype":"FP32","data":[1],{}}}]}})", key)),
              "")
        << key;
}

TEST(OipBadInput, KeyHiddenByAnEscapeIsNeverMerged) {
  EXPECT_NE(alone(R"({"inp\u0075ts":[],"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]})"),
            "");
  EXPECT_NE(alone(R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1],"d\u0061ta":[1,2]}]})"),
            "");
  EXPECT_NE(
      alone(
          R"({"parameters":{"sequence\u005fid":1},"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]})"),
      "");
}

TEST(OipBadInput, DepthRankAndTensorsAreLimited) {
  EXPECT_NE(refusal(R"({"x":)" + std::string(16, '[') + std::string(16, ']') + "}"), "");
  EXPECT_EQ(refusal(R"({"x":)" + std::string(15, '[') + std::string(15, ']') + "}"), "");
  EXPECT_NE(refusal(std::string(1 << 20, '[')), "");
  const auto many = [](size_t n) {
    std::string body = R"({"inputs":[)";
    for (size_t k = 0; k < n; ++k)
      body += R"({"name":"x","shape":[1],"datatype":"FP32","data":[1]})" + std::string(k + 1 < n ? "," : "");
    return body + "]}";
  };
  EXPECT_EQ(refusal(many(64)), "");
  EXPECT_NE(refusal(many(65)), "");
}

TEST(OipBadInput, TextThatIsNoStrictJson) {
  for (const std::string_view data :
       {"[1,,2]",       "[1 2]",    "[NaN,1]",  "[1,{2],3]", "[0x3,1]", "[1,2,]", "[01,2]",
        "[+1,2]",       "[1.,2]",   "[.5,2]",   "[1e,2]",    "[--1,2]", "[1,2",   "[1,2}",
        "[1,Infinity]", "[1,null]", "[1,true]", "[1,\"2\"]", "[-,1]",   "[1,2]]"})
    EXPECT_NE(refusal(one_input("[2]", "FP32", data)), "") << data;
  for (const std::string_view data :
       {R"(["\x"])", R"(["a)", "[\"\n\"]", "[\"\xff\"]", R"(["\ud800"])", R"(["\u12g4"])", "['a']", "[1]"})
    EXPECT_NE(refusal(one_input("[1]", "BYTES", data)), "") << data;
  EXPECT_NE(refusal(one_input("[2]", "BOOL", "[0,1]")), "");
  EXPECT_NE(refusal(one_input("[2]", "INT32", "[1,2.0]")), "");
  EXPECT_NE(refusal(one_input("[1]", "FP16", "[1]")), "");
  EXPECT_NE(refusal(one_input("[1]", "FP8", "[1]")), "");
  EXPECT_NE(refusal(one_input("[1]", "FP32", "[1]") + "x"), "");
  EXPECT_NE(refusal("\xEF\xBB\xBF" + one_input("[1]", "FP32", "[1]")), "");
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal("[]"), "");
  EXPECT_NE(refusal(R"({"parameters":{"priority":-1},"inputs":[]})"), "");
  EXPECT_NE(refusal(R"({"parameters":{"timeout":"1"},"inputs":[]})"), "");
}

TEST(OipAlone, WhatIsNeverBatched) {
  const std::string good = one_input("[1]", "FP32", "[1]");
  const auto with = [&](std::string_view member) {
    return std::string("{").append(member).append(",").append(std::string_view(good).substr(1));
  };
  EXPECT_EQ(alone(good), "");
  EXPECT_EQ(
      alone(with(R"("parameters":{"temperature":1,"priority":0,"timeout":0,"binary_data_output":false})")),
      "");
  EXPECT_NE(alone(with(R"("parameters":{"sequence_id":1})")), "");
  EXPECT_NE(alone(with(R"("parameters":{"other":1})")), "");
  EXPECT_NE(alone(with(R"("parameters":{"temperature":[1]})")), "");
  EXPECT_NE(alone(with(R"("model_name":"m")")), "");
  EXPECT_NE(alone(with(R"("id":7)")), "");
  EXPECT_NE(alone(with(R"("outputs":[{"name":"y","parameters":{"shared_memory_region":"r"}}])")), "");
  EXPECT_NE(
      alone(
          R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"shared_memory_region":"r"}}]})"),
      "");
  EXPECT_NE(alone(one_input("[0]", "FP32", "[]")), "");
  EXPECT_NE(alone(one_input("[0,2]", "FP32", "[]")), "");
  EXPECT_NE(alone(one_input("[2,0]", "FP32", "[[],[]]")), "");
  EXPECT_NE(alone(one_input("[]", "FP32", "[1]")), "");
  EXPECT_NE(alone(one_input("[2,2]", "FP32", "[[1,2,3],[4]]")), "");  // ragged
  EXPECT_NE(alone(R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]},)"
                  R"({"name":"y","shape":[2],"datatype":"FP32","data":[1,2]}]})"),
            "");
  EXPECT_NE(alone(R"({"inputs":[]})"), "");
  EXPECT_NE(alone(one_input("[3]", "FP32", "[1,2,3]"), {.max_rows = 2}), "");
  EXPECT_NE(alone(good, {.max_batch_bytes = 10}), "");
  EXPECT_NE(alone(good, {.batchable = false}), "");
  EXPECT_NE(parse("\1\2\3", 0)->request.alone, "");  // a raw body
}

TEST(OipAlone, PriorityAndTimeoutAreStillRead) {
  const auto got =
      parse(R"({"parameters":{"other":1,"priority":99,"timeout":18446744073709551615},"inputs":[]})");
  EXPECT_NE(got->request.alone, "");
  EXPECT_EQ(got->request.level, 8);
  EXPECT_GT(got->request.timeout_ns, int64_t{1} << 62);
}

}  // namespace
}  // namespace mlq::serve
