#include "lib/replay/null_options.h"

#include <string>

#include "gtest/gtest.h"
#include "lib/base/error.h"

namespace mlq::replay {
namespace {

template <class Parse>
std::string refusal(Parse&& parse, const char* text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::usage);
    return error.what();
  }
  return {};
}

TEST(NullOptions, ServiceIsALawOfTimesWithACommaOrAColon) {
  for (const char* text : {"exp,mean=5ms", "exp:mean=5ms", "exp:5ms", "gamma,cv=2,mean=5ms"})
    EXPECT_DOUBLE_EQ(parse_service(text)->mean(), 0.005) << text;
  EXPECT_NE(refusal(parse_service, "exp"), "");
  EXPECT_NE(refusal(parse_service, "expo,mean=5ms").find("\"expo\""), std::string::npos);
}

TEST(NullOptions, BatchHasTimesAndASize) {
  const BatchRule rule = parse_batch("max=8,delay=2ms,base=3ms,per=0.2ms");
  EXPECT_EQ(rule.max, 8u);
  EXPECT_EQ(rule.delay_ns, 2'000'000);
  EXPECT_EQ(rule.base_ns, 3'000'000);
  EXPECT_EQ(rule.per_ns, 200'000);
  EXPECT_EQ(parse_batch("").max, 32u);
}

TEST(NullOptions, StreamsStallsAndFaultsHaveTheirKeys) {
  const SseRule sse = parse_sse("itl=1ms,chunk=4");
  EXPECT_EQ(sse.ttft_ns, 200'000'000);
  EXPECT_EQ(sse.itl_ns, 1'000'000);
  EXPECT_EQ(sse.chunk, 4u);
  const StallRule stall = parse_stall("at=5s,for=1s");
  EXPECT_EQ(stall.at_ns, 5'000'000'000);
  EXPECT_EQ(stall.for_ns, 1'000'000'000);
  const ErrorRule error = parse_error_rule("p=1%,status=429");
  EXPECT_DOUBLE_EQ(error.p, 0.01);
  EXPECT_EQ(error.status, 429u);
  EXPECT_DOUBLE_EQ(parse_reset("p=0.5"), 0.5);
  EXPECT_DOUBLE_EQ(parse_reset("0.5"), 0.5);
  EXPECT_EQ(parse_byte_rate("10kB/s"), 10'000u);
  EXPECT_EQ(parse_byte_rate("10kB"), 10'000u);
}

TEST(NullOptions, RefusalsQuoteWhatIsWrong) {
  const auto says = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  says(refusal(parse_batch, "size=3"), "\"size\"");
  says(refusal(parse_batch, "size=3"), "max=, delay=, base=, per=");
  says(refusal(parse_batch, "max"), "\"max\" must be KEY=VALUE");
  says(refusal(parse_batch, "max=1,max=2"), "max is given twice");
  says(refusal(parse_batch, "max=0"), "from 1 to");
  says(refusal(parse_batch, "per=3"), "per=: ");
  says(refusal(parse_sse, "itl=2d"), "more than a day");
  says(refusal(parse_stall, "at=5s"), "for= is needed");
  says(refusal(parse_error_rule, "status=500"), "p= is needed");
  says(refusal(parse_error_rule, "p=2"), "from 0 to 1");
  says(refusal(parse_error_rule, "p=0.1,status=200"), "from 400 to 599");
  says(refusal(parse_reset, "p=-1"), "from 0 to 1");
  says(refusal(parse_byte_rate, "0"), "more than 0");
  says(refusal(parse_null_api, "grpc"), "kserve-v2");
}

}  // namespace
}  // namespace mlq::replay
