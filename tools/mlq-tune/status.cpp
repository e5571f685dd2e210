// mlq-tune status: what a journal says is set, known and on its way.
#include <fmt/format.h>

#include <memory>

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

std::string age(int64_t since_unix_ns) {
  const int64_t seconds = std::max<int64_t>(0, (unix_now_ns() - since_unix_ns) / 1'000'000'000);
  return format_duration(seconds * 1'000'000'000);
}

void print(Context& context, const tune::JournalContents& journal, const records::TuneEvent* setting,
           const std::vector<records::Policy>& policies) {
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
  records::Writer writer = cli::open_writer(context);
  writer.run(cli::run_record(context));
  if (setting != nullptr) writer.write(*setting);
  if (!journal.runs.empty() && !journal.runs.back().end)
    if (const records::Decision* pending = journal.runs.back().unanswered()) writer.write(*pending);
  for (const records::Policy& policy : policies) writer.write(policy);
  writer.end({});
  if (journal.torn) context.warn(fmt::format("{}: its last line was cut", a.file));
  if (context.wants_summary()) print(context, journal, setting, policies);
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
      "configuration was set, a decision that has no result yet, and the latest policy of each level.";
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
