// What a container can do wrong, and what must not be merged.
#include "lib/serve/protocol/split.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lib/serve/protocol/batch_key.h"
#include "lib/serve/protocol/cache_key.h"
#include "lib/serve/protocol/merge.h"
#include "lib/serve/protocol/oip.h"
#include "lib/serve/protocol/row_array.h"

namespace mlq::serve {
namespace {

// Two clients of 1 and 2 rows, the first with an id; both ask for y.
class SplitOf : public testing::Test {
 protected:
  SplitOf() {
    for (size_t k = 0; k < 2; ++k) {
      EXPECT_FALSE(parse_v2(bodies_[k], std::nullopt, Rules{}, requests_[k]));
      batch_[k] = &requests_[k];
    }
  }

  Split got(std::string reply, std::optional<uint64_t> json_bytes = std::nullopt) {
    reply_ = std::move(reply);
    return split({reply_, json_bytes}, batch_, "u1", rules_);
  }
  Split got_outputs(std::string_view outputs) {
    return got(fmt::format(R"({{"id":"u1","outputs":[{}]}})", outputs));
  }

  // A failure that says `what`.
  void refuses(std::string_view outputs, std::string_view what) {
    const Split result = got_outputs(outputs);
    EXPECT_TRUE(result.replies.empty()) << outputs;
    EXPECT_NE(result.failure.find(what), std::string::npos) << result.failure << " for " << outputs;
  }

  std::string bodies_[2] = {
      R"({"id":"one","inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"outputs":[{"name":"y"}]})",
      R"({"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[2,3]}],"outputs":[{"name":"y"}]})"};
  ParsedRequest requests_[2];
  const ParsedRequest* batch_[2];
  std::string reply_;
  SplitRules rules_;
};

TEST_F(SplitOf, GoodReply) {
  const Split result =
      got_outputs(R"({"name":"y","shape":[3,1],"datatype":"FP32","data":[1.0, NaN,-Infinity ]})");
  ASSERT_EQ(result.failure, "");
  EXPECT_EQ(result.replies[0].body.text(),
            R"({"id":"one","outputs":[{"name":"y","shape":[1,1],"datatype":"FP32","data":[1.0 ]}]})");
  EXPECT_EQ(result.replies[1].body.text(),
            R"({"outputs":[{"name":"y","shape":[2,1],"datatype":"FP32","data":[NaN,-Infinity ]}]})");
  EXPECT_FALSE(result.replies[0].json_bytes);
}

TEST_F(SplitOf, RowsThatAreNotOurs) {  // MLServer #903, TorchServe #730
  refuses(R"({"name":"y","shape":[2],"datatype":"FP32","data":[1,2]})", "output \"y\"");
  refuses(R"({"name":"y","shape":[2],"datatype":"FP32","data":[1,2]})", "[2], 3 rows went up");
  refuses(R"({"name":"y","shape":[4],"datatype":"FP32","data":[1,2,3,4]})", "[4], 3 rows went up");
  refuses(R"({"name":"y","shape":[],"datatype":"FP32","data":[1]})", "[], 3 rows went up");
  refuses(R"({"name":"y","shape":[1,3],"datatype":"FP32","data":[1,2,3]})", "[1,3], 3 rows went up");
}

TEST_F(SplitOf, EachOutputIsCheckedByItself) {  // MLServer: one mini-batch size for all heads
  const std::string y = R"({"name":"y","shape":[3],"datatype":"FP32","data":[1,2,3]})";
  for (ParsedRequest& request : requests_) request.outputs.clear();
  refuses(y + R"(,{"name":"z","shape":[6],"datatype":"FP32","data":[1,2,3,4,5,6]})", "output \"z\"");
  const Split wider =
      got_outputs(y + R"(,{"name":"z","shape":[3,2],"datatype":"FP32","data":[1,2,3,4,5,6]})");
  ASSERT_EQ(wider.failure, "");
  EXPECT_NE(wider.replies[1].body.text().find("[3,4,5,6]"), std::string::npos);
}

TEST_F(SplitOf, DataThatAreNotWhatTheShapeSays) {
  refuses(R"({"name":"y","shape":[3],"datatype":"FP32","data":[1,2]})", "hold 2 elements, the shape says 3");
  refuses(R"({"name":"y","shape":[3,2],"datatype":"FP32","data":[[1,2],[3],[4,5,6]]})", "nested");
  refuses(R"({"name":"y","shape":[3],"datatype":"BYTES","data":[1,2,3]})", "a string is missing");
  refuses(R"({"name":"y","shape":[3],"datatype":"FP32"})", "no data");
  refuses(R"({"name":"y","shape":[3],"datatype":"FP31","data":[1,2,3]})", "datatype");
  refuses(R"({"name":"y","shape":[3,4294967296,4294967296],"datatype":"FP32","data":[1]})", "2^63");
  refuses(R"({"name":"y","datatype":"FP32","data":[1,2,3]})", "missing");
  refuses(R"({"name":"y","shape":[3],"datatype":"FP32","data":[1,2,3],"data":[1,2,3]})", "twice");
  refuses(R"({"name":"y","shape":[3],"datatype":"FP32","parameters":{"binary_data_size":12}})",
          "Inference-Header-Content-Length");
}

TEST_F(SplitOf, MissingExtraRenamedAndDuplicateOutputs) {
  const std::string y = R"({"name":"y","shape":[3],"datatype":"FP32","data":[1,2,3]})";
  const std::string z = R"({"name":"z","shape":[3],"datatype":"FP32","data":[1,2,3]})";
  refuses("", "output \"y\" is missing");
  refuses(z, "output \"y\" is missing");
  refuses(y + "," + z, "output \"z\" was not asked for");
  refuses(y + "," + y, "output \"y\" is there twice");
  EXPECT_EQ(got_outputs(y).failure, "");
}

TEST_F(SplitOf, MetadataNameOutputsAndDatatypes) {
  const std::vector<DeclaredOutput> declared = {{"y", Datatype::fp32}, {"z", Datatype::int64}};
  rules_.declared = declared;
  const std::string y = R"({"name":"y","shape":[3],"datatype":"FP32","data":[1,2,3]})";
  const std::string z = R"({"name":"z","shape":[3],"datatype":"INT64","data":[1,2,3]})";
  EXPECT_EQ(got_outputs(y).failure, "");
  refuses(R"({"name":"y","shape":[3],"datatype":"FP64","data":[1,2,3]})", "is FP64, the metadata say FP32");
  for (ParsedRequest& request : requests_) request.outputs.clear();  // ask for all
  refuses(y, "output \"z\" is missing");
  EXPECT_EQ(got_outputs(z + "," + y).failure, "");  // by name, not by order
  refuses(y + "," + z + R"(,{"name":"w","shape":[3],"datatype":"INT64","data":[1,2,3]})",
          "not in the metadata");
}

TEST_F(SplitOf, NamesMatchHoweverTheyAreEscaped) {
  const std::vector<DeclaredOutput> declared = {{"y", Datatype::fp32}};
  rules_.declared = declared;
  EXPECT_EQ(got_outputs(R"({"n\u0061me":"\u0079","shape":[3],"datatype":"FP32","data":[1,2,3]})").failure,
            "");
}

TEST_F(SplitOf, TextThatIsNoReply) {
  for (const std::string text : {"", "Internal error", "[]", "{", R"({"id":"u1"})", R"({"outputs":{}})",
                                 R"({"id":"u1","outputs":[]} x)", R"({"outputs":[],"outputs":[]})"})
    EXPECT_NE(got(text).failure, "") << text;
  EXPECT_NE(got(R"({"outputs":[]})", 100).failure, "");
}

TEST_F(SplitOf, IdOfAnotherRequest) {  // MLServer #1306: replies never go to the wrong clients
  const std::string outputs = R"("outputs":[{"name":"y","shape":[3],"datatype":"FP32","data":[1,2,3]}])";
  EXPECT_NE(got(fmt::format(R"({{"id":"u2",{}}})", outputs)).failure, "");
  EXPECT_NE(got(fmt::format(R"({{"id":"u1","id":"u1",{}}})", outputs)).failure, "");
  EXPECT_NE(got(fmt::format(R"({{"id":1,{}}})", outputs)).failure, "");
  EXPECT_EQ(got(fmt::format(R"({{"id":null,{}}})", outputs)).failure, "");
  const Split last = got(fmt::format(R"({{{} , "id" : "u1" }})", outputs));
  ASSERT_EQ(last.failure, "");
  EXPECT_TRUE(last.replies[0].body.text().ends_with(R"( , "id" : "one" })"));
  EXPECT_TRUE(last.replies[1].body.text().ends_with("]}] }"));
}

TEST_F(SplitOf, BroadcastOutputsAreCopied) {
  const std::vector<std::string> broadcast = {"y"};
  rules_.broadcast_outputs = broadcast;
  const std::string y = R"({"name":"y","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4]]})";
  const Split result = got_outputs(y);
  ASSERT_EQ(result.failure, "");
  for (const ClientReply& reply : result.replies) EXPECT_NE(reply.body.text().find(y), std::string::npos);
  refuses(R"({"name":"y","shape":[2,2],"datatype":"FP32","data":[1,2,3]})", "elements");
}

TEST_F(SplitOf, BinaryBlobs) {
  const auto header = [](std::string_view shape, std::string_view type, uint64_t size) {
    return fmt::format(
        R"({{"id":"u1","outputs":[{{"name":"y","shape":{},"datatype":"{}","parameters":{{"binary_data_size":{}}}}}]}})",
        shape, type, size);
  };
  const auto result = [&](std::string json, std::string blob) { return got(json + blob, json.size()); };
  const Split good = result(header("[3,1]", "INT16", 6), "aabbcc");
  ASSERT_EQ(good.failure, "");
  const std::string first = good.replies[0].body.text();
  EXPECT_EQ(first.substr(*good.replies[0].json_bytes), "aa");
  EXPECT_NE(first.find("\"binary_data_size\":2"), std::string::npos);
  EXPECT_EQ(good.replies[1].body.text().substr(*good.replies[1].json_bytes), "bbcc");

  EXPECT_NE(result(header("[3]", "INT16", 6), "aabbc").failure, "");
  EXPECT_NE(result(header("[3]", "INT16", 6), "aabbccd").failure, "");
  EXPECT_NE(result(header("[3]", "INT16", 4), "aabb").failure, "");
  EXPECT_NE(result(header("[3]", "BYTES", 6), std::string("\2\0\0\0hi", 6)).failure, "");
  EXPECT_NE(result(header("[3]", "BYTES", 6), std::string("\xff\0\0\0hi", 6)).failure, "");
  const std::string three("\1\0\0\0a\0\0\0\0\2\0\0\0bc", 15);
  const Split bytes = result(header("[3]", "BYTES", 15), three);
  ASSERT_EQ(bytes.failure, "");
  EXPECT_EQ(bytes.replies[0].body.text().substr(*bytes.replies[0].json_bytes), three.substr(0, 5));
  EXPECT_EQ(bytes.replies[1].body.text().substr(*bytes.replies[1].json_bytes), three.substr(5));
}

TEST(SplitRows, AnotherNumberOfAnswersIsAFailure) {
  const std::string body = R"({"instances":[1,2]})";
  ParsedRequest request;
  ASSERT_FALSE(parse_v1(body, Rules{}, request));
  const ParsedRequest* batch[] = {&request, &request};
  const auto failure = [&](std::string_view reply) {
    return split({reply, std::nullopt}, batch, "", {}).failure;
  };
  EXPECT_EQ(failure(R"({"predictions":[1,2,NaN,[4]]})"), "");
  EXPECT_NE(failure(R"({"predictions":[1,2,3]})"), "");
  EXPECT_NE(failure(R"({"predictions":[]})"), "");
  EXPECT_NE(failure(R"({"predictions":{"a":[1,2,3,4]}})"), "");
  EXPECT_NE(failure(R"({"outputs":[1,2,3,4]})"), "");
  EXPECT_NE(failure(R"({"predictions":[1,2,3,4],"predictions":[1,2,3,4]})"), "");
  EXPECT_NE(failure(R"({"predictions":[1,2,3,4])"), "");
  EXPECT_NE(failure("oops"), "");
}

TEST(RowArray, WhatGoesAloneAndWhatIsRefused) {
  const auto parse = [](std::string body, ParsedRequest& request) {
    return parse_v1(body, {.max_rows = 3}, request);
  };
  ParsedRequest r;
  for (const std::string body :
       {R"({"inputs":{"a":[1,2]}})", R"({"instances":[]})", R"({"instances":[[1],[1,2]]})",
        R"({"instances":[1,"a"]})", R"({"instances":7})", R"({"instances":[1,2,3,4]})", "[1]"}) {
    EXPECT_FALSE(parse(body, r)) << body;
    EXPECT_NE(r.alone, "") << body;
  }
  for (const std::string body :
       {R"({"instances":[1,]})", R"({"instances":[1],"instances":[2]})", R"({"instances":[NaN]})",
        R"({"instances":[1]}])", R"({"instances":[1 2]})", R"({"instances":[{"a"}]})", ""})
    EXPECT_TRUE(parse(body, r)) << body;
  ASSERT_FALSE(parse_plain("[[1,2],[3,4]]", {"", "/a"}, Rules{}, r));
  EXPECT_EQ(r.alone, "");
  EXPECT_EQ(r.rows, 2u);
  ASSERT_FALSE(parse_plain(R"([0,{"x":[5]}])", {"/1/x", "/a"}, Rules{}, r));
  EXPECT_EQ(r.alone, "");
  EXPECT_EQ(r.row_text, "5");
}

std::string key_of(std::string_view body, std::string_view forwarded = "") {
  static const std::vector<std::string> params = {"a", "b"};
  ParsedRequest request;
  const auto refused = parse_v2(body, std::nullopt, {.batch_params = params}, request);
  EXPECT_FALSE(refused) << refused->message;
  return batch_key(request, "m", "1", forwarded).text;
}

std::string input(std::string_view members) {
  return fmt::format(R"({{"inputs":[{{"name":"x","datatype":"FP32",{}}}]}})", members);
}

TEST(BatchKey, OrderOfParametersAndBlanksDoNotMatterButNumberTextDoes) {
  const auto with = [](std::string_view parameters) {
    return key_of(fmt::format(
        R"({{"parameters":{},"inputs":[{{"name":"x","datatype":"FP32","shape":[1],"data":[1]}}]}})",
        parameters));
  };
  EXPECT_EQ(with(R"({"a":1,"b":"x"})"), with(R"({ "b" : "x", "a":1 })"));
  EXPECT_EQ(with(R"({"a":1})"), with(R"({"a":1,"priority":3,"timeout":7})"));
  EXPECT_NE(with(R"({"a":1})"), with(R"({"a":1.0})"));
  EXPECT_NE(with(R"({"a":1})"), with(R"({"b":1})"));
  EXPECT_NE(with(R"({"a":"1"})"), with(R"({"a":1})"));
}

TEST(BatchKey, HoldsEverythingThatMustBeEqual) {
  const std::string base = key_of(input(R"("shape":[1,2],"data":[1,2])"));
  EXPECT_EQ(base, key_of(input(R"("shape":[2,2],"data":[1,2,3,4])")));
  EXPECT_NE(base, key_of(input(R"("shape":[1,3],"data":[1,2,3])")));  // Clipper #312
  EXPECT_NE(base, key_of(input(R"("shape":[1,2],"data":[[1,2]])")));  // form
  EXPECT_NE(base, key_of(input(R"("shape":[1,2,1],"data":[1,2])")));
  EXPECT_NE(base, key_of(input(R"("shape":[1,2],"data":[1,2],"parameters":{"c":1})")));
  EXPECT_NE(base, key_of(input(R"("shape":[1,2],"data":[1,2])"), "authorization: x"));
  const auto asking = [](std::string_view outputs) {
    return key_of(fmt::format(
        R"({{"outputs":{},"inputs":[{{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}}]}})",
        outputs));
  };
  EXPECT_EQ(base, asking("[]"));
  EXPECT_NE(base, asking(R"([{"name":"y"}])"));  // MLServer #514
  EXPECT_NE(asking(R"([{"name":"y"}])"), asking(R"([{"name":"z"}])"));
  EXPECT_NE(asking(R"([{"name":"y"}])"), asking(R"([{"name":"y","parameters":{"classification":2}}])"));
  EXPECT_NE(asking(R"([{"name":"y"},{"name":"z"}])"), asking(R"([{"name":"z"},{"name":"y"}])"));
}

TEST(BatchKey, RowArraysOfAnotherFormOrSurroundingsAreApart) {
  const auto key = [](std::string body) {
    ParsedRequest request;
    EXPECT_FALSE(parse_v1(body, Rules{}, request));
    return batch_key(request, "m", "", "");
  };
  EXPECT_EQ(key(R"({"instances":[[1,2]],"a":1})"), key(R"({ "instances" : [ [3,4], [5,6.5] ], "a": 1 })"));
  EXPECT_FALSE(key(R"({"instances":[[1,2]]})") == key(R"({"instances":[[1,2,3]]})"));
  EXPECT_FALSE(key(R"({"instances":[[1,2]]})") == key(R"({"instances":[["1","2"]]})"));
  EXPECT_FALSE(key(R"({"instances":[{"a":1}]})") == key(R"({"instances":[{"b":1}]})"));
  EXPECT_FALSE(key(R"({"instances":[1],"a":1})") == key(R"({"instances":[1],"a":2})"));
}

TEST(Merge, KeepsOutputsAndParametersButNotPriorityAndTimeout) {  // MLServer #514
  const std::string body =
      R"({"id":"a","parameters":{"priority":1,"binary_data_output":false,"timeout":5},)"
      R"("inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","parameters":{"c":"d"},"data":[[1]]}],)"
      R"("outputs":[{"name":"y","parameters":{"classification":2}}]})";
  ParsedRequest request;
  ASSERT_FALSE(parse_v2(body, std::nullopt, Rules{}, request));
  const ParsedRequest* batch[] = {&request, &request};
  EXPECT_EQ(
      merge(batch, "u").body.text(),
      R"({"id":"u","parameters":{"binary_data_output":false},)"
      R"("inputs":[{"name":"x","shape":[2,1],"datatype":"FP32","parameters":{"c":"d"},"data":[[1],[1]]}],)"
      R"("outputs":[{"name":"y","parameters":{"classification":2}}]})");
}

TEST(CacheText, BlanksDoNotCountAndTextDoes) {
  const auto text = [](std::string_view shape, std::string_view type, std::string_view data) {
    const std::string body = fmt::format(
        R"({{"inputs":[{{"name":"x","shape":{},"datatype":"{}","data":{}}}]}})", shape, type, data);
    ParsedRequest request;
    EXPECT_FALSE(parse_v2(body, std::nullopt, Rules{}, request));
    std::string out;
    append_cache_text(request, out);
    return out;
  };
  EXPECT_EQ(text("[2]", "FP32", "[1, 2]"), text("[2]", "FP32", "[ 1\n,2]"));
  EXPECT_NE(text("[1]", "FP32", "[1]"), text("[1]", "FP32", "[1.0]"));
  EXPECT_NE(text("[1]", "BYTES", R"(["a b"])"), text("[1]", "BYTES", R"(["ab"])"));
  EXPECT_NE(text("[1]", "BYTES", R"(["a\" b"])"), text("[1]", "BYTES", R"(["a\"b"])"));
}

TEST(AnswersRows, CountsTheAnswersOfRepliesThatAreNotV2) {
  ParsedRequest r;
  ASSERT_FALSE(parse_plain(R"({"rows":[[1],[2]]})", {"/rows", "/a"}, Rules{}, r));
  EXPECT_TRUE(answers_rows(R"({"a":[5, 6]})", r));
  for (const char* wrong : {R"({"a":[]})", R"({"a":[5]})", R"({"a":[5,6,7]})", R"({"b":[5,6]})",
                            R"({"a":[5,6]} x)", "<html>", ""})
    EXPECT_FALSE(answers_rows(wrong, r)) << wrong;
}

}  // namespace
}  // namespace mlq::serve
