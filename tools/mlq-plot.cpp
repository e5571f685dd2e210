// mlq-plot: the natural picture of a stream of records.
//
// Reads records of any program of mlq, from files or standard input, in bounded memory; several inputs
// overlay. Writes a picture, drawn by gnuplot: as text to standard output, or to -o by its ending; or the
// script for gnuplot. It writes no records. See mlq-plot(1).
#include <algorithm>
#include <charconv>
#include <memory>

#include "lib/base/io.h"
#include "lib/cli/program.h"
#include "lib/plot/gallery.h"
#include "lib/plot/gnuplot_run.h"
#include "lib/plot/gnuplot_script.h"
#include "lib/records/reader.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

enum class Format { by_name, text, svg, png, pdf, script };

struct Size {
  int width = 0;
  int height = 0;
};

struct PlotArguments {
  std::vector<std::string> paths;
  std::string kind;                   // empty: by the records
  std::vector<std::string> pictures;  // empty: the first there is
  std::string title;
  Format format = Format::by_name;
  std::optional<Size> size;
  bool list = false;
  std::string gnuplot = "gnuplot";
};

Size parse_size(std::string_view text) {
  constexpr int kLeast = 10, kMost = 10'000;
  Size size;
  const char* end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, size.width);
  const bool cross = width.ec == std::errc() && width.ptr != end && *width.ptr == 'x';
  const auto height = cross ? std::from_chars(width.ptr + 1, end, size.height) : width;
  const auto fits = [&](int length) { return length >= kLeast && length <= kMost; };
  if (!cross || height.ec != std::errc() || height.ptr != end || !fits(size.width) || !fits(size.height))
    throw usage_error("\"{}\" is no size; it is WIDTHxHEIGHT, such as 100x30, each from {} to {}", text,
                      kLeast, kMost);
  return size;
}

Format format_of(const PlotArguments& a, const std::string& output) {
  if (a.format != Format::by_name) return a.format;
  std::string name = output.substr(output.rfind('/') + 1);
  if (name.ends_with(".zst")) name.resize(name.size() - 4);  // compressed by Output
  const size_t dot = name.rfind('.');
  std::string ending = dot == std::string::npos || output == "-" ? "" : name.substr(dot);
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const auto& [known, format] :
       {std::pair{"", Format::text}, std::pair{".txt", Format::text}, std::pair{".svg", Format::svg},
        std::pair{".png", Format::png}, std::pair{".pdf", Format::pdf}, std::pair{".gp", Format::script}}) {
    if (ending == known) return format;
  }
  throw usage_error(
      "--output: {}: what is written goes by the ending: .svg, .png, .pdf, .gp or .txt; or give --format",
      output);
}

plot::Canvas canvas_of(const PlotArguments& a, Format format, size_t pictures, const Context& context) {
  const Size kDots{960, pictures > 1 ? 400 : 600};
  const cli::Terminal& terminal = context.terminal();
  plot::Canvas canvas;
  canvas.device = format == Format::svg   ? plot::Device::svg
                  : format == Format::png ? plot::Device::png
                  : format == Format::pdf ? plot::Device::pdf
                                          : plot::Device::text;
  const bool on_terminal =
      format == Format::text && context.shared().output == "-" && terminal.out_is_terminal;
  Size size = canvas.device == plot::Device::text ? Size{canvas.width, canvas.height} : kDots;
  // A line is left for the shell's prompt.
  if (on_terminal) size = {std::max(40, terminal.out_columns), std::max(16, terminal.out_lines - 1)};
  if (a.size) size = *a.size;
  canvas.width = size.width;
  canvas.height = size.height;
  canvas.colour = on_terminal && terminal.out_colour;
  return canvas;
}

// The names of the inputs in the key: the files' names without .jsonl, or the whole paths where two files
// have the same.
std::vector<std::string> key_names(const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    std::string name = path == "-" ? "standard input" : path.substr(path.rfind('/') + 1);
    for (const std::string_view ending : {".zst", ".jsonl"}) {
      if (name.size() > ending.size() && name.ends_with(ending)) name.resize(name.size() - ending.size());
    }
    names.push_back(std::move(name));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (std::count(names.begin(), names.end(), names[i]) > 1) return paths;
  }
  return names;
}

std::string text_of_list(const std::vector<plot::Choice>& all) {
  std::string out;
  for (const plot::Choice& choice : all)
    out += fmt::format("{:<9} {:<11} {}\n", choice.kind->name, choice.picture->name, choice.picture->summary);
  return out;
}

// `ccdf,ttft`: several at once.
std::vector<std::string> parse_names(std::string_view text) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (end == begin) throw usage_error("\"{}\" has an empty name; names stand between commas", text);
    names.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

// Says what was chosen where the user did not, and what else there is.
void say_choice(const PlotArguments& a, const std::vector<plot::Stream>& streams, const plot::Choice& chosen,
                Context& context) {
  if (!a.pictures.empty()) return;
  std::string others;
  for (const plot::Choice& other : plot::choices(streams)) {
    if (other.picture == chosen.picture) continue;
    if (!a.kind.empty() && other.kind != chosen.kind) continue;
    others += fmt::format("{}{}{}", others.empty() ? "" : ", ",
                          other.kind == chosen.kind ? "" : fmt::format("--kind {} ", other.kind->name),
                          other.picture->name);
  }
  context.note(fmt::format("{}: {}{}", chosen.kind->name, chosen.picture->name,
                           others.empty() ? "" : "; --picture also: " + others));
}

void write_output(const std::string& path, std::string_view text) {
  Output output = Output::open(path);
  output.write(text);
  output.close();
}

std::string drawing(const PlotArguments& a, const std::vector<plot::Picture>& pictures, Context& context) {
  const Format format = format_of(a, context.shared().output);
  const std::string script = plot::gnuplot_script(pictures, canvas_of(a, format, pictures.size(), context));
  if (format == Format::script) return script;
  plot::Drawn drawn = plot::run_gnuplot(a.gnuplot, script, context.stop());
  if (!drawn.messages.empty()) context.detail(drawn.messages);
  return format == Format::text ? plot::tidy_text(drawn.picture) : std::move(drawn.picture);
}

ExitKind run(PlotArguments& a, Context& context) {
  format_of(a, context.shared().output);  // a wrong ending is told before anything is read
  if (a.paths.empty()) a.paths = {"-"};
  const std::vector<std::string> names = key_names(a.paths);
  std::vector<records::Reader> readers;
  std::vector<plot::Stream> streams;
  for (size_t i = 0; i < a.paths.size() && !context.stop(); ++i) {
    readers.emplace_back(
        a.paths[i],
        records::ReaderOptions{context.shared().strict, context.shared().allow_truncated, &context.stop()});
    streams.push_back(plot::read_stream(readers.back(), names[i]));
  }
  // What was read until a signal came is drawn for whoever looks on; a file is left as it was.
  if (context.stop() && context.shared().output != "-") return ExitKind::done;

  const std::vector<plot::Choice> chosen = plot::choose(streams, a.kind, a.pictures);
  if (a.list) {
    write_output(context.shared().output, text_of_list(plot::choices(streams)));
  } else {
    std::vector<plot::Picture> pictures;
    for (const plot::Choice& choice : chosen) pictures.push_back(plot::draw(streams, choice));
    if (!a.title.empty()) {
      pictures.front().title = a.title;
      pictures.front().subject.clear();
    }
    const std::string drawn = drawing(a, pictures, context);
    if (!drawn.empty()) write_output(context.shared().output, drawn);
    say_choice(a, streams, chosen.front(), context);
  }
  for (const records::Reader& reader : readers) reader.finish();
  return ExitKind::done;
}

void declare(cli::Command& root, PlotArguments& a) {
  std::vector<cli::Choice> kinds;
  for (const plot::Kind& kind : plot::kinds())
    kinds.emplace_back(std::string(kind.name), std::string(kind.summary));
  root.shared = {Shared::output, Shared::strict, Shared::allow_truncated};
  root.positionals = {cli::file_positional(
      "FILE", cli::Positional::Arity::any_number,
      "Streams of records, each also .zst; - for standard input, the default.", a.paths)};
  cli::Option pictures;
  pictures.name = "picture";
  pictures.value = "NAME,..";
  pictures.help = "Which of the kind's pictures, one below the other; see PICTURES; all is every one.";
  pictures.default_text = "the first that the records give";
  pictures.set = [&a](std::string_view text) { a.pictures = parse_names(text); };
  root.add("Picture",
           {cli::text("kind", "KIND", "What to draw.", a.kind)
                .one_of(std::move(kinds))
                .shown_default("that of the first record"),
            std::move(pictures),
            cli::flag("list",
                      "Draw nothing; print what could be drawn, a line each: kind, picture, what it shows.",
                      a.list),
            cli::text("title", "TEXT", "Title in place of the first picture's own.", a.title)});
  root.add("Output",
           {cli::choice_option("format", "FORMAT", "What to write, whatever -o is called.", a.format,
                               {{"by-name", Format::by_name},
                                {"text", Format::text},
                                {"svg", Format::svg},
                                {"png", Format::png},
                                {"pdf", Format::pdf},
                                {"gp", Format::script}}),
            cli::value_option("size", "WxH",
                              "Columns and lines of text, or dots of a picture (in .pdf 1/100 inch each); of "
                              "several pictures, of each.",
                              a.size, parse_size)
                .shown_default("the terminal's, 80x24, or 960x600, of several 960x400"),
            cli::text("gnuplot", "PROGRAM", "The gnuplot to run: a name on PATH or a path.", a.gnuplot)
                .shown_default("gnuplot")
                .from_environment("MLQ_GNUPLOT")});
}

}  // namespace
}  // namespace mlq::tools

int main(int argc, char** argv) {
  using namespace mlq;
  const auto arguments = std::make_shared<tools::PlotArguments>();
  cli::Program program;
  program.name = "mlq-plot";
  program.version = MLQ_VERSION;
  program.summary = "Draw the natural picture of any stream of mlq records.";
  program.root.name = program.name;
  program.root.description =
      "Reads records of any program of mlq and draws what one would have drawn by hand: arrival rates, "
      "latency with its "
      "SLO, the search of a tuner, noise scales with their intervals, error against bits. Several inputs "
      "overlay. "
      "Drawing is gnuplot's; only scripts for it (-o plot.gp) need none.\n\n"
      "Memory does not grow with the streams: they are reduced while they are read.";
  tools::declare(program.root, *arguments);
  program.root.examples = {
      {"mlq-loadgen gen poisson --rate 200/s --duration 60s | mlq-plot", "a trace, in the terminal"},
      {"mlq-plot run.jsonl --picture ccdf -o latency.svg", "how latency is distributed, as a picture"},
      {"mlq-plot out.0.jsonl out.1.jsonl --picture latency", "two runs, one over the other"},
      {"mlq-plot run.jsonl --picture latency,ccdf,rate -o run.svg",
       "three pictures of a run, one below the other"},
      {"mlq-plot run.jsonl --list", "what could be drawn"},
      {"mlq-loadgen gen poisson --rate 50/s --count 1k | mlq-plot --picture gaps -o gaps.gp && gnuplot "
       "gaps.gp",
       "a script to edit"},
  };
  program.root.run = [arguments](cli::Context& context) { return tools::run(*arguments, context); };
  return cli::run_main(program, argc, argv);
}
