// Help, man page and completions of the toy program: complete, well-formed, and at work in the shells that
// are here.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "lib/base/nearest.h"
#include "lib/cli/generate.h"
#include "lib/cli/text.h"
#include "tests/cli_lib/toy.h"

namespace mlq::cli::test {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool has_line_with(const std::string& text, const std::string& what) {
  const auto lines = lines_of(text);
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

std::string generated(const std::string& what, const std::string& prose = "") {
  ToyOptions options;
  const Outcome outcome = run_toy(options, {"--generate", what}, prose);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return outcome.out;
}

TEST(Help, NamesEveryOptionAndFitsTheWidth) {
  ToyOptions options;
  const Program program = toy_program(options);
  for (const size_t width : {80u, 100u}) {
    for (const CommandPath& path : all_commands(program)) {
      const std::string help = help_text(program, path, width);
      for (const Option& option : rows_to_show(path)) EXPECT_TRUE(has_line_with(help, "--" + option.name));
      for (const std::string& line : lines_of(help)) EXPECT_LE(columns(line), width) << line;
      EXPECT_EQ(help.find(" \n"), std::string::npos) << help;
    }
  }
}

TEST(Help, IsPrintedAtEveryLevel) {
  for (const std::vector<std::string>& args : {std::vector<std::string>{"--help"},
                                               {"-h"},
                                               {"make", "--help"},
                                               {"make", "poisson", "--rate", "3", "-h"}}) {
    const Outcome outcome = run_toy(args);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_TRUE(outcome.out.starts_with("usage: toy"));
  }
}

TEST(Help, EndsWithThreeExamplesThatAShellReads) {
  const std::string help = run_toy({"make", "--help"}).out;
  const std::string examples = help.substr(help.find("\nExamples:\n"));
  const auto lines = lines_of(examples);
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const std::string& line) { return line.starts_with("  # "); }),
            3);
  EXPECT_TRUE(has_line_with(examples, "  toy make gamma -o out.jsonl"));
  EXPECT_FALSE(has_line_with(examples, "fourth"));
}

TEST(Help, ShowsDefaultsChoicesAndVariables) {
  // As one line, so that it does not matter where it was wrapped.
  std::string help;
  for (const std::string& word : lines_of(run_toy({"make", "--help"}).out)) {
    help += ' ' + word.substr(std::min(word.find_first_not_of(' '), word.size()));
  }
  EXPECT_TRUE(has_line_with(help, "(default: exp)"));
  EXPECT_TRUE(has_line_with(help, "(one of small, large; default: small; environment: MLQ_TOY_SIZE)"));
  EXPECT_TRUE(has_line_with(help, "(may be repeated)"));
  EXPECT_TRUE(has_line_with(help, " gamma    Gamma gaps"));
  EXPECT_TRUE(has_line_with(help, " -l, --level N"));
}

TEST(Wrap, CommandLineIsTheSameForAShell) {
  const std::string command = "printf '%s,' one 'two  three' \"four five\" | cat - | tr , ';'";
  const auto broken = wrap_command(command, 24);
  EXPECT_GT(broken.size(), 2u);
  EXPECT_EQ(shell(join(broken, "\n")).out, "one;two  three;four five;");
}

TEST(Wrap, CountsCharactersNotBytes) {
  EXPECT_EQ(wrap("ää öö üü", 5), (std::vector<std::string>{"ää öö", "üü"}));
  EXPECT_EQ(wrap("a\n\nb", 5), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(first_columns("äöü", 2), "äö");
}

TEST(Nearest, TakesFewestEditsAndKnowsBeginnings) {
  const std::vector<std::string> words{"--rate-cv", "--rate", "--duration", "--dequantise"};
  EXPECT_EQ(nearest("--rat", words), "--rate");
  EXPECT_EQ(nearest("--rtae", words), "--rate");
  EXPECT_EQ(nearest("--dur", words), "--duration");
  EXPECT_EQ(nearest("--zebra", words), "");
}

constexpr const char* kProse = R"(.TH TOY 1 "2024-05-01" "toy @VERSION@" "User Commands"
.SH NAME
toy \- makes toys
.SH SYNOPSIS
.\" @SYNOPSIS@
.SH COMMANDS
.\" @COMMANDS@
.SH OPTIONS
.\" @OPTIONS@
.SH EXIT STATUS
.\" @EXIT STATUS@
.SH ENVIRONMENT
.\" @ENVIRONMENT@
.SH EXAMPLES
.\" @EXAMPLES@
.\" a comment that stays
)";

TEST(ManPage, HoldsEveryOptionCommandAndExample) {
  const std::string page = generated("man", kProse);
  EXPECT_TRUE(has_line_with(page, "\"toy 1.2.3\""));
  EXPECT_TRUE(has_line_with(page, ".\\\" a comment that stays"));
  EXPECT_EQ(page.find(".\\\" @"), std::string::npos);
  ToyOptions options;
  const Program program = toy_program(options);
  for (const CommandPath& path : all_commands(program)) {
    for (const Option& option : rows_to_show(path)) {
      std::string name = "\\-\\-" + option.name;
      for (size_t at = 4; (at = name.find('-', at)) != std::string::npos; at += 2) name.insert(at, 1, '\\');
      EXPECT_TRUE(has_line_with(page, name)) << name;
    }
  }
  EXPECT_TRUE(has_line_with(page, "A fourth, which the help leaves out."));
  EXPECT_TRUE(has_line_with(page, "MLQ_TOY_SIZE"));
}

TEST(ManPage, OfAnUnknownSectionIsAnInputError) {
  ToyOptions options;
  const Outcome outcome = run_toy(options, {"--generate", "man"}, ".\\\" @OPTOINS@\n");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_EQ(outcome.out, "");
}

TEST(ManPage, PassesMandoc) {
  if (!installed("mandoc")) GTEST_SKIP() << "no mandoc";
  const std::string page = write_temporary("toy.1", generated("man", kProse));
  const Outcome lint = shell("mandoc -T lint -W error " + page);
  EXPECT_EQ(lint.status, 0) << lint.out;
  const std::string shown = shell("mandoc -T utf8 " + page + " | col -bx").out;
  EXPECT_TRUE(has_line_with(shown, "second paragraph with a \\ and .a line")) << shown;
  EXPECT_TRUE(has_line_with(shown, "toy make poisson --rate 200/s --segment 'a b c' | toy look")) << shown;
}

TEST(ManPage, PassesGroff) {
  if (!installed("groff")) GTEST_SKIP() << "no groff";
  const std::string page = write_temporary("toy.1", generated("man", kProse));
  EXPECT_EQ(shell("groff -man -Tutf8 -ww -z " + page).out, "");
}

TEST(RecordsPage, HoldsEveryFieldOfEveryType) {
  const std::string prose =
      ".TH MLQ-RECORDS 5 \"2024-05-01\" \"mlq @VERSION@\"\n.SH NAME\nmlq-records \\- records\n"
      ".SH RECORDS\n.\\\" @RECORDS@\n";
  const std::string page = generated("records", prose);
  for (const records::TypeInfo& type : records::registry()) {
    EXPECT_TRUE(has_line_with(page, ".SS " + std::string(type.type)));
    for (const records::FieldInfo& field : type.fields) {
      EXPECT_TRUE(has_line_with(page, "\\fB" + std::string(field.name) + "\\fR (" + std::string(field.type)));
    }
  }
  if (!installed("mandoc")) GTEST_SKIP() << "no mandoc";
  const Outcome lint = shell("mandoc -T lint -W error " + write_temporary("records.5", page));
  EXPECT_EQ(lint.status, 0) << lint.out;
}

TEST(Generate, OfSomethingElseIsAUsageError) {
  const Outcome outcome = run_toy({"--generate", "powershell"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(outcome.err.starts_with("toy: --generate: ")) << outcome.err;
}

// What bash offers when the cursor is at the end of the last of `words`.
std::string completed_by_bash(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += ' ' + shell_quoted(word);
  const std::string script = write_temporary("toy.bash", generated("bash"));
  const Outcome outcome =
      shell("cd " + script.substr(0, script.rfind('/')) + " && bash -uc 'set +o nounset; source " + script +
            "; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _toy; echo \"${COMPREPLY[@]}\"' bash" + list);
  return outcome.out.substr(0, outcome.out.find_last_not_of('\n') + 1);
}

TEST(Bash, CompletesCommandsOptionsChoicesAndFiles) {
  if (!installed("bash")) GTEST_SKIP() << "no bash";
  EXPECT_EQ(completed_by_bash({"toy", ""}), "make look");
  EXPECT_EQ(completed_by_bash({"toy", "ma"}), "make");
  EXPECT_EQ(completed_by_bash({"toy", "--v"}), "--version");
  EXPECT_EQ(completed_by_bash({"toy", "make", ""}), "poisson gamma");
  EXPECT_EQ(completed_by_bash({"toy", "make", "--rate", "3", "p"}), "poisson");
  EXPECT_EQ(completed_by_bash({"toy", "make", "gamma", "--se"}), "--segment --seed");
  EXPECT_EQ(completed_by_bash({"toy", "make", "--size", ""}), "small large");
  EXPECT_EQ(completed_by_bash({"toy", "make", "--size", "l"}), "large");
  EXPECT_EQ(completed_by_bash({"toy", "make", "--rate", ""}), "");
  EXPECT_EQ(completed_by_bash({"toy", "make", "gamma", "-o", "toy.ba"}), "toy.bash");
  EXPECT_EQ(completed_by_bash({"toy", "make", "gamma", "other", "toy.ba"}), "toy.bash");
  EXPECT_EQ(completed_by_bash({"toy", "look", "toy.ba"}), "toy.bash");
}

TEST(Bash, CompletesBehindAnEqualsSign) {
  if (!installed("bash")) GTEST_SKIP() << "no bash";
  EXPECT_EQ(completed_by_bash({"toy", "make", "--size", "="}), "small large");
  EXPECT_EQ(completed_by_bash({"toy", "make", "--size", "=", "l"}), "large");
  EXPECT_EQ(completed_by_bash({"toy", "make", "--size", "=", "large", "g"}), "gamma");
  EXPECT_EQ(completed_by_bash({"toy", "make", "--law", "gamma", ":", "cv", "=", "2", "g"}), "gamma");
}

TEST(Bash, ReadsTheScript) {
  if (!installed("bash")) GTEST_SKIP() << "no bash";
  const Outcome outcome = shell("bash -n " + write_temporary("toy.bash", generated("bash")));
  EXPECT_EQ(outcome.status, 0) << outcome.out;
}

TEST(Zsh, ReadsTheScript) {
  if (!installed("zsh")) GTEST_SKIP() << "no zsh";
  const Outcome outcome = shell("zsh -n " + write_temporary("_toy", generated("zsh")));
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.status, 0);
}

TEST(Fish, ReadsTheScript) {
  if (!installed("fish")) GTEST_SKIP() << "no fish";
  const Outcome outcome = shell("fish -n " + write_temporary("toy.fish", generated("fish")));
  EXPECT_EQ(outcome.status, 0) << outcome.out;
}

std::string completed_by_fish(const std::string& line) {
  const std::string script = write_temporary("toy.fish", generated("fish"));
  const std::string home = script.substr(0, script.rfind('/'));
  const Outcome outcome = shell("cd " + home + " && HOME=" + home + " fish --no-config -c 'source " + script +
                                "; complete -C \"" + line + "\"' | cut -f1 | sort | tr '\\n' ' '");
  return outcome.out;
}

TEST(Fish, CompletesCommandsOptionsAndChoices) {
  if (!installed("fish")) GTEST_SKIP() << "no fish";
  EXPECT_EQ(completed_by_fish("toy "), "look make ");
  EXPECT_EQ(completed_by_fish("toy make p"), "poisson ");
  EXPECT_EQ(completed_by_fish("toy make --rate 3 gamma --se"), "--seed --segment ");
  EXPECT_EQ(completed_by_fish("toy make gamma --size "), "large small ");
}

}  // namespace
}  // namespace mlq::cli::test
