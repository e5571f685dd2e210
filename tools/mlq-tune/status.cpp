// mlq-tune status: what a journal says is set, known and on its way.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <set>

#include "lib/base/clock.h"
#include "lib/base/fmath.h"
#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/records/tune_schema.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct StatusArguments {
  std::string file;
};

const records::TuneEvent* last_setting(const tune::JournalContents& journal) {
  const records::TuneEvent* last = nullptr;
  for (const tune::JournalRun& run : journal.runs)
    for (const records::TuneEvent& event : run.events)
      if (event.config) last = &event;
  return last;
}

// The latest policy of each level.
std::vector<records::Policy> policies_of(const tune::JournalContents& journal) {
  std::vector<records::Policy> out;
  for (const tune::JournalRun& run : journal.runs) {
    for (const records::Policy& policy : run.policies) {
      const auto known =
          std::find_if(out.begin(), out.end(), [&](const auto& p) { return p.level == policy.level; });
      if (known == out.end())
        out.push_back(policy);
      else
        *known = policy;
    }
  }
  return out;
}

// Of a search by ask and tell, whose results are known by what was told.
struct Asking {
  size_t asked = 0, told = 0, failed = 0;
  std::vector<records::Ask> pending;
  std::optional<records::Tell> least;
  std::string figure;  // by which it is the least
};

struct Figure {
  const char* name;
  double (*of)(const records::Tell&);  // NaN: it was not told
};

template <auto Member>
double figure_of(const records::Tell& tell) {
  return tell.*Member ? static_cast<double>(*(tell.*Member)) : std::numeric_limits<double>::quiet_NaN();
}

// The first of these that every result has is compared; the objective is not in the journal.
constexpr Figure kFigures[] = {{"cost", figure_of<&records::Tell::cost>},
                               {"latency", figure_of<&records::Tell::latency_ns>},
                               {"p99", figure_of<&records::Tell::latency_p99_ns>},
                               {"mean latency", figure_of<&records::Tell::latency_mean_ns>}};

Asking asking_of(const tune::JournalContents& journal) {
  Asking out;
  std::set<uint64_t> answered;
  std::vector<records::Tell> worked;
  for (const tune::JournalRun& run : journal.runs) {
    out.asked += run.asks.size();
    for (const records::Tell& tell : run.tells) {
      ++out.told;
      if (tell.i) answered.insert(*tell.i);
      if (tell.failed.value_or(false))
        ++out.failed;
      else
        worked.push_back(tell);
    }
  }
  for (const tune::JournalRun& run : journal.runs)
    for (const records::Ask& ask : run.asks)
      if (!answered.contains(ask.i)) out.pending.push_back(ask);
  for (const Figure& figure : kFigures) {
    if (worked.empty() ||
        std::ranges::any_of(worked, [&](const auto& t) { return std::isnan(figure.of(t)); }))
      continue;
    out.least = *std::ranges::min_element(worked, {}, figure.of);
    out.figure = figure.name;
    break;
  }
  return out;
}

std::string text_of(const Asking& asking) {
  std::string text;
  if (asking.asked + asking.told == 0) return text;
  text = fmt::format("{} asked, {} told, {} failed\n", asking.asked, asking.told, asking.failed);
  for (const records::Ask& ask : asking.pending)
    text += fmt::format("on its way: trial {}, {}\n", ask.i, ask.config.text);
  if (!asking.least) return text;
  const double least = std::ranges::find(kFigures, asking.figure, &Figure::name)->of(*asking.least);
  return text + fmt::format("least {}: {}, trial {}, {}\n", asking.figure,
                            asking.figure == "cost" ? fmt::format("{:.4g}", least)
                                                    : format_duration(static_cast<int64_t>(least)),
                            asking.least->i.value_or(0),
                            asking.least->config ? asking.least->config->text : "");
}

std::string age(int64_t since_unix_ns) {
  const int64_t seconds = std::max<int64_t>(0, (unix_now_ns() - since_unix_ns) / 1'000'000'000);
  return format_duration(seconds * 1'000'000'000);
}

void print(Context& context, const tune::JournalContents& journal, const Asking& asking,
           const records::TuneEvent* setting, const std::vector<records::Policy>& policies) {
  size_t trials = 0;
  for (const tune::JournalRun& run : journal.runs) trials += run.trials.size() + run.tells.size();
  std::string text =
      fmt::format("{}, {}\n", format_count(journal.runs.size(), "run"), format_count(trials, "trial"));
  if (!journal.runs.empty()) {
    const tune::JournalRun& last = journal.runs.back();
    text += fmt::format("last run: {}, begun {} ago\n",
                        !last.end                               ? "running, or killed"
                        : last.end->interrupted.value_or(false) ? "interrupted"
                                                                : "finished",
                        age(last.run.start_unix_ns.value_or(unix_now_ns())));
    if (const records::Decision* pending = last.unanswered(); pending != nullptr && !last.end)
      text += fmt::format("on its way: trial {}, {}\n", pending->i, pending->config.text);
  }
  text += text_of(asking);
  if (setting != nullptr) text += fmt::format("set: {} ({})\n", setting->config->text, setting->event);
  context.print(text);
  cli::Table table(
      {{"level", cli::Align::left}, {"configuration", cli::Align::left}, {"cost"}, {"confirmed"}});
  for (const records::Policy& p : policies) {
    table.add({p.level, p.config.text,
               p.stat_ns ? format_duration(*p.stat_ns / 1000 * 1000) : fmt::format("{:.4g}", fmath::exp(p.y)),
               p.confirmed ? "yes" : "no"});
  }
  if (!policies.empty()) context.print(table.text());
}

ExitKind status(const StatusArguments& a, Context& context) {
  const tune::JournalContents journal = tune::read_journal(a.file);
  const records::TuneEvent* setting = last_setting(journal);
  const std::vector<records::Policy> policies = policies_of(journal);
  const Asking asking = asking_of(journal);
  records::Writer writer = cli::open_writer(context);
  writer.run(cli::run_record(context));
  if (setting != nullptr) writer.write(*setting);
  if (!journal.runs.empty() && !journal.runs.back().end)
    if (const records::Decision* pending = journal.runs.back().unanswered()) writer.write(*pending);
  for (const records::Ask& ask : asking.pending) writer.write(ask);
  if (asking.least) writer.write(*asking.least);
  for (const records::Policy& policy : policies) writer.write(policy);
  writer.end({});
  if (journal.torn) context.warn(fmt::format("{}: its last line was cut", a.file));
  if (context.wants_summary()) print(context, journal, asking, setting, policies);
  return ExitKind::done;
}

}  // namespace

cli::Command status_command() {
  const auto arguments = std::make_shared<StatusArguments>();
  cli::Command command;
  command.name = "status";
  command.summary = "What a journal says is set, known and on its way.";
  command.description =
      "Reads a journal without locking it, also while another program writes it: the event after which the "
      "present "
      "configuration was set, a decision that has no result yet, and the latest policy of each level. Of a "
      "search "
      "by ask "
      "and tell: what was asked for and not told yet, and the tell with the least cost or, without costs, "
      "latency.";
  command.shared = {Shared::output, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("STATE", cli::Positional::Arity::required, "The journal.", arguments->file)};
  command.examples = {
      {"mlq-tune status tune.state --summary >/dev/null", "for people"},
      {"mlq-tune status tune.state | jq -c 'select(.type==\"policy\") | [.level,.config,.confirmed]'",
       "for programs"},
      {"mlq-tune status tune.state | jq -c 'select(.type==\"decision\")'", "is a change on its way?"},
  };
  command.run = [arguments](Context& context) { return status(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
