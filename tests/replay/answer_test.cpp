#include "lib/replay/answer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mlq::replay {
namespace {

const AnswerRules kChat = {.member = "choices", .tokens = true};
const AnswerRules kServe = {.member = "outputs"};

struct Got {
  Outcome outcome;
  records::Result result;
};

// Everything in one go: a status line, headers, pieces of the body a millisecond apart, from 10 ms on.
struct Server {
  std::string status = "HTTP/1.1 200 OK";
  std::vector<std::string> headers = {"Content-Type: text/event-stream; charset=utf-8\r\n"};
  std::vector<std::string> pieces;
};

records::Result request() {
  records::Result result;
  result.due_ns = 1'000'000;
  result.send_ns = 1'500'000;
  result.latency_ns = 60'000'000;
  return result;
}

bool play(Answer& answer, const Server& server) {
  answer.begin();
  answer.header(server.status);
  for (const std::string& header : server.headers) answer.header(header);
  int64_t now = 10'000'000;
  bool open = true;
  for (const std::string& piece : server.pieces) {
    open = answer.body(piece, now);
    now += 1'000'000;
  }
  return open;
}

Got ask(const AnswerRules& rules, const Server& server) {
  Answer answer(rules);
  play(answer, server);
  Got got{Outcome::censored, request()};
  got.outcome = answer.finish(got.result);
  return got;
}

Got ask_json(const AnswerRules& rules, const std::string& body,
             const std::string& status = "HTTP/1.1 200 OK") {
  return ask(rules, {status, {"content-type: application/json"}, {body}});
}

std::string content(const std::string& text) {
  return R"(data: {"choices":[{"index":0,"delta":{"content":")" + text + R"("},"finish_reason":null}]})" +
         "\n\n";
}
const std::string kRole = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const std::string kStop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const std::string kUsage =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":12,\"total_tokens\":19}}\n\n";
const std::string kDone = "data: [DONE]\n\n";

TEST(Answer, OfAStreamHasItsTokenTimes) {
  const Got got =
      ask(kChat, {.pieces = {kRole, content("a"), content("b"), content("c"), kStop, kUsage + kDone}});
  EXPECT_EQ(got.outcome, Outcome::ok);
  const records::Result& r = got.result;
  EXPECT_EQ(r.status, 200u);
  EXPECT_EQ(r.events, 3u);
  EXPECT_EQ(r.coalesced, 0u);
  EXPECT_EQ(r.tok1_ns, 11'000'000);
  EXPECT_EQ(r.tok_last_ns, 13'000'000);
  EXPECT_EQ(r.ttft_ns, 10'000'000);
  EXPECT_EQ(r.ttft_send_ns, 9'500'000);
  EXPECT_EQ(r.input_tokens, 7u);
  EXPECT_EQ(r.output_tokens, 12u);
  EXPECT_EQ(r.tokens_from, "usage");
  EXPECT_EQ(r.tpot_ns, 2'000'000 / 11);
  EXPECT_EQ(r.norm_latency_ns, 5'000'000);
  EXPECT_EQ(r.itl_p50_ns, 1'000'000);
  EXPECT_EQ(r.itl_max_ns, 1'000'000);
  EXPECT_EQ(r.stalls, 0u);
  EXPECT_EQ(r.itl_ns, std::nullopt);
  EXPECT_EQ(r.note, std::nullopt);
}

TEST(Answer, WithoutUsageCountsEvents) {
  const Got got = ask(kChat, {.pieces = {content("a"), content("b"), kDone}});
  EXPECT_EQ(got.result.output_tokens, 2u);
  EXPECT_EQ(got.result.tokens_from, "events");
  EXPECT_EQ(got.result.input_tokens, std::nullopt);
  EXPECT_EQ(got.result.tpot_ns, 1'000'000);
}

TEST(Answer, TokenEventsAreThoseThatBringSomething) {
  const auto events = [](const std::string& choice) {
    return *ask(kChat, {.pieces = {"data: {\"choices\":[" + choice + "]}\n\n", kDone}}).result.events;
  };
  EXPECT_EQ(events(R"({"delta":{"content":"x"}})"), 1u);
  EXPECT_EQ(events(R"({"delta":{"content":null,"reasoning_content":"x"}})"), 1u);
  EXPECT_EQ(events(R"({"delta":{"reasoning":"x"}})"), 1u);
  EXPECT_EQ(events(R"({"delta":{"tool_calls":[{"index":0}]}})"), 1u);
  EXPECT_EQ(events(R"({"text":" x"})"), 1u);
  EXPECT_EQ(events(R"({"delta":{"content":""}})"), 0u);
  EXPECT_EQ(events(R"({"delta":{"role":"assistant"}})"), 0u);
  EXPECT_EQ(events(R"({"delta":{"tool_calls":[]}})"), 0u);
  EXPECT_EQ(events(R"({"delta":{"content":7}})"), 0u);
  EXPECT_EQ(events(R"({"text":"","delta":null})"), 0u);
  EXPECT_EQ(events(R"(null)"), 0u);
  EXPECT_EQ(events(R"({"delta":{}},{"delta":{"content":"second choice"}})"), 0u);
}

TEST(Answer, EventsOfOneReadAreCoalesced) {
  const Got got = ask(kChat, {.pieces = {content("a") + content("b") + content("c"), content("d"), kDone}});
  EXPECT_EQ(got.result.events, 4u);
  EXPECT_EQ(got.result.coalesced, 2u);
  EXPECT_EQ(got.result.itl_p50_ns, 0);
  EXPECT_EQ(got.result.itl_max_ns, 1'000'000);
  EXPECT_EQ(got.result.stalls, std::nullopt);  // the median is 0
}

TEST(Answer, GapsAreThoseOfTheTokensAndStallsTheLongOnes) {
  AnswerRules rules = kChat;
  rules.keep_gaps = true;
  Answer answer(rules);
  answer.header("HTTP/1.1 200 OK");
  answer.header("content-type:text/event-stream");
  std::vector<uint64_t> expected;
  int64_t now = 5;
  answer.body(content("x"), now);
  for (uint64_t gap = 1; gap <= 100; ++gap) {
    const uint64_t length = gap == 40 ? 1'000 : gap;
    now += static_cast<int64_t>(length);
    answer.body(content("x"), now);
    expected.push_back(length);
  }
  answer.body(kDone, now + 5'000);
  records::Result result = request();
  EXPECT_EQ(answer.finish(result), Outcome::ok);
  EXPECT_EQ(std::vector<uint64_t>(answer.gaps().begin(), answer.gaps().end()), expected);
  EXPECT_EQ(result.itl_ns, expected);
  // 1 to 100 without 40, and 1,000: nearest ranks 50 and 99.
  EXPECT_EQ(result.itl_p50_ns, 51);
  EXPECT_EQ(result.itl_p99_ns, 100);
  EXPECT_EQ(result.itl_max_ns, 1'000);
  EXPECT_EQ(result.stalls, 1u);  // over 255
}

TEST(Answer, KeepsAtMost4096GapsInTheRecord) {
  AnswerRules rules = kChat;
  rules.keep_gaps = true;
  Server server;
  for (int i = 0; i < 5'000; ++i) server.pieces.push_back(content("x"));
  Answer answer(rules);
  play(answer, server);
  records::Result result;
  answer.partial(result);
  EXPECT_EQ(result.itl_ns->size(), 4'096u);
  EXPECT_EQ(answer.gaps().size(), 4'999u);
}

TEST(Answer, OfOneTokenHasNoTimePerToken) {
  const Got got = ask(kChat, {.pieces = {content("a"), kDone}});
  EXPECT_EQ(got.result.tpot_ns, std::nullopt);
  EXPECT_EQ(got.result.itl_p50_ns, std::nullopt);
  EXPECT_EQ(got.result.ttft_ns, 9'000'000);
  // Twelve tokens in one event have no time between them either.
  EXPECT_EQ(ask(kChat, {.pieces = {content("a"), kUsage, kDone}}).result.tpot_ns, std::nullopt);
}

TEST(Answer, AStreamIsWholeWithDoneOrAFinishReason) {
  EXPECT_EQ(ask(kChat, {.pieces = {content("a"), kDone}}).outcome, Outcome::ok);
  EXPECT_EQ(ask(kChat, {.pieces = {content("a"), kStop}}).outcome, Outcome::ok);
  const Got cut = ask(kChat, {.pieces = {content("a"), kUsage}});
  EXPECT_EQ(cut.outcome, Outcome::truncated);
  EXPECT_EQ(cut.result.events, 1u);
  EXPECT_TRUE(cut.result.note);
  EXPECT_EQ(ask(kChat, {}).outcome, Outcome::truncated);
  EXPECT_EQ(ask(kChat, {.pieces = {content("a"), "data: [DONE]\n"}}).outcome, Outcome::truncated);
}

TEST(Answer, AnErrorInTheStreamIsOne) {
  const Got got =
      ask(kChat, {.pieces = {content("a"), "data: {\"error\":{\"message\":\"no memory\"}}\n\n", kDone}});
  EXPECT_EQ(got.outcome, Outcome::sse_error);
  EXPECT_EQ(got.result.note, "no memory");
  EXPECT_EQ(got.result.events, 1u);
  for (const char* event : {"data: {\"object\":\"error\",\"message\":\"x\"}\n\n",
                            "event: error\ndata: {}\n\n", "data: {\"error\":\"x\"}\n\n", "data: nonsense\n\n",
                            "data: [1]\n\n", "data: \xFF\n\n", "data: {\"a\":1\n\n"}) {
    const Got bad = ask(kChat, {.pieces = {content("a"), event, kStop, kDone}});
    EXPECT_EQ(bad.outcome, Outcome::sse_error) << event;
    EXPECT_TRUE(bad.result.note) << event;
  }
  EXPECT_EQ(ask(kChat, {.pieces = {"data: {\"error\":null,\"choices\":[]}\n\n", kDone}}).outcome,
            Outcome::ok);
  EXPECT_EQ(
      ask(kChat, {.pieces = {": ping\n\nevent: ping\ndata: {}\n\ndata:\n\ndata:  \n\n", kDone}}).outcome,
      Outcome::ok);
}

TEST(Answer, ALineOverTheLimitEndsTheStream) {
  Answer answer(kChat);
  ASSERT_TRUE(play(answer, {.pieces = {content("a")}}));
  const std::string piece(64 << 10, 'x');
  bool open = answer.body("data: ", 1);
  for (int i = 0; i < 32 && open; ++i) open = answer.body(piece, 1);
  EXPECT_FALSE(open);
  EXPECT_FALSE(answer.body(content("b"), 2));
  records::Result result = request();
  EXPECT_EQ(answer.finish(result), Outcome::protocol);
  EXPECT_EQ(result.events, 1u);
  answer.begin();
  EXPECT_TRUE(play(answer, {.pieces = {content("a"), kDone}}));
  EXPECT_EQ(answer.finish(result), Outcome::ok);
}

TEST(Answer, CutAnywhereItIsTheSame) {
  const std::string stream = kRole + content("a\\u00e9\xC3\xA9") + content("b") + kStop + kUsage + kDone;
  const Got whole = ask(kChat, {.pieces = {stream}});
  ASSERT_EQ(whole.outcome, Outcome::ok);
  for (size_t i = 0; i < stream.size(); ++i) {
    const Got got = ask(kChat, {.pieces = {stream.substr(0, i), stream.substr(i)}});
    ASSERT_EQ(got.outcome, Outcome::ok) << i;
    ASSERT_EQ(got.result.events, 2u) << i;
    ASSERT_EQ(got.result.output_tokens, 12u) << i;
  }
}

TEST(Answer, InPlainJsonIsFineWhereAStreamWasAskedFor) {
  const Got got = ask_json(kChat, R"({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":3,)"
                                  R"("completion_tokens":4}})");
  EXPECT_EQ(got.outcome, Outcome::ok);
  EXPECT_EQ(got.result.input_tokens, 3u);
  EXPECT_EQ(got.result.output_tokens, 4u);
  EXPECT_EQ(got.result.events, std::nullopt);
  EXPECT_EQ(got.result.ttft_ns, std::nullopt);
  EXPECT_EQ(got.result.norm_latency_ns, 15'000'000);
}

TEST(Answer, OfAModelHasItsMember) {
  EXPECT_EQ(ask_json(kServe, R"({"outputs":[]})").outcome, Outcome::ok);
  EXPECT_EQ(ask_json(kServe, "\n {\"outputs\":[]} \r\n").outcome, Outcome::ok);
  const Got error = ask_json(kServe, R"({"error":"no such model"})");
  EXPECT_EQ(error.outcome, Outcome::json);
  EXPECT_EQ(error.result.note, "the answer has no \"outputs\": no such model");
}

TEST(Answer, OfAMisbehavingServerIsNoAnswer) {
  using namespace std::string_literals;
  for (const std::string& body :
       {""s, "garbage"s, "[]"s, "{"s, "{\"outputs\":[1,]}"s, "{\"outputs\":\"\xFF\"}"s, "{\"outputs\":1}\0"s,
        "\0"s, "{\"predictions\":[]}"s, "{\"outputs\":1}{\"outputs\":1}"s, std::string(200'000, 'g')}) {
    const Got got = ask_json(kServe, body);
    EXPECT_EQ(got.outcome, Outcome::json) << body.substr(0, 40);
    EXPECT_EQ(got.result.down_bytes, body.size());
    EXPECT_TRUE(got.result.note);
  }
  EXPECT_EQ(ask(kServe, {"HTTP/1.1 204 No Content", {}, {}}).outcome, Outcome::json);
  EXPECT_EQ(ask(kServe, {"HTTP/1.1 302 Found", {"location: /"}, {}}).outcome, Outcome::protocol);
  EXPECT_EQ(ask(kServe, {"nonsense", {}, {"x"}}).outcome, Outcome::protocol);
  EXPECT_EQ(ask(kServe, {"HTTP/1.1 abc", {}, {"x"}}).outcome, Outcome::protocol);
  EXPECT_EQ(ask(kServe, {"HTTP/1.1", {}, {}}).outcome, Outcome::protocol);
}

TEST(Answer, OverTheLimitIsCountedAndOnlyItsFirstByteChecked) {
  const std::string piece(1 << 19, ' ');
  const Got big = ask(kServe, {"HTTP/1.1 200 OK", {}, {"{\"outputs\":[", piece, piece, piece, "1]}"}});
  EXPECT_EQ(big.outcome, Outcome::ok);
  EXPECT_TRUE(big.result.note);
  EXPECT_EQ(big.result.down_bytes, 3u * (1 << 19) + 15);
  EXPECT_EQ(ask(kServe, {"HTTP/1.1 200 OK", {}, {"garbage", piece, piece, piece}}).outcome, Outcome::json);
}

TEST(Answer, StatusDecidesBeforeTheBody) {
  const Got error = ask_json(kServe, R"({"error":{"message":"too long"}})", "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(error.outcome, Outcome::http_4xx);
  EXPECT_EQ(error.result.note, "too long");
  EXPECT_EQ(ask_json(kServe, R"({"outputs":[]})", "HTTP/1.1 503 x").outcome, Outcome::http_5xx);
  EXPECT_EQ(ask_json(kServe, "<html>", "HTTP/2 500").outcome, Outcome::http_5xx);
  EXPECT_EQ(
      ask(kChat, {"HTTP/1.1 500 x", {"Content-Type: text/event-stream"}, {content("a") + kDone}}).outcome,
      Outcome::http_5xx);
}

TEST(Answer, ToldToWaitKeepsHowLong) {
  const auto wait = [](const std::string& value) {
    return ask(kChat, {"HTTP/1.1 429 Too Many Requests", {"Retry-After: " + value + "\r\n"}, {}});
  };
  EXPECT_EQ(wait("2").outcome, Outcome::http_429);
  EXPECT_EQ(wait("2").result.retry_after_ns, 2'000'000'000);
  for (const char* value : {"Wed, 21 Oct 2015 07:28:00 GMT", "-1", "", "99999999999999"})
    EXPECT_EQ(wait(value).result.retry_after_ns, std::nullopt) << value;
  EXPECT_EQ(ask(kChat, {"HTTP/1.1 503 x", {"retry-after: 2"}, {}}).result.retry_after_ns, std::nullopt);
}

TEST(Answer, InterimAnswersAreForgotten) {
  Answer answer(kServe);
  answer.begin();
  answer.header("HTTP/1.1 103 Early Hints\r\n");
  answer.header("content-type: text/event-stream\r\n");
  answer.header("x-mlq-gen: old\r\n");
  answer.header("\r\n");
  answer.header("HTTP/1.1 100 Continue\r\n");
  answer.header("\r\n");
  answer.header("HTTP/1.1 200 OK\r\n");
  answer.header("X-MLQ-Gen:  g7 \r\n");
  answer.header("x-mlq-cache: hit");
  answer.header("\r\n");
  answer.body("{\"outputs\":[]}", 1);
  answer.header("x-mlq-cache: trailer\r\n");
  records::Result result;
  EXPECT_EQ(answer.finish(result), Outcome::ok);
  EXPECT_EQ(result.status, 200u);
  EXPECT_EQ(result.gen, "g7");
  EXPECT_EQ(result.cache, "hit");
}

TEST(Answer, CheckSaysHowMuchIsAsked) {
  AnswerRules rules = kServe;
  rules.check = Check::status;
  EXPECT_EQ(ask_json(rules, "garbage").outcome, Outcome::ok);
  EXPECT_EQ(ask_json(rules, "garbage", "HTTP/1.1 404 x").outcome, Outcome::http_4xx);
  rules.check = Check::none;
  EXPECT_EQ(ask_json(rules, "garbage", "HTTP/1.1 404 x").outcome, Outcome::ok);
  EXPECT_EQ(ask_json({}, "garbage").outcome, Outcome::ok);  // the API has no member to look for
  rules = kChat;
  rules.check = Check::status;
  EXPECT_EQ(ask(rules, {.pieces = {content("a")}}).outcome, Outcome::ok);
  EXPECT_EQ(ask_json(rules, R"({"usage":{"completion_tokens":4}})").result.output_tokens, 4u);
}

TEST(Answer, CutOffKeepsWhatCame) {
  Answer answer(kChat);
  play(answer, {.pieces = {kRole, content("a"), content("b")}});
  records::Result result = request();
  result.latency_ns.reset();
  answer.partial(result);
  EXPECT_EQ(result.status, 200u);
  EXPECT_EQ(result.events, 2u);
  EXPECT_EQ(result.output_tokens, 2u);
  EXPECT_EQ(result.ttft_ns, 10'000'000);
  EXPECT_EQ(result.norm_latency_ns, std::nullopt);
  EXPECT_EQ(answer.gaps().size(), 1u);
  answer.begin();
  EXPECT_TRUE(answer.gaps().empty());
  records::Result nothing = request();
  answer.partial(nothing);
  EXPECT_EQ(nothing.status, std::nullopt);
  EXPECT_EQ(nothing.events, std::nullopt);
  EXPECT_EQ(nothing.down_bytes, 0u);
}

TEST(Answer, ReusedTellsNothingOfTheOneBefore) {
  Answer answer(kChat);
  play(answer, {.pieces = {content("a"), content("b"), kUsage, "data: {\"error\":1}\n\n"}});
  records::Result result = request();
  EXPECT_EQ(answer.finish(result), Outcome::sse_error);
  play(answer, {.pieces = {content("a"), kDone}});
  result = request();
  EXPECT_EQ(answer.finish(result), Outcome::ok);
  EXPECT_EQ(result.output_tokens, 1u);
  EXPECT_EQ(result.tokens_from, "events");
}

TEST(Answer, WordsOfTheServerAreCutAtACharacter) {
  std::string words(199, 'x');
  words += "\xC3\xA9\xC3\xA9";
  const Got got = ask_json(kServe, "{\"error\":\"" + words + "\"}", "HTTP/1.1 400 x");
  EXPECT_EQ(got.result.note, std::string(199, 'x'));
}

}  // namespace
}  // namespace mlq::replay
