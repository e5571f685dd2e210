// mlq-simigrad inspect: what is in dumps of gradients, by their headers.
#include <memory>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/dump/checksum.h"
#include "lib/simigrad/dump/step.h"
#include "tools/mlq-simigrad/commands.h"
#include "tools/mlq-simigrad/dumps.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct InspectArguments {
  std::vector<std::string> paths;
  DumpArguments dumps;
  bool list = false;
  bool check = false;
  bool checksum = false;
};

struct Totals {
  uint64_t steps = 0, files = 0, missing = 0, size_bytes = 0, stored_bytes = 0;
};

records::Dump file_record(const simigrad::StepFiles& step, uint64_t group, uint64_t shard,
                          const tensorfile::Source& source, const simigrad::DumpOptions& options) {
  records::Dump record;
  const tensorfile::Shard& file = source.shard(0);
  const simigrad::FileFacts facts = simigrad::facts_of(file);
  record.step = step.step;
  record.path = file.file;
  if (step.incarnation != 0) record.incarnation = step.incarnation;
  record.group = group;
  record.shard = shard;
  record.samples = facts.samples;
  if (!record.samples && options.group_samples.size() == 1) record.samples = options.group_samples[0];
  if (!record.samples && group < options.group_samples.size()) record.samples = options.group_samples[group];
  record.tensors = source.tensors().size();
  record.format = tensorfile::format_name(file.format);
  record.stored_bytes = file.stored_bytes;
  uint64_t params = 0, size_bytes = 0;
  std::string dtype;
  for (const tensorfile::TensorInfo& tensor : source.tensors()) {
    params += tensor.elems;
    size_bytes += tensor.size_bytes;
    const std::string name(dtype_name(tensor.dtype));
    dtype = dtype.empty() || dtype == name ? name : "mixed";
  }
  record.params = params;
  record.size_bytes = size_bytes;
  if (!dtype.empty()) record.dtype = dtype;
  return record;
}

void list_tensors(const tensorfile::Source& source, records::Writer& writer) {
  for (const tensorfile::TensorInfo& tensor : source.tensors()) {
    records::DumpTensor record;
    record.path = source.shard(tensor.shard).file;
    record.tensor = tensor.name;
    record.dtype = dtype_name(tensor.dtype);
    record.shape = tensor.shape;
    record.offset_bytes = tensor.file_offset;
    record.size_bytes = tensor.size_bytes;
    record.storage_shared = tensor.storage_shared;
    writer.write(record);
  }
}

void inspect_step(const InspectArguments& a, const simigrad::StepFiles& files, uint64_t groups,
                  const simigrad::DumpOptions& options, records::Writer& writer, Totals& totals) {
  const auto [step, missing] = simigrad::open_step(files, groups, options);
  tensorfile::SourceOptions open = options.source;
  open.strided = true;
  size_t next = 0;
  for (const auto& [group, shards] : files.groups) {
    for (const simigrad::GroupFile& file : shards) {
      // A step that is whole has its files open, in this order.
      std::optional<tensorfile::Source> opened;
      if (!missing.empty()) opened = tensorfile::open_source(file.path, open);
      const tensorfile::Source& source = opened ? *opened : step.sources[next++];
      records::Dump record = file_record(files, group, file.shard, source, options);
      record.complete = missing.empty();
      if (a.checksum) record.xxh3 = simigrad::checksum(*source.files()[0].bytes);
      writer.write(record);
      if (a.list) list_tensors(source, writer);
      ++totals.files;
      totals.size_bytes += *record.size_bytes;
      totals.stored_bytes += *record.stored_bytes;
    }
  }
  for (const uint64_t group : missing) {
    records::MissingGroup record;
    record.step = files.step;
    record.group = group;
    if (files.incarnation != 0) record.incarnation = files.incarnation;
    writer.write(record);
  }
  ++totals.steps;
  totals.missing += missing.size();
}

void print(Context& context, const Totals& totals) {
  cli::Table table({{"steps"}, {"files"}, {"missing groups"}, {"bytes"}, {"stored bytes"}});
  table.add({cli::grouped(totals.steps), cli::grouped(totals.files), cli::grouped(totals.missing),
             cli::grouped(totals.size_bytes), cli::grouped(totals.stored_bytes)});
  context.print(table.text());
}

ExitKind inspect(const InspectArguments& a, Context& context) {
  simigrad::DumpOptions options = a.dumps.options(context);
  options.needs_samples = false;
  const simigrad::DumpSet set = simigrad::find_dumps(a.paths, options);
  records::Writer writer = cli::open_writer(context);
  writer.run(cli::run_record(context));
  Totals totals;
  records::End end;
  for (const simigrad::StepFiles& files : set.steps) {
    if (context.stop()) {
      end.interrupted = true;
      break;
    }
    inspect_step(a, files, set.groups, options, writer, totals);
  }
  writer.end(end);
  if (context.wants_summary()) print(context, totals);
  if (!a.check || totals.missing == 0) return ExitKind::done;
  context.note(format_count(totals.missing, "group") + " missing; the missing records say which");
  return ExitKind::answer_no;
}

}  // namespace

cli::Command inspect_command() {
  const auto arguments = std::make_shared<InspectArguments>();
  InspectArguments& a = *arguments;
  cli::Command command;
  command.name = "inspect";
  command.summary = "Say which steps, groups and tensors are in dumps of gradients.";
  command.description =
      "Writes a dump record for each file and a missing record for each group that a step lacks. Reads "
      "headers "
      "only and holds the groups of each step against each other: the same tensors, of the same shapes and "
      "types. "
      "A file of torch.save is read without Python, and nothing in it is executed.";
  command.shared = {Shared::output, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("PATH", cli::Positional::Arity::one_or_more,
                           "Dumps: safetensors, npy, torch.save, each also .zst; or folders.", a.paths)};
  command.add("Inspect", {cli::flag("list", "Write a dump_tensor record for each tensor too.", a.list),
                          cli::flag("check", "Exit with 1 if a step lacks a group.", a.check),
                          cli::flag("checksum", "Read the files too, for their XXH3-128.", a.checksum)});
  add_dumps(command, a.dumps);
  command.examples = {
      {"mlq-simigrad inspect grads --summary", "what is there?"},
      {"mlq-simigrad inspect grads --check > /dev/null && echo complete", "for a script"},
      {"mlq-simigrad inspect grads/step0/group0.safetensors --list | jq "
       "'select(.type==\"dump_tensor\").tensor'",
       "the names of its tensors"},
  };
  command.run = [arguments](Context& context) { return inspect(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
