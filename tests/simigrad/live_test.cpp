#include <filesystem>
#include <fstream>

#include "lib/jsonl/buffer.h"
#include "lib/records/codec.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/live/serve.h"
#include "tests/simigrad/grams.h"
#include "tests/support/temp_dir.h"

namespace mlq::simigrad::test {
namespace {

using mlq::test::slurp;
using mlq::test::TempDir;

ControlOptions ratio() {
  ControlOptions o;
  o.target = Target::of_gamma(0.8);
  o.warmup_steps = 2;
  return o;
}

std::string gram_line(uint64_t step, uint64_t batch = 128, uint64_t incarnation = 0) {
  GramLaw law;
  law.samples = batch / 2;
  law.b_simple = 3000;
  records::Gram g = draw_gram(law, step, 4);
  if (incarnation > 0) g.incarnation = incarnation;
  jsonl::Buffer line;
  records::write_record(line, g);
  return std::string(line.view().substr(0, line.size() - 1));
}

std::string hello_line(const std::string& more = "") {
  return R"({"type":"hello","protocol":1,"world":2,"micro_samples":4,"batch_samples":128)" + more + "}";
}

bool says(const Advisor::Reply& reply, std::string_view text) {
  return reply.line.find(text) != std::string::npos;
}

std::string code(const Advisor::Reply& reply) {
  const size_t at = reply.line.find("\"code\":\"");
  return at == std::string::npos ? reply.line
                                 : reply.line.substr(at + 8, reply.line.find('"', at + 8) - at - 8);
}

TEST(Advisor, GreetsAndDecides) {
  Advisor advisor(ratio(), {});
  const auto hello = advisor.answer(hello_line());
  EXPECT_EQ(
      hello.line,
      R"({"type":"hello","protocol":1,"world":2,"micro_samples":4,"batch_samples":128,"accum":16,"lr_scale":1,)"
      R"("gamma":0.8,"min_samples":1,"max_samples":8192})"
      "\n");
  EXPECT_TRUE(hello.changed);
  const auto first = advisor.answer(gram_line(0));
  EXPECT_TRUE(says(first, R"("clamped":"warming")"));
  const auto second = advisor.answer(gram_line(1));
  EXPECT_TRUE(says(second, R"("batch_samples":512,"prev_samples":128,"lr_scale":2,)"));
  EXPECT_TRUE(says(second, R"("micro_samples":4,"accum":64)"));
}

TEST(Advisor, NeedsNoHello) {
  Advisor advisor(ratio(), {});
  EXPECT_TRUE(says(advisor.answer(gram_line(0)), R"("prev_samples":128)"));
  Advisor given(ratio(), 256);
  EXPECT_TRUE(says(given.answer(hello_line()), R"("batch_samples":256)"));
}

TEST(Advisor, GivesTheSameReplyAgain) {
  Advisor advisor(ratio(), {});
  std::vector<std::string> replies;
  for (uint64_t step = 0; step < 10; ++step) replies.push_back(advisor.answer(gram_line(step)).line);
  const auto again = advisor.answer(gram_line(3));
  EXPECT_EQ(again.line, replies[3]);
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(advisor.decisions(), 10u);
}

TEST(Advisor, ForgetsRepliesBeyondItsBound) {
  Advisor advisor(ratio(), {});
  for (uint64_t step = 0; step < kKeptReplies + 2; ++step)
    advisor.answer(R"({"type":"gram","step":)" + std::to_string(step) +
                   R"(,"batch_samples":8,"groups":2,"gram":[1,0.5,1]})");
  const auto old =
      advisor.answer(R"({"type":"gram","step":1,"batch_samples":8,"groups":2,"gram":[1,0.5,1]})");
  EXPECT_EQ(code(old), "stale_step");
  EXPECT_FALSE(old.refused);
  EXPECT_TRUE(
      says(advisor.answer(R"({"type":"gram","step":2,"batch_samples":8,"groups":2,"gram":[1,0.5,1]})"),
           R"("step":2)"));
}

TEST(Advisor, AcceptsGaps) {
  Advisor advisor(ratio(), {});
  advisor.answer(gram_line(1));
  EXPECT_TRUE(says(advisor.answer(gram_line(50)), R"("type":"batch_size","step":50)"));
  EXPECT_EQ(code(advisor.answer(gram_line(20))), "stale_step");
}

TEST(Advisor, HoldsAtANonFiniteStep) {
  Advisor advisor(ratio(), {});
  advisor.answer(gram_line(0));
  const auto held = advisor.answer(R"({"type":"gram","step":1,"batch_samples":128,"groups":2,"gram":null})");
  EXPECT_TRUE(says(held, R"("batch_samples":128)"));
  EXPECT_TRUE(says(held, R"("clamped":"hold")"));
  EXPECT_TRUE(says(held, R"("note":"nonfinite")"));
  EXPECT_FALSE(held.refused);
}

TEST(Advisor, RefusesWithoutMoving) {
  Advisor advisor(ratio(), {});
  advisor.answer(hello_line());
  advisor.answer(gram_line(0));
  const auto refused = [&](const std::string& line) {
    const auto reply = advisor.answer(line);
    EXPECT_TRUE(reply.refused) << reply.line;
    EXPECT_FALSE(reply.changed);
    EXPECT_TRUE(says(reply, R"("type":"simigrad_fault")")) << reply.line;
    EXPECT_TRUE(says(reply, R"("batch_samples":128)")) << reply.line;
    return code(reply);
  };
  EXPECT_EQ(refused("{"), "bad_json");
  EXPECT_EQ(refused("[1]"), "bad_json");
  EXPECT_EQ(refused("\xff"), "bad_json");
  EXPECT_EQ(refused(R"({"step":1})"), "missing_field");
  EXPECT_EQ(refused(R"({"type":"weather"})"), "bad_field");
  EXPECT_EQ(refused(R"({"type":"gram","step":1,"groups":2,"gram":[1,0.5,1]})"), "missing_field");
  EXPECT_EQ(refused(R"({"type":"gram","step":1,"batch_samples":8,"groups":2})"), "missing_field");
  EXPECT_EQ(refused(R"({"type":"gram","step":-1,"batch_samples":8,"groups":2,"gram":[1,0.5,1]})"),
            "bad_field");
  EXPECT_EQ(refused(R"({"type":"gram","step":1,"step":2,"batch_samples":8,"groups":2,"gram":[1,0.5,1]})"),
            "bad_field");
  EXPECT_EQ(refused(R"({"type":"gram","step":1,"batch_samples":8,"groups":2,"gram":[1,0.5]})"),
            "group_mismatch");
  EXPECT_EQ(
      refused(R"({"type":"gram","step":1,"batch_samples":8,"groups":2,"gram":[1,0.5,1],"loss_scale":0})"),
      "bad_field");
  EXPECT_EQ(refused(R"({"type":"hello","protocol":1})"), "missing_field");
  EXPECT_EQ(refused(hello_line(R"(,"resume_step":"x")")), "bad_field");
  EXPECT_EQ(advisor.answer_too_long().line.substr(0, 24), R"({"type":"simigrad_fault")");
  EXPECT_TRUE(says(advisor.answer(gram_line(1)), R"("step":1)"));
}

TEST(Advisor, ADumpCountsAsItsGram) {
  const auto reader = [](const records::Dump& dump) {
    if (dump.path != "good") throw input_error("{}: damaged", dump.path);
    GramLaw law;
    law.b_simple = 3000;
    return draw_gram(law, dump.step, 4);
  };
  Advisor plain(ratio(), {}), reading(ratio(), {}, reader);
  const std::string request = R"({"type":"dump","step":0,"path":"good"})";
  const auto reply = reading.answer(request);
  EXPECT_EQ(reply.line, plain.answer(gram_line(0)).line);
  EXPECT_EQ(reply.request, gram_line(0));
  EXPECT_EQ(reading.answer(R"({"type":"dump","step":0,"path":"gone"})").line, reply.line);
  const auto refused = reading.answer(R"({"type":"dump","step":1,"path":"bad"})");
  EXPECT_EQ(code(refused), "unreadable_dump");
  EXPECT_TRUE(says(refused, R"("step":1)"));
  EXPECT_TRUE(refused.refused);
  EXPECT_EQ(code(plain.answer(R"({"type":"dump","step":1,"path":"good"})")), "unreadable_dump");
  EXPECT_EQ(code(reading.answer(R"({"type":"dump","step":1})")), "missing_field");
}

TEST(Advisor, EndsAtAnotherProtocol) {
  Advisor advisor(ratio(), {});
  const auto reply = advisor.answer(R"({"type":"hello","protocol":2})");
  EXPECT_EQ(code(reply), "protocol");
  EXPECT_TRUE(reply.ends);
  EXPECT_TRUE(reply.refused);
}

TEST(Advisor, PassesOverWhatStandsBesideRequests) {
  Advisor advisor(ratio(), {});
  EXPECT_EQ(advisor.answer(R"({"type":"run","tool":"t","version":"1","schema":1,"argv":[]})").line, "");
  EXPECT_EQ(advisor.answer(R"({"type":"end","count":1})").line, "");
}

// A trainer that goes back to a checkpoint gets what it would have got without the steps that are void.
TEST(Advisor, ForgetsTheStepsAfterACheckpoint) {
  Advisor straight(ratio(), {}), back(ratio(), {});
  for (uint64_t step = 0; step < 20; ++step) {
    if (step < 10) straight.answer(gram_line(step));
    back.answer(gram_line(step));
  }
  const auto hello = back.answer(hello_line(R"(,"incarnation":1,"resume_step":9)"));
  EXPECT_TRUE(says(hello, R"("resume_step":9,"incarnation":1)")) << hello.line;
  straight.answer(hello_line(R"(,"incarnation":1)"));
  for (uint64_t step = 10; step < 15; ++step)
    EXPECT_EQ(back.answer(gram_line(step, 128, 1)).line, straight.answer(gram_line(step, 128, 1)).line);
  EXPECT_EQ(code(back.answer(gram_line(25))), "stale_step");  // the old incarnation is over
}

TEST(Advisor, AGramOfAHigherIncarnationMakesLaterStepsVoid) {
  Advisor straight(ratio(), {}), back(ratio(), {});
  for (uint64_t step = 0; step < 20; ++step) {
    if (step < 10) straight.answer(gram_line(step));
    back.answer(gram_line(step));
  }
  EXPECT_EQ(back.answer(gram_line(10, 128, 1)).line, straight.answer(gram_line(10, 128, 1)).line);
  EXPECT_EQ(back.answer(gram_line(0, 128, 2)).line, Advisor(ratio(), {}).answer(gram_line(0, 128, 2)).line);
}

TEST(Advisor, TellsWhatHeldAtACheckpointOfThisRun) {
  Advisor advisor(ratio(), {});
  advisor.answer(hello_line());
  for (uint64_t step = 0; step < 5; ++step) advisor.answer(gram_line(step));
  EXPECT_TRUE(says(advisor.answer(hello_line(R"(,"resume_step":0)")), R"("batch_samples":128)"));
  EXPECT_TRUE(says(advisor.answer(hello_line()), R"("resume_step":4)"));
}

// Requests through serve(), with a journal or without one.
std::vector<std::string> serve_all(const std::vector<std::string>& requests, const std::string& state,
                                   const ControlOptions& options = ratio()) {
  Advisor advisor(options, {});
  std::optional<StateFile> file;
  if (!state.empty()) file.emplace(state, canonical(options), "1", false, advisor, [](const std::string&) {});
  std::string text;
  for (const auto& request : requests) text += request + "\n";
  std::vector<std::string> replies;
  serve(Input::from_bytes("requests", text), advisor, file ? &*file : nullptr,
        [&](std::string_view line) { replies.emplace_back(line); });
  return replies;
}

std::vector<std::string> a_run() {
  std::vector<std::string> requests = {hello_line()};
  for (uint64_t step = 0; step < 6; ++step) requests.push_back(gram_line(step));
  requests.push_back("{");
  requests.push_back(gram_line(5));
  requests.push_back(hello_line(R"(,"incarnation":1,"resume_step":3)"));
  for (uint64_t step = 4; step < 7; ++step) requests.push_back(gram_line(step, 128, 1));
  return requests;
}

TEST(StateFile, HoldsRequestsAndReplies) {
  const TempDir dir(mlq::test::quick_folder());
  const auto replies = serve_all(a_run(), dir / "run.state");
  EXPECT_EQ(replies, serve_all(a_run(), ""));
  const std::string text = slurp(dir / "run.state");
  EXPECT_TRUE(
      text.starts_with(R"({"type":"journal","protocol":1,"version":"1","options":"controller=ratio )"));
  for (const auto& reply : replies)
    if (reply.find("fault") == std::string::npos) EXPECT_NE(text.find(reply), std::string::npos) << reply;
  EXPECT_EQ(text.find("{\n"), std::string::npos);  // what was refused is not in it
}

// The journal cut at every byte: whoever resumes sends again what was not answered, and the file ends up the
// same.
TEST(StateFile, CutAnywhereResumesToTheSameBytes) {
  const TempDir dir(mlq::test::quick_folder());
  std::vector<std::string> requests = {hello_line(), gram_line(0), gram_line(1), gram_line(2)};
  requests.push_back(hello_line(R"(,"incarnation":1,"resume_step":1)"));
  requests.push_back(gram_line(2, 128, 1));
  const auto replies = serve_all(requests, dir / "whole.state");
  const std::string whole = slurp(dir / "whole.state");
  for (size_t size = 0; size <= whole.size(); ++size) {
    const std::string path = dir.file("cut.state", whole.substr(0, size));
    // What the journal has answered stays answered; a repeated request changes nothing.
    std::vector<std::string> left;
    std::vector<std::string> expected;
    for (size_t i = 0; i < requests.size(); ++i) {
      if (whole.find(requests[i] + "\n" + replies[i]) + requests[i].size() + 1 + replies[i].size() <= size)
        continue;
      left.push_back(requests[i]);
      expected.push_back(replies[i]);
    }
    ASSERT_EQ(serve_all(left, path), expected) << size;
    ASSERT_EQ(slurp(path), whole) << size;
  }
}

TEST(StateFile, NamesTheOptionThatDiffers) {
  const TempDir dir;
  serve_all(a_run(), dir / "s");
  const std::string before = slurp(dir / "s");
  ControlOptions other = ratio();
  other.max = 4096;
  try {
    serve_all({}, dir / "s", other);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::usage);
    EXPECT_NE(std::string(error.what()).find("max: 4096 here, unset there"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(slurp(dir / "s"), before);
}

TEST(StateFile, LeavesForeignAndDamagedFilesAlone) {
  const TempDir dir;
  serve_all(a_run(), dir / "good");
  std::string damaged = slurp(dir / "good");
  damaged[damaged.find("\"batch_samples\":512") + 16] = '6';
  for (const std::string& text : {std::string("hello\n"), std::string("{\"type\":\"run\"}\n"), damaged}) {
    const std::string path = dir.file("bad", text);
    try {
      serve_all({}, path);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ExitKind::input) << error.what();
    }
    EXPECT_EQ(slurp(path), text);
  }
}

TEST(StateFile, HasOneWriter) {
  const TempDir dir;
  Advisor one(ratio(), {}), two(ratio(), {});
  const StateFile file(dir / "s", canonical(ratio()), "1", false, one, [](const std::string&) {});
  EXPECT_THROW(StateFile(dir / "s", canonical(ratio()), "1", false, two, [](const std::string&) {}), Error);
}

TEST(Serve, SkipsLongLinesAndGoesOn) {
  const std::string text =
      std::string(kLongestRequest + 1, 'x') + "\n" + gram_line(0) + "\r\n\n" + gram_line(1);
  Advisor advisor(ratio(), {});
  std::vector<std::string> replies;
  const Served served = serve(Input::from_bytes("requests", text), advisor, nullptr,
                              [&](std::string_view line) { replies.emplace_back(line); });
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_NE(replies[0].find("too_long"), std::string::npos);
  EXPECT_TRUE(served.refused);
  EXPECT_EQ(served.replies, 3u);
}

}  // namespace
}  // namespace mlq::simigrad::test
