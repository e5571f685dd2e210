// How command lines are read, and what is said of wrong ones.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/cli_lib/toy.h"

namespace mlq::cli::test {
namespace {

using Args = std::vector<std::string>;

ToyOptions parsed(const Args& args) {
  ToyOptions options;
  const Outcome outcome = run_toy(options, args);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  return options;
}

void expect_usage(const Args& args, const std::string& message) {
  const Outcome outcome = run_toy(args);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, message + "\n");
}

TEST(Parse, ValueMayFollowOrBeJoinedByAnEqualsSign) {
  EXPECT_EQ(parsed({"make", "gamma", "--rate", "2.5"}).rate, 2.5);
  EXPECT_EQ(parsed({"make", "gamma", "--rate=2.5"}).rate, 2.5);
  EXPECT_EQ(parsed({"make", "--rate=2.5", "gamma"}).process, "gamma");
}

TEST(Parse, ShortOptionTakesItsValueJoinedOrApart) {
  EXPECT_EQ(parsed({"make", "gamma", "-j4"}).shared.threads, 4u);
  EXPECT_EQ(parsed({"make", "gamma", "-j", "4"}).shared.threads, 4u);
  EXPECT_EQ(parsed({"make", "gamma", "--threads=4"}).shared.threads, 4u);
}

TEST(Parse, ShortFlagsMayBeClustered) {
  const SharedOptions shared = parsed({"make", "gamma", "-qvvj2"}).shared;
  EXPECT_TRUE(shared.quiet);
  EXPECT_EQ(shared.verbose, 2);
  EXPECT_EQ(shared.threads, 2u);
}

TEST(Parse, ValueMayBeANegativeNumber) {
  EXPECT_EQ(parsed({"make", "gamma", "--level", "-5"}).level, -5);
  EXPECT_EQ(parsed({"make", "gamma", "--level=-5"}).level, -5);
  EXPECT_EQ(parsed({"make", "gamma", "-l", "-5"}).level, -5);
  EXPECT_EQ(parsed({"make", "gamma", "-l-5"}).level, -5);
}

TEST(Parse, DashIsAWordAndAValue) {
  const ToyOptions options = parsed({"make", "gamma", "-", "-o", "-"});
  EXPECT_EQ(options.files, Args{"-"});
  EXPECT_EQ(options.shared.output, "-");
}

TEST(Parse, AfterTwoDashesEverythingIsAWord) {
  EXPECT_EQ(parsed({"make", "gamma", "--", "--rate", "-q", "--"}).files, (Args{"--rate", "-q", "--"}));
}

TEST(Parse, NegativeNumberIsAWord) {
  EXPECT_EQ(parsed({"make", "gamma", "-5", "-.5"}).files, (Args{"-5", "-.5"}));
}

TEST(Parse, EmptyValueIsAValue) {
  EXPECT_EQ(parsed({"make", "gamma", "--law=", "file"}).law, "");
  EXPECT_EQ(parsed({"make", "gamma", "--law=", "file"}).files, Args{"file"});
  EXPECT_EQ(parsed({"make", "gamma", "--law", "", "file"}).law, "");
}

TEST(Parse, ValueKeepsBracketsQuotesSpacesAndEqualsSigns) {
  for (const char* value : {"[a,b]", "'x'", "a b", "gamma:cv=3", "{1}", "%%", "\"", "=", "a,b", "\\n"}) {
    EXPECT_EQ(parsed({"make", "gamma", "--law", value}).law, value);
    EXPECT_EQ(parsed({"make", "gamma", std::string("--law=") + value}).law, value);
    EXPECT_EQ(parsed({"make", "gamma", value}).files, Args{value});
  }
}

TEST(Parse, RepeatedValuesComeInTheirOrder) {
  EXPECT_EQ(parsed({"make", "gamma", "--segment", "b", "--segment=a", "--segment", "b"}).segments,
            (Args{"b", "a", "b"}));
}

TEST(Parse, OptionsAreSetInTheOrderOfTheCommandLine) {
  EXPECT_EQ(parsed({"make", "--segment=1", "--law=x", "gamma", "--emit-path", "--segment=2"}).order,
            (Args{"segment", "law", "emit-path", "segment"}));
}

TEST(Parse, LaterOfTwoOpposedFlagsWins) {
  EXPECT_EQ(parsed({"make", "gamma", "--progress", "--no-progress"}).shared.progress, false);
  EXPECT_EQ(parsed({"make", "gamma", "--no-progress", "--progress"}).shared.progress, true);
}

TEST(Parse, SharedOptionsReachTheContext) {
  const SharedOptions shared = parsed({"make", "gamma", "-o", "out", "--seed", "0x10", "--strict",
                                       "--no-provenance", "--allow-truncated", "--summary"})
                                   .shared;
  EXPECT_EQ(shared.output, "out");
  EXPECT_EQ(shared.seed, 16u);
  EXPECT_TRUE(shared.strict && !shared.provenance && shared.allow_truncated && shared.summary);
}

TEST(Parse, OptionGoesOverEnvironmentOverDefault) {
  EXPECT_EQ(parsed({"make", "gamma"}).size, "small");
  setenv("MLQ_TOY_SIZE", "large", 1);
  EXPECT_EQ(parsed({"make", "gamma"}).size, "large");
  EXPECT_EQ(parsed({"make", "gamma", "--size", "small"}).size, "small");
  setenv("MLQ_TOY_SIZE", "", 1);
  EXPECT_EQ(parsed({"make", "gamma"}).size, "small");
  setenv("MLQ_TOY_SIZE", "huge", 1);
  expect_usage(
      {"make", "gamma"},
      "toy: make: environment variable MLQ_TOY_SIZE: \"huge\" is unknown; it must be one of small, large");
  unsetenv("MLQ_TOY_SIZE");
}

TEST(Message, UnknownOptionOffersTheNearest) {
  expect_usage({"make", "gamma", "--rat"}, "toy: make: unknown option \"--rat\"; did you mean \"--rate\"?");
  expect_usage({"make", "gamma", "--lwa=3"}, "toy: make: unknown option \"--lwa\"; did you mean \"--law\"?");
  expect_usage({"make", "gamma", "--allow"},
               "toy: make: unknown option \"--allow\"; did you mean \"--allow-truncated\"?");
  expect_usage({"make", "gamma", "--frobnicate"},
               "toy: make: unknown option \"--frobnicate\"; --help lists the options");
  expect_usage({"make", "gamma", "-x"}, "toy: make: unknown option \"-x\"; --help lists the options");
  expect_usage({"make", "gamma", "-qx"}, "toy: make: unknown option \"-x\"; --help lists the options");
  expect_usage({"--verson"}, "toy: unknown option \"--verson\"; did you mean \"--version\"?");
}

TEST(Message, UnknownCommandOffersTheNearest) {
  expect_usage({"mkae"}, "toy: command \"mkae\" is unknown; did you mean \"make\"?");
  expect_usage({"frobnicate"}, "toy: command \"frobnicate\" is unknown; it must be one of make, look");
}

TEST(Message, UnknownChoiceOffersTheNearest) {
  expect_usage({"make", "poison"}, "toy: make: PROCESS: \"poison\" is unknown; did you mean \"poisson\"?");
  expect_usage({"make", "gamma", "--size", "larg"},
               "toy: make: --size: \"larg\" is unknown; did you mean \"large\"?");
}

TEST(Message, MissingValueNamesTheOption) {
  expect_usage({"make", "gamma", "--rate"}, "toy: make: --rate: a value is missing: --rate RATE");
  expect_usage({"make", "gamma", "-qj"}, "toy: make: --threads: a value is missing: --threads N");
  expect_usage({"make", "gamma", "--rate", "--law", "exp"},
               "toy: make: --rate: a value is missing: --rate RATE");
}

TEST(Message, OptionGivenTwiceShowsBothValues) {
  expect_usage({"make", "gamma", "--rate=1", "--rate=2"},
               "toy: make: --rate: given twice, as \"1\" and as \"2\"");
}

TEST(Message, AFileIsNotNamedByNothing) {
  expect_usage({"make", "gamma", "--rate=1", "-o", ""},
               "toy: make: --output: the name is empty; name a file");
  expect_usage({"make", "gamma", "a.txt", "", "--rate=1"}, "toy: make: FILE: the name is empty; name a file");
}

TEST(Message, FlagTakesNoValue) {
  expect_usage({"make", "gamma", "--emit-path=yes"}, "toy: make: --emit-path: it takes no value");
}

TEST(Message, BadValueNamesTheOption) {
  const Outcome outcome = run_toy({"make", "gamma", "--rate", "fast"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(outcome.err.starts_with("toy: make: --rate: ")) << outcome.err;
  EXPECT_NE(outcome.err.find("fast"), std::string::npos);
}

TEST(Message, NumberThatDoesNotFitIsRefused) {
  expect_usage({"make", "gamma", "--level", "128"},
               "toy: make: --level: 128 does not fit; the largest is 127");
  expect_usage({"make", "gamma", "-j", "1025"},
               "toy: make: --threads: 1025 threads asked, but 1024 is the most");
}

TEST(Message, MissingAndSurplusArgumentsAreNamed) {
  expect_usage({"make", "-q"}, "toy: make: PROCESS is missing: What to make.");
  expect_usage({"look", "a", "b"}, "toy: look: unexpected argument \"b\"");
  expect_usage({}, "toy: a command is missing: one of make, look; see toy --help");
}

TEST(NoArguments, AtATerminalGiveTenLinesOfHelp) {
  for (const Args& args : {Args{}, Args{"make"}, Args{"look"}}) {
    ToyOptions options;
    const Outcome outcome = run_toy(options, args, "", true);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(outcome.err.starts_with("usage: toy"));
    EXPECT_LE(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 10);
    EXPECT_NE(outcome.err.find("--help"), std::string::npos);
  }
}

TEST(NoArguments, WithoutATerminalRunACommandThatReadsItsInput) { EXPECT_EQ(run_toy({"look"}).status, 1); }

}  // namespace
}  // namespace mlq::cli::test
