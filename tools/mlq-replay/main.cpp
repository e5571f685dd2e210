// mlq-replay: send an arrival trace to an HTTP endpoint exactly on time, and measure it honestly.
//
// run reads a trace (arrival records) and writes one result a request, windows, histograms and a summary with
// a verdict; latency counts from the due time. serve is the calibrated opposite end, merge joins the records
// of several processes, report makes the figures anew. See mlq-records(5).
#include "lib/cli/table.h"
#include "lib/replay/summary.h"
#include "tools/mlq-replay/commands.h"

namespace mlq::tools {

records::ReaderOptions reader_options(cli::Context& context) {
  records::ReaderOptions options;
  options.strict = context.shared().strict;
  options.allow_truncated = context.shared().allow_truncated;
  options.stop = &context.stop();
  return options;
}

void print_summaries(cli::Context& context, const std::vector<records::Summary>& summaries) {
  for (const records::Summary& summary : summaries) {
    cli::Table table({{"class", cli::Align::left}, {summary.klass, cli::Align::right}});
    for (const auto& [name, value] : replay::summary_rows(summary)) table.add({name, value});
    cli::Table times(
        {{"", cli::Align::left}, {"mean"}, {"p50"}, {"p90"}, {"p95"}, {"p99"}, {"p99.9"}, {"max"}});
    for (const std::vector<std::string>& row : replay::metric_rows(summary, "-")) times.add(row);
    context.print(table.text());
    context.print(times.text());
    if (summary.note) context.print(*summary.note);
  }
}

ExitKind answer(const records::Summary& all, bool require_valid) {
  const bool missed = !all.slo_pass.value_or(true);
  return missed || (require_valid && !all.valid) ? ExitKind::answer_no : ExitKind::done;
}

cli::Option require_valid_option(bool& target) {
  return cli::flag("require-valid", "Exit status 1 if the sender did not keep its plan.", target);
}

}  // namespace mlq::tools

int main(int argc, char** argv) {
  using namespace mlq;
  cli::Program program;
  program.name = "mlq-replay";
  program.version = MLQ_VERSION;
  program.summary = "Send an arrival trace to an HTTP endpoint exactly on time, and measure it honestly.";
  program.root.name = program.name;
  program.root.description =
      "Requests go out at the planned instants, latency counts from the planned instants, and every summary "
      "says whether it can be trusted. What was late, dropped or never answered stays in the figures. Traces "
      "come from mlq-loadgen; records are described in mlq-records(5).";
  program.root.commands = {tools::run_command(), tools::serve_command(), tools::merge_command(),
                           tools::report_command()};
  program.root.examples = {
      {"mlq-replay serve --listen 127.0.0.1:8000 --service exp,mean=2ms --duration 1s",
       "a server whose answers are known; without --duration until Ctrl-C"},
      {"mlq-loadgen gen poisson --rate 200/s --duration 5s | mlq-replay run --url http://127.0.0.1:8000/ -o "
       "run.jsonl",
       "load and measure what listens there"},
      {"mlq-replay report --format md run.jsonl", "the figures as tables"},
  };
  return cli::run_main(program, argc, argv);
}
