// mlq-tune compare: tuners x surfaces x seeds.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "lib/base/clock.h"
#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/records/tune_schema.h"
#include "lib/tune/compare/contestant.h"
#include "lib/tune/compare/rrl_paper.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/surfaces.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct CompareArguments {
  SurfaceArguments surfaces;
  VirtualArguments run;
  std::vector<tune::Contestant> tuners;
  std::vector<tune::Contestant> external;
  std::vector<std::string> assertions;
  uint64_t seeds = 30;
  std::string suite;
  uint64_t episodes = 0;
  std::vector<std::string> known;
};

std::vector<records::SuiteScore> read_known(const std::vector<std::string>& files, Context& context) {
  std::vector<records::SuiteScore> known;
  records::ReaderOptions options;
  options.strict = context.shared().strict;
  options.allow_truncated = context.shared().allow_truncated;
  options.stop = &context.stop();
  for (const std::string& file : files) {
    records::Reader reader(file, options);
    while (reader.next()) {
      if (reader.type() == records::Schema<records::SuiteScore>::type)
        known.push_back(reader.as<records::SuiteScore>());
    }
    reader.finish();
  }
  return known;
}

std::string with_interval(const std::optional<double>& value, const std::optional<double>& lo,
                          const std::optional<double>& hi) {
  if (!value && !lo) return "-";
  const auto text = [](const std::optional<double>& v) {
    return v ? cli::rounded(*v) : std::string("never");
  };
  return fmt::format("{} ({} to {})", text(value), text(lo), text(hi));
}

std::optional<double> percent(const std::optional<double>& share) {
  if (!share) return share;
  return *share * 100;
}

void print(Context& context, const std::vector<records::Score>& summaries) {
  cli::Table table({{"tuner", cli::Align::left},
                    {"surface", cli::Align::left},
                    {"trials to 5%"},
                    {"unreached %"},
                    {"recommended"},
                    {"online"}});
  for (const records::Score& s : summaries) {
    table.add({s.tuner, s.surface, with_interval(s.trials_to_5pct, s.trials_to_5pct_lo, s.trials_to_5pct_hi),
               with_interval(percent(s.unreached_share), percent(s.unreached_share_lo),
                             percent(s.unreached_share_hi)),
               with_interval(s.rec_ratio, s.rec_ratio_lo, s.rec_ratio_hi),
               with_interval(s.online_ratio, s.online_ratio_lo, s.online_ratio_hi)});
  }
  context.print(table.text());
}

std::string number(double value) {
  return value == std::numeric_limits<double>::infinity() ? "infinity" : cli::rounded(value);
}

// True if all hold.
bool judge(Context& context, const std::vector<tune::Assertion>& assertions, const tune::Bootstrap& bootstrap,
           uint64_t trials) {
  bool all = true;
  for (const tune::Assertion& assertion : assertions) {
    const tune::Assertion::Verdict verdict = assertion.judge(bootstrap, trials);
    const std::string text = fmt::format("{}: {}; it is {}, from {} to {} at 95 %", assertion.text(),
                                         verdict.holds ? "holds" : "fails", number(verdict.value),
                                         number(verdict.lo), number(verdict.hi));
    if (verdict.holds)
      context.note(text);
    else
      context.warn(text);
    all = all && verdict.holds;
  }
  return all;
}

std::string in_percent(double share) { return fmt::format("{:.1f}", 100 * share); }

void print_suite(Context& context, const tune::PaperRecords& records) {
  cli::Table scores({{"tuner", cli::Align::left},
                     {"load", cli::Align::left},
                     {"objective", cli::Align::left},
                     {"mean ms"},
                     {"last half ms"},
                     {"over SLO %"},
                     {"CPU ms"},
                     {"learned"}});
  for (const records::SuiteScore& s : records.scores) {
    if (s.seed) continue;
    scores.add({s.tuner, s.surface, s.objective, cli::rounded(s.latency_mean_ns * 1e-6),
                cli::rounded(s.last_half_mean_ns * 1e-6), in_percent(s.over_slo_share),
                cli::rounded(s.cpu_ns_per_request * 1e-6), s.learned.value_or(true) ? "" : "no"});
  }
  context.print(scores.text());
  cli::Table ratios({{"tuner", cli::Align::left},
                     {"against", cli::Align::left},
                     {"load", cli::Align::left},
                     {"measure", cli::Align::left},
                     {"less by %"},
                     {"95 %"},
                     {"published"}});
  for (const records::SuiteRatio& r : records.ratios)
    ratios.add({r.tuner, r.rival_learned ? r.against : r.against + " (did not learn)", r.surface, r.measure,
                in_percent(r.reduction), in_percent(r.reduction_lo) + " to " + in_percent(r.reduction_hi),
                r.published ? in_percent(*r.published) + (r.reached ? " reached" : " missed") : ""});
  context.print(ratios.text());
}

ExitKind run_suite(CompareArguments& a, Context& context) {
  if (!a.surfaces.names.empty() || !a.external.empty() || !a.assertions.empty())
    throw usage_error(
        "--suite has surfaces of its own, and takes neither --surface, --external nor --assert");
  tune::RrlPaperOptions options;
  options.seeds = a.seeds;
  options.first_seed = context.shared().seed;
  options.episodes = a.episodes;
  options.threads = context.threads();
  options.data_dir = cli::data_folder();
  options.tuners = a.tuners;
  options.known = read_known(a.known, context);
  records::Run record = cli::run_record(context);
  record.seed = options.first_seed;
  record.virtual_clock = true;
  records::Writer writer = cli::open_writer(context);
  writer.run(record);
  const tune::RrlPaper paper =
      tune::run_rrl_paper(options, context.stop(), [&context](uint64_t done, uint64_t all) {
        context.progress([&] { return fmt::format("{} of {} runs", done, all); });
      });
  records::End end;
  if (context.stop()) {
    end.interrupted = true;
  } else {
    const tune::PaperRecords records = tune::paper_records(paper);
    for (const auto& score : records.scores) writer.write(score);
    for (const auto& ratio : records.ratios) writer.write(ratio);
    if (context.wants_summary()) print_suite(context, records);
  }
  writer.end(end);
  return ExitKind::done;
}

ExitKind compare(CompareArguments& a, Context& context) {
  if (!a.suite.empty()) return run_suite(a, context);
  const SteadyClock clock;
  records::Run record = cli::run_record(context);
  tune::CompareOptions options;
  options.tuners = a.tuners.empty() ? tune::parse_contestants("rrl-a,random") : a.tuners;
  options.tuners.insert(options.tuners.end(), a.external.begin(), a.external.end());
  std::vector<std::string> names;
  for (const tune::Contestant& tuner : options.tuners) {
    if (std::find(names.begin(), names.end(), tuner.name) != names.end())
      throw usage_error("tuner {} is named twice", tuner.name);
    names.push_back(tuner.name);
  }
  std::vector<tune::Assertion> assertions;
  for (const std::string& text : a.assertions) assertions.push_back(tune::Assertion::parse(text, names));
  options.run = virtual_options(a.run, context, clock);
  options.surfaces = open_surfaces(a.surfaces, context, record);
  options.seeds = a.seeds;
  options.threads = context.threads();
  for (const tune::Contestant& tuner : options.tuners)
    if (tuner.command.empty())
      tune::make_contestant(tuner, *options.surfaces.front(), options.run, context.stop(), 0);  // it is known
  record.seed = options.run.seed;
  record.objective = options.run.objective.name();
  if (!options.run.objective.slo().empty()) record.slo = options.run.objective.slo();
  record.budget = options.run.trials;
  record.virtual_clock = true;

  records::Writer writer = cli::open_writer(context);
  writer.run(record);
  size_t told = 0;
  const size_t cells = options.tuners.size() * options.surfaces.size() * options.seeds;
  const tune::Comparison comparison =
      tune::compare(options, context.stop(), [&](const tune::Comparison& so_far, const tune::Cell& cell) {
        if (!cell.failure.empty())
          context.warn(fmt::format("{} on {}, seed {}: {}", so_far.tuners[cell.tuner],
                                   so_far.surfaces[cell.surface], cell.seed, cell.failure));
        writer.write(tune::cell_record(so_far, cell));
        ++told;
        context.progress([&] { return fmt::format("{} of {} runs", told, cells); });
      });
  records::End end;
  if (comparison.cells.size() < cells) {
    end.interrupted = true;
    writer.end(end);
    return ExitKind::done;
  }
  const tune::Bootstrap bootstrap(comparison, options.run.seed);
  std::vector<records::Score> summaries;
  for (size_t tuner = 0; tuner < comparison.tuners.size(); ++tuner) {
    for (size_t surface = 0; surface < comparison.surfaces.size(); ++surface)
      summaries.push_back(bootstrap.summary(tuner, surface));
    if (comparison.surfaces.size() > 1) summaries.push_back(bootstrap.summary(tuner, tune::Bootstrap::kAll));
  }
  for (const records::Score& summary : summaries) writer.write(summary);
  writer.end(end);
  if (context.wants_summary()) print(context, summaries);
  return judge(context, assertions, bootstrap, options.run.trials) ? ExitKind::done : ExitKind::answer_no;
}

}  // namespace

cli::Command compare_command() {
  const auto arguments = std::make_shared<CompareArguments>();
  CompareArguments& a = *arguments;
  cli::Command command;
  command.name = "compare";
  command.summary = "Tuners against one another, on surfaces, over many seeds, with intervals.";
  command.description =
      "Writes a score record for each tuner, surface and seed, then one a tuner and surface, and one a tuner "
      "over "
      "all surfaces (surface *), with 95 % intervals by the bootstrap: 2,000 resamples of the seeds, the "
      "same for "
      "all tuners, within each surface. trials_to_5pct is the median of Kaplan and Meier, in which a run "
      "that "
      "never came within 5 % counts as longer than --trials; it is missing where half of the runs did "
      "not.\n\n"
      "All tuners meet the same start configuration, budget and noise: the same configuration tried as often "
      "gives "
      "the same window. --external runs a tuner in another program, a process for each run; one that dies, "
      "or does "
      "not answer within 60 s, fails that run, and its score has a note instead.\n\n"
      "--assert holds if the whole interval does: ratio(a,b) >= 2 says that b needs at least twice the "
      "trials of a; "
      "trials(a), unreached(a), rec(a), online(a), alone or as a quotient, are compared in the same way. A "
      "median "
      "that was not reached counts as the budget at least. Exit status 1: one of them fails.";
  command.shared = {Shared::output, Shared::threads,       Shared::seed,
                    Shared::strict, Shared::no_provenance, Shared::allow_truncated};
  add_surfaces(command, a.surfaces);
  cli::Option tuners;
  tuners.name = "tuner";
  tuners.value = "NAME,..";
  tuners.help = "Tuners, each with settings if need be, as in rrl-a/estimators=gp/region=none.";
  tuners.default_text = "rrl-a,random";
  tuners.repeat = true;
  tuners.closed = false;
  for (const tune::TunerInfo& info : tune::tuner_infos())
    tuners.choices.emplace_back(std::string(info.name), std::string(info.text));
  tuners.set = [&a](std::string_view text) {
    for (tune::Contestant& tuner : tune::parse_contestants(text)) a.tuners.push_back(std::move(tuner));
  };
  command.add("Tuners",
              {std::move(tuners),
               cli::value_option("external", "[NAME=]CMD",
                                 "A tuner in another program, spoken to over its standard input and output.",
                                 a.external, tune::parse_external)});
  add_virtual(command, a.run);
  command.add(
      "Comparison",
      {cli::value_option("seeds", "N", "Runs of each tuner on each surface; the first has --seed.", a.seeds,
                         cli::above_zero(parse_count))
           .shown_default("30"),
       cli::text("assert", "EXPR", "Exit status 1 unless it holds, as in 'ratio(rrl-a,tpe) >= 2'.",
                 a.assertions),
       cli::text("suite", "NAME",
                 "A published evaluation in place of surfaces: rrl-paper, that of RRL on a simulated server.",
                 a.suite)
           .one_of({{"rrl-paper",
                     "RRL (Qin et al., SC'19): dynamic and Wikipedia load, against CAPES and "
                     "DeepRM alike"}}),
       cli::value_option("episodes", "N", "Of the suite: at most so many of each load.", a.episodes,
                         cli::above_zero(parse_count))
           .shown_default("all"),
       cli::text(
           "known", "FILE",
           "Of the suite: what this version of it wrote before, with the same --episodes; runs that are "
           "in it are not made again.",
           a.known)
           .file()});
  command.examples = {
      {"mlq-tune compare --surface pool-batch@400 --tuner rrl-a,random --seeds 5 --truth-requests 4000 "
       "--summary",
       "is the default better than luck?"},
      {"mlq-tune compare --surface surface.jsonl --noise 8% --tuner rrl-region,noregion --assert "
       "'ratio(rrl-region,noregion) >= 2'",
       "on a surface of your own, as a test"},
      {"mlq-tune compare --surface pool-batch@400 --tuner tpe --external 'stdio=mlq-tune ask --stdio --tuner "
       "tpe' "
       "--seeds 2 --truth-requests 4000",
       "a tuner in another program"},
  };
  command.run = [arguments](Context& context) { return compare(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
