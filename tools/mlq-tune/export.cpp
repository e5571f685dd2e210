// mlq-tune export: what was found, in the words of those that start servers.
#include <memory>

#include "lib/base/io.h"
#include "lib/tune/export/export.h"
#include "lib/tune/journal/journal.h"
#include "tools/mlq-tune/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct ExportArguments {
  std::string file;
  tune::ExportOptions options;
};

ExitKind write_export(const ExportArguments& a, Context& context) {
  std::vector<records::Policy> policies;
  for (const tune::JournalRun& run : tune::read_journal(a.file).runs)
    policies.insert(policies.end(), run.policies.begin(), run.policies.end());
  const std::string text = tune::export_text(policies, a.options);
  Output output = Output::open(context.shared().output);
  output.write(text);
  output.close();
  return ExitKind::done;
}

}  // namespace

cli::Command export_command() {
  const auto arguments = std::make_shared<ExportArguments>();
  ExportArguments& a = *arguments;
  cli::Command command;
  command.name = "export";
  command.summary = "What was found, in the words of those that start servers.";
  command.description =
      "Bare text on standard output: the confirmed configuration of each level of the load, of the latest "
      "search that "
      "saw it. Reads a journal, or the output of a search.\n\n"
      "Exit status 1: there is no confirmed configuration.";
  command.shared = {Shared::output};
  command.positionals = {
      cli::file_positional("STATE", cli::Positional::Arity::required, "The journal.", a.file)};
  std::vector<std::pair<std::string, tune::ExportFormat>> words;
  for (const tune::ExportFormatInfo& info : tune::export_formats())
    words.emplace_back(std::string(info.name), info.format);
  cli::Option to =
      cli::choice_option<tune::ExportFormat>("to", "FORMAT", "The form.", a.options.format, words);
  to.choices.clear();
  for (const tune::ExportFormatInfo& info : tune::export_formats())
    to.choices.emplace_back(std::string(info.name), std::string(info.text));
  command.add(
      "Export",
      {std::move(to), cli::text("level", "NAME", "This level alone.", a.options.level).shown_default("all"),
       cli::flag("unconfirmed", "Also what was not confirmed.", a.options.unconfirmed)});
  command.examples = {
      {"mlq-tune export tune.state --to json", "one object, a member a level"},
      {"mlq-tune export tune.state --to env --level r15c0 >server.env", "for a service's environment file"},
      {"echo my-server $(mlq-tune export tune.state --to argv --level r15c0)", "as options"},
  };
  command.run = [arguments](Context& context) { return write_export(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
