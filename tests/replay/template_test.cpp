#include "lib/replay/template.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "lib/base/error.h"
#include "lib/jsonl/object.h"
#include "lib/replay/filler.h"
#include "tests/support/temp_dir.h"

namespace mlq::replay {
namespace {

using jsonl::Kind;
using jsonl::Value;
using records::Arrival;

std::string body_of(const Template& form, const Arrival& arrival, uint64_t i = 0) {
  jsonl::Buffer body;
  form.render(arrival, i, body);
  return std::string(body.view());
}

// The message of the error, with its kind in front; empty if there is none.
template <class Work>
std::string error_of(Work&& work) {
  try {
    work();
    return "";
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.kind())) + " " + error.what();
  }
}

testing::AssertionResult says(const std::string& error, const std::string& kind, const std::string& words) {
  if (error.starts_with(kind + " ") && error.find(words) != error.npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << error << "\" is not \"" << kind << " ..." << words << "...\"";
}

// A server of fixed pages that remembers what it was asked.
struct Pages {
  std::map<std::string, Fetched> pages;
  std::vector<FetchRequest> asked;
  Fetch fetch() {
    return [this](const FetchRequest& request) {
      asked.push_back(request);
      const auto page = pages.find(request.target);
      return page == pages.end() ? Fetched{404, R"({"error":"no page"})"} : page->second;
    };
  }
};

std::unique_ptr<Template> kserve(const std::string& inputs, TemplateOptions options = {}) {
  options.target = "/v2/models/m/infer";
  Pages server{{{"/v2/models/m", {200, "{\"name\":\"m\",\"inputs\":" + inputs + "}"}}}, {}};
  auto form = make_template(options);
  form->prepare(server.fetch());
  return form;
}

std::unique_ptr<Template> tf(const std::string& signatures, TemplateOptions options = {}) {
  options.target = "/v1/models/m:predict";
  Pages server{{{"/v1/models/m/metadata",
                 {200, R"({"metadata":{"signature_def":{"signature_def":)" + signatures + "}}}"}}},
               {}};
  auto form = make_template(options);
  form->prepare(server.fetch());
  return form;
}

TemplateOptions chat_options() {
  return {.target = "/v1/chat/completions", .model = "m", .tokens_per_word = 1};
}

std::string prompt_of(const std::string& body) {
  jsonl::OwnedObject json(body);
  EXPECT_TRUE(json.ok()) << body.substr(0, 200);
  if (const Value* prompt = json.parser().find("prompt")) return std::string(prompt->text);
  const auto message = jsonl::element(*json.parser().find("messages"), 0);
  return std::string(jsonl::member(*message, "content")->text);
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c == ' ') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

TEST(Template, ApiIsThatOfThePath) {
  const auto api = [](const std::string& target) { return make_template({.target = target})->api(); };
  EXPECT_EQ(api("/v2/models/resnet/infer"), "kserve-v2");
  EXPECT_EQ(api("/proxy/v2/models/resnet/versions/3/infer?x=1"), "kserve-v2");
  EXPECT_EQ(api("/v1/models/half_plus_two:predict"), "tf-serving");
  EXPECT_EQ(api("/v1/chat/completions"), "openai-chat");
  EXPECT_EQ(api("/openai/v1/completions"), "openai-completions");
  EXPECT_EQ(api("/"), "raw");
  EXPECT_EQ(api("/v2/health/live"), "raw");
  EXPECT_EQ(api("/x?p=/v1/completions"), "raw");
}

TEST(Template, WarmPathIsBesideTheApi) {
  const auto warm = [](const std::string& target) {
    return make_template({.target = target})->warm_target();
  };
  EXPECT_EQ(warm("/a/v2/models/m/versions/1/infer"), "/a/v2/health/live");
  EXPECT_EQ(warm("/v1/models/m:predict"), "/v1/models/m");
  EXPECT_EQ(warm("/a/v1/chat/completions"), "/a/v1/models");
  EXPECT_EQ(warm("/v1/completions?x"), "/v1/models");
  EXPECT_EQ(warm("/"), "");
}

TEST(Template, OptionsThatDoNotFitAreUsageErrors) {
  const auto error = [](const TemplateOptions& options) { return error_of([&] { make_template(options); }); };
  EXPECT_TRUE(says(error({.api = "grpc"}), "2", "openai-chat"));
  EXPECT_TRUE(says(error({.api = "kserve-v2", .target = "/infer"}), "2", "/v2/models/M/infer"));
  EXPECT_TRUE(says(error({.api = "kserve-v2", .target = "/v2/models//infer"}), "2", "/v2/models/M/infer"));
  EXPECT_TRUE(says(error({.api = "tf-serving", .target = "/v1/models/:predict"}), "2", ":predict"));
  EXPECT_TRUE(says(error({.model = "m"}), "2", "--model"));
  EXPECT_TRUE(says(error({.dims = {{"x", 1}}}), "2", "--dim"));
  EXPECT_TRUE(says(error({.target = "/v1/chat/completions", .prompt_ids = true}), "2", "--prompt-as"));
  EXPECT_TRUE(says(error({.target = "/v1/completions", .body_bytes = 1}), "2", "--body-bytes"));
  EXPECT_TRUE(says(error({.body = "x", .bodies = {"y"}}), "2", "exclude"));
  EXPECT_TRUE(says(error({.method = "GET /"}), "2", "method"));
  EXPECT_TRUE(
      says(error({.target = "/v2/models/m/infer", .inputs = {{"x", "seq"}, {"x", "zeros"}}}), "2", "twice"));
  EXPECT_TRUE(says(error({.target = "/v2/models/m/infer", .dims = {{"x", 0}}}), "2", "--dim x=0"));
}

TEST(RawTemplate, MethodFollowsTheBodyAndTheArrivalOverrides) {
  const auto line = [](const TemplateOptions& options, const Arrival& arrival, std::string& body) {
    const auto form = make_template(options);
    jsonl::Buffer buffer;
    const RequestLine got = form->render(arrival, 3, buffer);
    body = buffer.view();
    return std::string(got.method) + " " + std::string(got.target);
  };
  std::string body;
  EXPECT_EQ(line({.target = "/a?b"}, {}, body), "GET /a?b");
  EXPECT_EQ(body, "");
  EXPECT_EQ(line({.body = "x"}, {}, body), "POST /");
  EXPECT_EQ(line({.method = "PUT", .body = "x"}, {}, body), "PUT /");
  EXPECT_EQ(line({.bodies = {"a", "b", "c"}}, {}, body), "POST /");
  EXPECT_EQ(body, "a");  // 3 mod 3
  Arrival arrival;
  arrival.method = "DELETE";
  arrival.path = "/other";
  arrival.body = std::string("\0\xFF", 2);
  EXPECT_EQ(line({.method = "PUT", .body = "x"}, arrival, body), "DELETE /other");
  EXPECT_EQ(body, *arrival.body);
  Arrival prompt;
  prompt.prompt = "say \"hi\"";
  EXPECT_EQ(line({}, prompt, body), "POST /");
  EXPECT_EQ(body, "say \"hi\"");
}

TEST(RawTemplate, BodiesOfJsonAreCalledSo) {
  const std::vector<std::string> json = {"Content-Type: application/json"};
  EXPECT_EQ(make_template({.body = "{\"x\":[1]}\n"})->headers(), json);
  EXPECT_EQ(make_template({.bodies = {"{}", "[1,2]"}})->headers(), json);
  EXPECT_TRUE(make_template({.bodies = {"{}", "x"}})->headers().empty());
  EXPECT_TRUE(make_template({.body = ""})->headers().empty());
  EXPECT_TRUE(make_template({})->headers().empty());
}

TEST(RawTemplate, SizeOfTheBodyIsThatOfTheArrivalUnlessALogSaidIt) {
  const auto form = make_template({.body_bytes = 100});
  EXPECT_EQ(body_of(*form, {}).size(), 100u);
  Arrival arrival;
  arrival.size_bytes = 37;
  const std::string body = body_of(*form, arrival, 5);
  EXPECT_EQ(body.size(), 37u);
  EXPECT_EQ(body_of(*form, {}, 5).substr(0, 37), body);
  EXPECT_NE(body_of(*form, {}, 6).substr(0, 37), body);
  for (const char c : body) EXPECT_TRUE(c > ' ' && c < 0x7F);
  arrival.method = "GET";
  EXPECT_EQ(body_of(*make_template({}), arrival), "");
}

TEST(RawTemplate, WhatWouldBreakTheRequestLineIsRefused) {
  const auto form = make_template({});
  for (const char* path : {"", "x", "/a b", "/a\r\nHost: x", "*", "/\x7F"}) {
    Arrival arrival;
    arrival.path = path;
    EXPECT_TRUE(says(error_of([&] { body_of(*form, arrival, 9); }), "3", "arrival 9")) << path;
  }
  for (const char* method : {"", "GET /", "G\nT"}) {
    Arrival arrival;
    arrival.method = method;
    EXPECT_TRUE(says(error_of([&] { body_of(*form, arrival); }), "3", "method")) << method;
  }
  Arrival big;
  big.size_bytes = ~uint64_t{0};
  EXPECT_TRUE(says(error_of([&] { body_of(*form, big); }), "3", "limit"));
}

TEST(OpenaiTemplate, ChatHasTheDocumentedForm) {
  Arrival arrival;
  arrival.prompt = "say \"hi\"\n\xC3\xA9";
  arrival.output_tokens = 9;
  EXPECT_EQ(
      body_of(*make_template(chat_options()), arrival),
      "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"say \\\"hi\\\"\\n\xC3\xA9\"}],"
      "\"max_tokens\":9,\"stream\":true,\"stream_options\":{\"include_usage\":true},\"temperature\":0}");
  TemplateOptions options = {.api = "openai-completions",
                             .model = "a\"b",
                             .stream = false,
                             .ignore_eos = true,
                             .tokens_per_word = 1};
  arrival.output_tokens.reset();
  jsonl::Buffer body;
  EXPECT_EQ(make_template(options)->render(arrival, 0, body).target, "/v1/completions");
  EXPECT_EQ(
      body.view(),
      "{\"model\":\"a\\\"b\",\"prompt\":\"say \\\"hi\\\"\\n\xC3\xA9\",\"stream\":false,\"temperature\":0,"
      "\"ignore_eos\":true}");
}

TEST(OpenaiTemplate, AnswersAreTokenStreams) {
  TemplateOptions options = chat_options();
  options.check = Check::status;
  options.stall_factor = 7;
  options.keep_gaps = true;
  const AnswerRules rules = make_template(options)->answer_rules();
  EXPECT_TRUE(rules.tokens);
  EXPECT_EQ(rules.member, "choices");
  EXPECT_EQ(rules.check, Check::status);
  EXPECT_EQ(rules.stall_factor, 7);
  EXPECT_TRUE(rules.keep_gaps);
}

TEST(OpenaiTemplate, FillerHasAWordAToken) {
  const auto form = make_template(chat_options());
  std::set<std::string> words;
  for (const uint32_t tokens : {1u, 2u, 15u, 16u, 17u, 1'000u}) {
    Arrival arrival;
    arrival.input_tokens = tokens;
    const auto got = words_of(prompt_of(body_of(*form, arrival, 5)));
    EXPECT_EQ(got.size(), tokens);
    for (const std::string& word : got) EXPECT_FALSE(word.empty());
    words.insert(got.begin(), got.end());
  }
  EXPECT_GT(words.size(), 200u);  // of 256, in 1,000 draws
  Arrival none;
  none.input_tokens = 0;
  EXPECT_EQ(words_of(prompt_of(body_of(*form, none))).size(), 1u);
  EXPECT_EQ(words_of(prompt_of(body_of(*form, {}))).size(), 16u);
}

TEST(OpenaiTemplate, TextDependsOnSeedAndIndexOnly) {
  TemplateOptions options = chat_options();
  const auto form = make_template(options);
  const auto again = make_template(options);
  options.seed = 2;
  const auto other = make_template(options);
  Arrival arrival;
  arrival.input_tokens = 100;
  const std::string body = body_of(*form, arrival, 7);
  EXPECT_EQ(body_of(*again, arrival, 7), body);
  EXPECT_EQ(body_of(*form, arrival, 7), body);
  EXPECT_NE(body_of(*form, arrival, 8), body);
  EXPECT_NE(body_of(*other, arrival, 7), body);
  std::vector<std::string> got(4);
  std::vector<std::thread> threads;
  for (std::string& each : got) threads.emplace_back([&] { each = body_of(*form, arrival, 7); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& each : got) EXPECT_EQ(each, body);
}

TEST(OpenaiTemplate, PrefixBlocksAreTheSameTextInEveryRequest) {
  TemplateOptions options = chat_options();
  options.prefix_block_tokens = 20;
  const auto form = make_template(options);
  const auto words = [&](std::vector<uint64_t> blocks, std::optional<uint32_t> tokens, uint64_t i) {
    Arrival arrival;
    arrival.prefix_ids = std::move(blocks);
    arrival.input_tokens = tokens;
    return words_of(prompt_of(body_of(*form, arrival, i)));
  };
  const auto a = words({4, 9}, 50, 1);
  const auto b = words({4, 9}, 60, 2);
  const auto c = words({9}, 25, 3);
  ASSERT_EQ(a.size(), 50u);
  ASSERT_EQ(b.size(), 60u);
  EXPECT_TRUE(std::equal(a.begin(), a.begin() + 40, b.begin()));
  EXPECT_NE(a[40] + a[41] + a[42] + a[43], b[40] + b[41] + b[42] + b[43]);
  EXPECT_TRUE(std::equal(c.begin(), c.begin() + 20, a.begin() + 20));
  // The last block may be cut short, and what is drawn for the request does not depend on the blocks.
  const auto cut = words({4, 9}, 25, 1);
  ASSERT_EQ(cut.size(), 25u);
  EXPECT_TRUE(std::equal(cut.begin(), cut.end(), a.begin()));
  const auto plain = words({}, 10, 1);
  EXPECT_TRUE(std::equal(plain.begin(), plain.end(), a.begin() + 40));
  EXPECT_EQ(words({4, 9}, std::nullopt, 1).size(), 40u);
}

TEST(OpenaiTemplate, TokenIdsHaveTheExactLength) {
  TemplateOptions options = {
      .target = "/v1/completions", .model = "m", .prompt_ids = true, .prefix_block_tokens = 20};
  const auto form = make_template(options);
  Arrival arrival;
  arrival.input_tokens = 1'000;
  arrival.prefix_ids = {3, 4};
  jsonl::OwnedObject json(body_of(*form, arrival, 1));
  ASSERT_TRUE(json.ok());
  std::vector<uint64_t> ids;
  ASSERT_TRUE(jsonl::read_uint64_array(*json.parser().find("prompt"), ids));
  EXPECT_EQ(ids.size(), 1'000u);
  for (const uint64_t id : ids) EXPECT_TRUE(id >= 1'000 && id < 31'000);
  EXPECT_GT(std::set<uint64_t>(ids.begin(), ids.end()).size(), 950u);
  arrival.prompt = "text";
  EXPECT_EQ(prompt_of(body_of(*form, arrival)), "text");
}

// A server that counts 1.5 tokens a word and 11 around them.
Fetched count_words(const FetchRequest& request) {
  const size_t tokens = words_of(prompt_of(request.body)).size() * 3 / 2 + 11;
  return {200, "{\"choices\":[],\"usage\":{\"prompt_tokens\":" + std::to_string(tokens) + "}}"};
}

TEST(OpenaiTemplate, MeasuresWhatWordsCost) {
  const auto form = make_template({.target = "/v1/chat/completions", .model = "m"});
  std::set<std::string> prompts;
  form->prepare([&](const FetchRequest& request) {
    EXPECT_EQ(request.target, "/v1/chat/completions");
    EXPECT_NE(request.body.find("\"max_tokens\":1,\"stream\":false"), std::string::npos);
    prompts.insert(prompt_of(request.body));
    return count_words(request);
  });
  EXPECT_EQ(prompts.size(), 2u);
  Arrival arrival;
  arrival.input_tokens = 311;
  EXPECT_EQ(words_of(prompt_of(body_of(*form, arrival))).size(), 200u);
  arrival.input_tokens = 3;  // less than there is around a prompt
  EXPECT_EQ(words_of(prompt_of(body_of(*form, arrival))).size(), 1u);
  arrival.input_tokens.reset();
  arrival.prefix_ids = {1};
  EXPECT_EQ(words_of(prompt_of(body_of(*form, arrival))).size(), 334u);  // (512 - 11) / 1.5
  ASSERT_EQ(form->remarks().size(), 1u);
  EXPECT_EQ(form->remarks()[0], "1.5 tokens a word of filler text, 11 around a prompt");
}

TEST(OpenaiTemplate, AServerThatDoesNotCountCostsAWordAToken) {
  for (const Fetched& answer : {Fetched{200, "{}"}, Fetched{200, "nonsense"}, Fetched{503, ""},
                                Fetched{429, ""}, Fetched{200, "{\"usage\":{\"prompt_tokens\":7}}"}}) {
    const auto form = make_template({.target = "/v1/completions", .model = "m"});
    form->prepare([&](const FetchRequest&) { return answer; });
    EXPECT_EQ(words_of(prompt_of(body_of(*form, {}))).size(), 16u);
    EXPECT_EQ(form->remarks().size(), 1u);
  }
}

TEST(OpenaiTemplate, AsksForTheModelWhereNoneIsGiven) {
  Pages server{{{"/v1/models", {200, R"({"object":"list","data":[{"id":"llama"},{"id":"lora"}]})"}}}, {}};
  const auto form = make_template({.target = "/v1/completions", .tokens_per_word = 1});
  form->prepare(server.fetch());
  EXPECT_EQ(server.asked.size(), 1u);
  EXPECT_NE(body_of(*form, {}).find("{\"model\":\"llama\",\"prompt\":\""), std::string::npos);
  const auto error = [](const Fetched& answer) {
    const auto bad = make_template({.target = "/v1/completions"});
    return error_of([&] { bad->prepare([&](const FetchRequest&) { return answer; }); });
  };
  EXPECT_TRUE(says(error({0, "connection refused"}), "4", "connection refused"));
  EXPECT_TRUE(says(error({401, R"({"error":{"message":"who?"}})"}), "4", "status 401: who?; say --model"));
  for (const char* page : {"", "{}", "{\"data\":[]}", "{\"data\":[{\"id\":5}]}", "{\"data\":{}}", "[1]"})
    EXPECT_TRUE(says(error({200, page}), "4", "--model")) << page;
}

TEST(OpenaiTemplate, ARefusalOfTheFirstRequestEndsTheRun) {
  const auto form = make_template({.target = "/v1/completions", .model = "m"});
  EXPECT_TRUE(says(error_of([&] {
                     form->prepare([](const FetchRequest&) {
                       return Fetched{404, R"({"object":"error","message":"no such model"})"};
                     });
                   }),
                   "4", "status 404: no such model"));
}

TEST(OpenaiTemplate, GivenBodiesAreSentAsTheyAre) {
  TemplateOptions options = {.target = "/v1/completions", .body = "{\"prompt\":[1]}"};
  const auto form = make_template(options);
  form->prepare([](const FetchRequest&) {
    ADD_FAILURE() << "nothing is to be asked";
    return Fetched{};
  });
  Arrival arrival;
  EXPECT_EQ(body_of(*form, arrival), "{\"prompt\":[1]}");
  arrival.body = "own";
  EXPECT_EQ(body_of(*form, arrival), "own");
}

TEST(OpenaiTemplate, WhatCannotBeSaidIsAnInputError) {
  const auto form = make_template(chat_options());
  Arrival arrival;
  arrival.prompt = "\xFF";
  EXPECT_TRUE(says(error_of([&] { body_of(*form, arrival, 4); }), "3", "arrival 4"));
  Arrival huge;
  huge.input_tokens = 4'000'000'000;
  EXPECT_TRUE(says(error_of([&] { body_of(*form, huge, 4); }), "3", "arrival 4"));
}

TEST(KserveTemplate, HasTheFormOfTheProtocol) {
  const auto form =
      kserve(R"([{"name":"x","datatype":"FP32","shape":[-1,2]},{"name":"n","datatype":"INT64","shape":[1]}])",
             {.inputs = {{"x", "seq"}, {"n", "zeros"}}});
  Arrival arrival;
  arrival.rows = 2;
  jsonl::Buffer body;
  const RequestLine line = form->render(arrival, 12, body);
  EXPECT_EQ(line.method, "POST");
  EXPECT_EQ(line.target, "/v2/models/m/infer");
  EXPECT_EQ(body.view(),
            R"({"id":"12","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[0,1,2,3]},)"
            R"({"name":"n","shape":[1],"datatype":"INT64","data":[0]}]})");
  EXPECT_EQ(form->answer_rules().member, "outputs");
  EXPECT_NE(body_of(*form, {}).find("\"shape\":[1,2]"), std::string::npos);
}

TEST(KserveTemplate, RandomValuesLieInTheRangeOfTheirType) {
  const std::map<std::string, std::pair<double, double>> ranges = {
      {"UINT8", {0, 255}},   {"UINT16", {0, 999}},  {"UINT32", {0, 999}}, {"UINT64", {0, 999}},
      {"INT8", {-128, 127}}, {"INT16", {0, 999}},   {"INT32", {0, 999}},  {"INT64", {0, 999}},
      {"FP16", {0, 0.9999}}, {"FP32", {0, 0.9999}}, {"FP64", {0, 0.9999}}};
  for (const auto& [type, range] : ranges) {
    const auto form = kserve(R"([{"name":"x","datatype":")" + type + R"(","shape":[-1,1000]}])");
    jsonl::OwnedObject json(body_of(*form, {}, 3));
    ASSERT_TRUE(json.ok()) << type;
    const auto input = jsonl::element(*json.parser().find("inputs"), 0);
    std::vector<Value> values;
    ASSERT_TRUE(jsonl::read_elements(*jsonl::member(*input, "data"), values));
    ASSERT_EQ(values.size(), 1'000u);
    std::set<double> seen;
    for (const Value& value : values) {
      const double number = *value.as_double();
      EXPECT_TRUE(number >= range.first && number <= range.second) << type << " " << number;
      seen.insert(number);
    }
    EXPECT_GT(seen.size(), 200u) << type;
    EXPECT_NE(body_of(*form, {}, 3), body_of(*form, {}, 4));
    EXPECT_EQ(body_of(*form, {}, 3), body_of(*form, {}, 3));
  }
}

TEST(KserveTemplate, BooleansAndTextAreWhatTheyAre) {
  const auto form =
      kserve(R"([{"name":"b","datatype":"BOOL","shape":[4]},{"name":"t","datatype":"BYTES","shape":[-1,2]}])",
             {.inputs = {{"b", "seq"}}});
  jsonl::OwnedObject json(body_of(*form, {}));
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(jsonl::json_text(*jsonl::member(*jsonl::element(*json.parser().find("inputs"), 0), "data")),
            "[false,true,false,true]");
  std::vector<std::string> texts;
  ASSERT_TRUE(jsonl::read_string_array(
      *jsonl::member(*jsonl::element(*json.parser().find("inputs"), 1), "data"), texts));
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_NE(texts[0], texts[1]);
  EXPECT_EQ(words_of(texts[0]).size(), 8u);
  Arrival arrival;
  arrival.prompt = "say \"hi\"";
  EXPECT_NE(body_of(*form, arrival).find(R"("data":["say \"hi\"","say \"hi\""])"), std::string::npos);
  const auto none = kserve(R"([{"name":"b","datatype":"BOOL","shape":[4]}])");
  EXPECT_TRUE(says(error_of([&] { body_of(*none, arrival, 6); }), "3", "arrival 6"));
}

TEST(KserveTemplate, OpenDimensionsAreTheUsersToClose) {
  const std::string ids = R"([{"name":"ids","datatype":"INT64","shape":[-1,-1]}])";
  EXPECT_TRUE(says(error_of([&] { kserve(ids); }), "2", "--dim ids=N"));
  EXPECT_NE(body_of(*kserve(ids, {.dims = {{"ids", 3}}}), {}).find("\"shape\":[1,3]"), std::string::npos);
  EXPECT_NE(body_of(*kserve(ids, {.dims = {{"ids", 5}, {"ids", 3}}}), {}).find("\"shape\":[5,3]"),
            std::string::npos);
  EXPECT_TRUE(says(error_of([&] {
                     kserve(ids, {.dims = {{"ids", 3}, {"ids", 3}, {"ids", 3}}});
                   }),
                   "2", "3 given"));
  EXPECT_TRUE(says(error_of([&] {
                     kserve(ids, {.dims = {{"ids", 3}, {"mask", 3}}});
                   }),
                   "2", "no such input"));
  EXPECT_TRUE(says(error_of([&] {
                     kserve(ids, {.dims = {{"ids", 3}}, .inputs = {{"mask", "seq"}}});
                   }),
                   "2", "ids"));
  EXPECT_TRUE(
      says(error_of([&] { kserve(R"([{"name":"a","datatype":"FP32","shape":[2,-1]}])"); }), "2", "[2,-1]"));
  const std::string huge = R"([{"name":"a","datatype":"FP32","shape":[100000,100000,100000,100000]}])";
  EXPECT_TRUE(says(error_of([&] { kserve(huge); }), "4", "over"));
}

TEST(KserveTemplate, RowsMustBeWhatTheModelTakes) {
  Arrival arrival;
  arrival.rows = 4;
  const auto fixed = kserve(R"([{"name":"x","datatype":"FP32","shape":[3,2]}])");
  EXPECT_TRUE(says(error_of([&] { body_of(*fixed, arrival, 6); }), "3", "arrival 6: it has 4 rows"));
  arrival.rows = 1;
  EXPECT_EQ(error_of([&] { body_of(*fixed, arrival); }), "");
  const auto open = kserve(R"([{"name":"x","datatype":"FP32","shape":[-1,2]}])");
  arrival.rows = 0;
  EXPECT_TRUE(says(error_of([&] { body_of(*open, arrival); }), "3", "0 rows"));
  arrival.rows = 4'000'000'000;
  EXPECT_TRUE(says(error_of([&] { body_of(*open, arrival); }), "3", "rows"));
}

TEST(KserveTemplate, FilesHoldTheValuesOfARow) {
  const test::TempDir folder;
  const auto file = [&](const std::string& text) { return folder.file("values.json", text); };
  const std::string pair = R"([{"name":"x","datatype":"FP32","shape":[-1,3]}])";
  Arrival arrival;
  arrival.rows = 2;
  EXPECT_NE(body_of(*kserve(pair, {.inputs = {{"x", file("[[1,2.5],[-3e2]]")}}}), arrival)
                .find("\"data\":[1,2.5,-300,1,2.5,-300]"),
            std::string::npos);
  const auto error = [&](const std::string& text) {
    return error_of([&] { kserve(pair, {.inputs = {{"x", file(text)}}}); });
  };
  EXPECT_TRUE(says(error("[1,2]"), "2", "has 2 values, and a row takes 3"));
  EXPECT_TRUE(says(error("[1,2,\"x\"]"), "2", "FP32"));
  EXPECT_TRUE(says(error("[1,2,null]"), "3", "values.json"));
  EXPECT_TRUE(says(error("{\"a\":1}"), "3", "no JSON array"));
  EXPECT_TRUE(says(error("[1],\"b\":[2]"), "3", "no JSON array"));
  EXPECT_TRUE(says(error("[1,2"), "3", "no JSON array"));
  EXPECT_TRUE(says(error_of([&] { kserve(pair, {.inputs = {{"x", folder / "absent"}}}); }), "4", "absent"));
}

TEST(KserveTemplate, MetadataThatIsNoneIsAnEnvironmentError) {
  for (const char* inputs :
       {"[]", "5", "[{}]", R"([{"name":"x","datatype":"FP32"}])", R"([5])",
        R"([{"name":"x","datatype":"FP32","shape":["a"]}])",
        R"([{"name":"x","datatype":"FP32","shape":[-2]}])", R"([{"name":1,"datatype":"FP32","shape":[]}])"})
    EXPECT_TRUE(says(error_of([&] { kserve(inputs); }), "4", "GET /v2/models/m: ")) << inputs;
  EXPECT_TRUE(says(error_of([] { kserve(R"([{"name":"x","datatype":"BF16","shape":[1]}])"); }), "4", "BF16"));
  Pages nothing;
  const auto form = make_template({.target = "/v2/models/m/versions/2/infer?x"});
  EXPECT_TRUE(says(error_of([&] { form->prepare(nothing.fetch()); }), "4",
                   "GET /v2/models/m/versions/2: status 404: no page"));
}

constexpr const char* kSignature = R"({"serving_default":{"inputs":{
  "y":{"dtype":"DT_STRING","tensor_shape":{"dim":[{"size":"-1","name":""}],"unknown_rank":false},"name":"y:0"},
  "x":{"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"-1"},{"size":"2"},{"size":"2"}]},"name":"x:0"}},
  "outputs":{},"method_name":"tensorflow/serving/predict"},"__saved_model_init_op":{"inputs":{}}})";

TEST(TfTemplate, HasTheRowForm) {
  const auto form = tf(kSignature, {.inputs = {{"x", "seq"}, {"y", "zeros"}}});
  Arrival arrival;
  arrival.rows = 2;
  EXPECT_EQ(body_of(*form, arrival),
            R"({"instances":[{"x":[[0,1],[2,3]],"y":""},{"x":[[4,5],[6,7]],"y":""}]})");
  EXPECT_EQ(form->answer_rules().member, "predictions");
  arrival.prompt = "p";
  EXPECT_EQ(body_of(*form, arrival),
            R"({"instances":[{"x":[[0,1],[2,3]],"y":"p"},{"x":[[4,5],[6,7]],"y":"p"}]})");
}

TEST(TfTemplate, NamesTheSignatureThatIsNotTheUsualOne) {
  const auto form =
      tf(R"({"__own":{},"score":{"inputs":{"x":{"dtype":"DT_INT32","tensor_shape":{"dim":[{"size":3}]}}}}})",
         {.inputs = {{"x", "seq"}}});
  EXPECT_EQ(body_of(*form, {}), R"({"signature_name":"score","instances":[{"x":0},{"x":1},{"x":2}]})");
}

TEST(TfTemplate, MetadataThatIsNoneIsAnEnvironmentError) {
  for (const char* page :
       {"{}", "5", R"({"serving_default":{}})", R"({"serving_default":{"inputs":{}}})",
        R"({"serving_default":{"inputs":{"x":{}}}})",
        R"({"serving_default":{"inputs":{"x":{"dtype":"DT_FLOAT","tensor_shape":{"unknown_rank":true}}}}})",
        R"({"serving_default":{"inputs":{"x":{"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"x"}]}}}}})",
        R"({"serving_default":{"inputs":{"x":{"dtype":"DT_FLOAT","tensor_shape":{"dim":[{}]}}}}})",
        R"({"serving_default":{"inputs":{"a":{"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"2"}]}},
            "b":{"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"3"}]}}}}})"})
    EXPECT_TRUE(says(error_of([&] { tf(page); }), "4", "/v1/models/m/metadata")) << page;
  EXPECT_TRUE(says(
      error_of([] {
        tf(R"({"serving_default":{"inputs":{"x":{"dtype":"DT_VARIANT","tensor_shape":{"dim":[{"size":"1"}]}}}}})");
      }),
      "4", "DT_VARIANT"));
}

TEST(Filler, AShorterTextBeginsALongerOne) {
  const Filler filler(5);
  jsonl::Buffer longer, shorter, rest;
  filler.words(Content::request, 3, 100, longer);
  filler.words(Content::request, 3, 48, shorter);
  filler.words(Content::request, 3, 52, rest, 48);
  EXPECT_EQ(longer.view(), std::string(shorter.view()) + std::string(rest.view()));
}

}  // namespace
}  // namespace mlq::replay
