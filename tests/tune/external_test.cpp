// Tuners in other programs: well-behaved ones, and others.
#include "lib/tune/tuner/external.h"

#include <gtest/gtest.h>

#include "lib/base/error.h"
#include "lib/tune/compare/compare.h"
#include "lib/tune/compare/contestant.h"
#include "lib/tune/drive/stdio_server.h"
#include "lib/tune/space/space_file.h"
#include "lib/tune/surface/preset.h"

namespace mlq::tune {
namespace {

std::shared_ptr<const Surface> preset() {
  SurfaceOptions options;
  options.truth_requests = 300;
  static const auto surface = make_preset_surface("pool-batch@400", options);
  return surface;
}

CompareOptions with(const std::string& command) {
  CompareOptions options;
  options.tuners = {parse_external("child=" + command)};
  options.surfaces = {preset()};
  options.seeds = 1;
  options.run.trials = 5;
  options.line_deadline_ns = 20'000'000'000;
  return options;
}

Cell only_cell(const CompareOptions& options) { return compare(options, StopFlag(), {}).cells.at(0); }

// Answers every ask alike.
std::string shell_tuner(const std::string& answer) {
  return "read space; while read line; do case \"$line\" in *'\"ask\"'*) echo '" + answer + "';; esac; done";
}

TEST(External, AShellScriptIsATuner) {
  const Cell cell =
      only_cell(with(shell_tuner(R"({"type":"config","config":{"instances":6,"threads":6,"batch":8}})")));
  EXPECT_EQ(cell.failure, "");
  EXPECT_GT(cell.ln_online, 0);
  EXPECT_NEAR(cell.ln_online, cell.ln_rec, 1e-12);
}

TEST(External, AChildThatDiesFailsItsRunAndSaysHow) {
  EXPECT_NE(only_cell(with("exit 3")).failure.find("exit status 3"), std::string::npos);
  EXPECT_NE(only_cell(with("read a; read b; kill -9 $$")).failure.find("signal 9"), std::string::npos);
  EXPECT_NE(only_cell(with("/no/such/program")).failure.find("exit status 127"), std::string::npos);
}

TEST(External, AChildThatKeepsSilentFailsItsRun) {
  CompareOptions options = with("sleep 60");
  options.line_deadline_ns = 200'000'000;
  EXPECT_NE(only_cell(options).failure.find("no answer within 200ms"), std::string::npos);
}

TEST(External, AnAnswerThatCannotBeReadFailsTheRun) {
  for (const char* answer : {"hello", R"({"type":"ask"})", R"({"type":"config","config":{"batch":[1]}})"})
    EXPECT_NE(only_cell(with(shell_tuner(answer))).failure, "") << answer;
}

TEST(External, AnInvalidPointIsToldAsFailedAndAskedForAnew) {
  // 5 is no batch size of the grid; told so, it tries another.
  const std::string command =
      "read space; n=5; while read line; do case \"$line\" in *'\"ask\"'*) echo "
      "'{\"type\":\"config\",\"config\":{\"instances\":6,\"threads\":6,\"batch\":'$n'}}';; "
      "*'\"failed\":true'*) n=8;; esac; done";
  EXPECT_EQ(only_cell(with(command)).failure, "");
  const Cell stubborn =
      only_cell(with(shell_tuner(R"({"type":"config","config":{"instances":6,"threads":6,"batch":5}})")));
  EXPECT_NE(stubborn.failure.find("not valid"), std::string::npos);
}

TEST(External, OthersGoOnWhenOneFails) {
  CompareOptions options = with("exit 1");
  options.tuners.push_back(parse_contestant("random"));
  const Comparison comparison = compare(options, StopFlag(), {});
  EXPECT_NE(comparison.at(0, 0, 0).failure, "");
  EXPECT_EQ(comparison.at(1, 0, 0).failure, "");
}

TEST(External, TheSpaceLineIsASpaceFile) {
  const Space& space = preset()->space();
  const SpaceFile file = parse_space_file(space_json(space), "line");
  ASSERT_TRUE(file.space);
  EXPECT_EQ(file.space->points().size(), space.points().size());
  for (size_t k = 0; k < space.dims(); ++k) EXPECT_EQ(file.space->axes()[k].values, space.axes()[k].values);
}

std::vector<std::string> served(std::string_view lines) {
  std::vector<std::string> answers;
  TunerOptions options;
  options.name = "grid";
  serve_stdio(options, Input::from_bytes("stdin", lines),
              [&](std::string_view answer) { answers.emplace_back(answer); });
  return answers;
}

TEST(StdioServer, AnswersAsksAndLearnsFromTells) {
  const auto answers = served(
      R"({"type":"space","start":{"n":3},"space":{"version":1,"knobs":{"n":{"type":"int","min":1,"max":3}}}}
{"type":"ask"}
{"type":"tell","i":0,"config":{"n":3},"cost":5}
{"type":"ask"}
{"type":"tell","i":1,"config":{"n":1},"failed":true}
{"type":"ask"}
{"type":"recommend"}
)");
  EXPECT_EQ(answers, (std::vector<std::string>{R"({"type":"config","config":{"n":3},"recommends":true})",
                                               R"({"type":"config","config":{"n":1},"recommends":true})",
                                               R"({"type":"config","config":{"n":2},"recommends":true})",
                                               R"({"type":"config","config":{"n":3}})"}));
}

TEST(StdioServer, NamesTheLineThatIsWrong) {
  const auto why = [](std::string_view lines) {
    try {
      served(lines);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(why("{\"type\":\"ask\"}\n"), "stdin:1: ask before a space");
  EXPECT_NE(why("hello\n").find("stdin:1: "), std::string::npos);
  const std::string space =
      R"({"type":"space","space":{"version":1,"knobs":{"n":{"type":"int","min":1,"max":3}}}})";
  EXPECT_NE(
      why(space + "\n{\"type\":\"tell\",\"config\":{\"n\":9},\"cost\":1}\n").find("no point of the space"),
      std::string::npos);
  EXPECT_NE(why(space + "\n{\"type\":\"tell\",\"config\":{\"n\":1},\"cost\":-1}\n").find("stdin:2"),
            std::string::npos);
}

}  // namespace
}  // namespace mlq::tune
