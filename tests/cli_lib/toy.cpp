#include "tests/cli_lib/toy.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "lib/base/units.h"

namespace mlq::cli::test {
namespace {

// A temporary file without a name that reads back what was written to its descriptor.
class Scratch {
 public:
  explicit Scratch(const std::string& text = "") : file_(std::tmpfile()) {
    std::fwrite(text.data(), 1, text.size(), file_);
    std::rewind(file_);
  }
  ~Scratch() { std::fclose(file_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  int fd() const { return fileno(file_); }
  std::string text() const {
    std::string out(static_cast<size_t>(lseek(fd(), 0, SEEK_END)), '\0');
    if (pread(fd(), out.data(), out.size(), 0) != static_cast<ssize_t>(out.size())) std::abort();
    return out;
  }

 private:
  FILE* file_;
};

// The descriptor 0 of this process, replaced for a while: `--generate man` reads standard input.
class StandardInput {
 public:
  explicit StandardInput(int fd) : saved_(dup(0)) { dup2(fd, 0); }
  ~StandardInput() {
    dup2(saved_, 0);
    close(saved_);
  }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

 private:
  int saved_;
};

Command make_command(ToyOptions& options) {
  Command make;
  make.name = "make";
  make.summary = "Makes a thing.";
  make.description =
      "Makes one thing after another until there is no more to make; the words here are many, so that they "
      "have to "
      "be wrapped somewhere.\n\nA second paragraph with a \\ and\n.a line that roff would take for a "
      "request.";
  make.shared = {Shared::output, Shared::threads,       Shared::seed,
                 Shared::strict, Shared::no_provenance, Shared::allow_truncated};
  make.positionals = {value_positional("PROCESS", Positional::Arity::required, "What to make.",
                                       options.process,
                                       [](std::string_view given) { return std::string(given); })};
  make.positionals[0].choices = {{"poisson", "It's exponential: gaps \"without\" memory"},
                                 {"gamma", "Gamma gaps"}};
  make.positionals.push_back(
      file_positional("FILE", Positional::Arity::any_number, "Files to read.", options.files));
  make.add("Rate", {value_option("rate", "RATE", "Mean rate [1/s]: how many.", options.rate, parse_double),
                    text("law", "LAW", "Law of the gaps.", options.law)
                        .shown_default("exp")
                        .suggest({"exp", "gamma:cv=2", "fixed"})});
  make.add("Other",
           {text("segment", "SEGMENT", "A segment; the segments follow one another.", options.segments),
            text("size", "SIZE", "How big.", options.size)
                .shown_default("small")
                .one_of({"small", "large"})
                .from_environment("MLQ_TOY_SIZE"),
            flag("emit-path", "Also write the path.", options.emit_path),
            value_option("level", "N", "A small number, which may be below zero.", options.level,
                         [](std::string_view given) { return std::stoll(std::string(given)); })
                .shortened('l')});
  for (Option& option : make.options) {
    option.set = [&options, name = option.name, set = option.set](std::string_view value) {
      options.order.push_back(name);
      set(value);
    };
  }
  make.run = [&options](Context& context) {
    options.shared = context.shared();
    return options.then ? options.then(context) : ExitKind::done;
  };
  return make;
}

}  // namespace

Program toy_program(ToyOptions& options) {
  Program program;
  program.name = "toy";
  program.version = "1.2.3";
  program.summary = "Makes toys and looks at them.";
  program.root.name = "toy";
  program.root.examples = {{"toy make poisson --rate 200/s --segment 'a b c' | toy look", "Makes and looks."},
                           {"toy make gamma -o out.jsonl", "Makes a file."},
                           {"toy look out.jsonl", "Looks at it."},
                           {"toy look --help", "A fourth, which the help leaves out."}};
  Command look;
  look.name = "look";
  look.summary = "Looks at a thing.";
  look.positionals = {
      file_positional("FILE", Positional::Arity::optional, "What to look at.", options.process)};
  look.run = [](Context&) { return ExitKind::answer_no; };
  program.root.commands = {make_command(options), look};
  return program;
}

Outcome run_toy(ToyOptions& options, const std::vector<std::string>& args, const std::string& input,
                bool in_is_terminal) {
  const Program program = toy_program(options);
  const Scratch in(input), out, err;
  Terminal terminal;
  terminal.in = in.fd();
  terminal.out = out.fd();
  terminal.err = err.fd();
  terminal.in_is_terminal = in_is_terminal;
  std::vector<const char*> argv{"toy"};
  for (const std::string& arg : args) argv.push_back(arg.c_str());
  const StandardInput replaced(in.fd());
  Outcome outcome;
  outcome.status = run_main(program, static_cast<int>(argv.size()), argv.data(), terminal);
  outcome.out = out.text();
  outcome.err = err.text();
  return outcome;
}

Outcome run_toy(const std::vector<std::string>& args) {
  ToyOptions options;
  return run_toy(options, args);
}

Outcome shell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> block{};
  for (size_t n; (n = fread(block.data(), 1, block.size(), pipe)) > 0;) outcome.out.append(block.data(), n);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

std::string write_temporary(const std::string& name, const std::string& text) {
  static const struct Folder {
    Folder() : path(std::filesystem::temp_directory_path() / ("mlq-cli-test-" + std::to_string(getpid()))) {
      std::filesystem::create_directories(path);
    }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    std::filesystem::path path;
  } folder;
  const std::string path = folder.path / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

bool installed(const std::string& program) { return shell("command -v " + program).status == 0; }

}  // namespace mlq::cli::test
