// mlq-model check: a model against rows whose answers are known.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/serve/model/evaluate.h"
#include "tools/mlq-model/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

constexpr uint64_t kLargestBatch = 4096;
constexpr unsigned kMostThreads = 256;

struct CheckArguments {
  ModelArguments model;
  std::string rows;
  std::optional<double> at_least;
  std::vector<uint64_t> sizes;
  int64_t budget_ns = 200'000'000;
  bool no_speed = false;
};

// `1,4,16`.
std::vector<uint64_t> parse_sizes(std::string_view text) {
  std::vector<uint64_t> sizes;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const uint64_t size = parse_count(text.substr(begin, end - begin));
    if (size == 0 || size > kLargestBatch)
      throw usage_error("\"{}\": a batch has from 1 to {} rows", text, kLargestBatch);
    sizes.push_back(size);
    begin = end + 1;
  }
  return sizes;
}

double parse_share(std::string_view text) {
  const double share = parse_double(text);
  if (!(share >= 0 && share <= 1)) throw usage_error("\"{}\" must be from 0 to 1", text);
  return share;
}

records::Accuracy measure_accuracy(const CheckArguments& a, serve::model::Model& model,
                                   serve::model::RowPool& pool, const serve::model::Samples& samples,
                                   const serve::model::Conditions& conditions) {
  records::Accuracy record;
  record.backend = serve::model::backend_info(chosen_backend(a.model)).name;
  record.model = a.model.model;
  record.rows = samples.labels.size();
  record.correct = serve::model::count_correct(model, pool, samples, conditions);
  record.accuracy = static_cast<double>(record.correct) / static_cast<double>(record.rows);
  record.at_least = a.at_least;
  if (a.at_least) record.pass = record.accuracy >= *a.at_least;
  return record;
}

void print(Context& context, const records::Accuracy& accuracy, const std::vector<records::Speed>& speeds) {
  context.print(fmt::format("{} of {} rows right: {}\n", cli::grouped(accuracy.correct),
                            cli::grouped(accuracy.rows), cli::rounded(accuracy.accuracy)));
  cli::Table table({{"rows"}, {"rows/s"}, {"latency"}});
  for (const records::Speed& speed : speeds)
    table.add({cli::grouped(speed.rows), cli::rounded(speed.rows_per_s), format_duration(speed.latency_ns)});
  if (!speeds.empty()) context.print(table.text());
}

ExitKind check(CheckArguments& a, Context& context) {
  if (a.rows.empty() && a.model.model != kDigits)
    throw usage_error("--rows is missing; what is the model to be tried on?");
  const serve::model::ModelMaker maker = make_models(a.model);
  records::ReaderOptions reading;
  reading.strict = context.shared().strict;
  reading.allow_truncated = context.shared().allow_truncated;
  reading.stop = &context.stop();
  records::Reader reader(a.rows.empty() ? digits_file("rows.jsonl") : a.rows, reading);
  const serve::model::Samples samples = serve::model::read_samples(reader, maker.info().features());
  const auto model = maker.make();
  serve::model::RowPool pool;
  serve::model::Conditions conditions;
  conditions.threads = std::min(context.threads(), kMostThreads);

  records::Run run = cli::run_record(context);
  run.threads = conditions.threads;
  if (!reader.runs().empty()) run.inputs = records::RawJson{reader.runs_json()};
  records::Writer writer = cli::open_writer(context);
  writer.run(run);
  const records::Accuracy accuracy = measure_accuracy(a, *model, pool, samples, conditions);
  writer.write(accuracy);
  std::vector<records::Speed> speeds;
  if (a.no_speed) a.sizes.clear();
  for (const uint64_t size : a.sizes) {
    if (context.stop()) break;
    speeds.push_back(serve::model::measure_speed(*model, pool, samples, size, conditions, a.budget_ns,
                                                 SteadyClock(), context.stop()));
    writer.write(speeds.back());
  }
  records::End end;
  if (context.stop()) end.interrupted = true;
  writer.end(end);
  if (context.wants_summary()) print(context, accuracy, speeds);
  return accuracy.pass.value_or(true) ? ExitKind::done : ExitKind::answer_no;
}

}  // namespace

cli::Command check_command() {
  const auto arguments = std::make_shared<CheckArguments>();
  CheckArguments& a = *arguments;
  a.sizes = {1, 2, 4, 8, 16, 32, 64, 128, 256};
  cli::Command command;
  command.name = "check";
  command.summary = "Hold a model against rows whose answers are known, and time it.";
  command.description =
      "Writes one accuracy record, and one speed record a batch size. A row counts as right if the output "
      "label, or else the place of the largest value of the first output, is its label.";
  command.shared = {Shared::output, Shared::threads, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  command.add("Model", model_options(a.model));
  command.add("Check", {cli::text("rows", "FILE",
                                  "Rows with their labels: sample records; - is standard input.", a.rows)
                            .file()
                            .shown_default("for digits, its test rows"),
                        cli::value_option("at-least", "SHARE", "Exit status 1 if fewer rows are right.",
                                          a.at_least, parse_share)});
  cli::Option sizes;
  sizes.name = "batches";
  sizes.value = "N,..";
  sizes.help = "Batch sizes to time.";
  sizes.default_text = "1,2,4,8,16,32,64,128,256";
  sizes.set = [&a](std::string_view text) { a.sizes = parse_sizes(text); };
  command.add("Check",
              {std::move(sizes), cli::flag("no-speed", "Time nothing.", a.no_speed),
               cli::value_option("time", "TIME", "Time for each batch size.", a.budget_ns, parse_duration)
                   .shown_default("200ms")});
  command.examples = {
      {"mlq-model check --model digits --backend forest --at-least 0.95", "the digits that come with mlq"},
      {"mlq-model check --backend linear --model model.json --rows rows.jsonl --no-speed",
       "a model of your own"},
      {"mlq-model check --model digits --backend kernel-svm --batches 1,16,256 -j 1 --summary",
       "how fast is one thread?"},
  };
  command.run = [arguments](Context& context) { return check(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
