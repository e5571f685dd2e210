// mlq-quant bench: how fast is it beside what the machine can do?
#include <memory>

#include "lib/base/clock.h"
#include "lib/base/units.h"
#include "lib/cli/table.h"
#include "lib/gather/bench.h"
#include "lib/quant/bench.h"
#include "lib/records/quant_schema.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;
using quant::Format;

struct KernelArguments {
  quant::KernelBench bench;
  std::vector<Format> formats;
  FormatArguments format;
};

constexpr Format kUsual[] = {Format::int8,  Format::int4,  Format::nf4, Format::fp8e4m3,
                             Format::mxfp4, Format::nvfp4, Format::ec,  Format::bf16};

std::vector<quant::Spec> specs_of(const KernelArguments& a) {
  std::vector<Format> formats = a.formats;
  if (formats.empty()) formats.assign(std::begin(kUsual), std::end(kUsual));
  std::vector<quant::Spec> specs;
  for (const Format format : formats) {
    quant::Spec spec = spec_of(a.format, format);
    spec.zstd = quant::Zstd::off;
    if (format == Format::ec) spec.step = 0.1;  // of the spread of the values
    specs.push_back(spec);
  }
  return specs;
}

records::QuantBench record_of(const quant::BenchResult& r) {
  records::QuantBench record;
  record.what = "kernel";
  record.kernel = r.operation;
  record.device = "cpu";
  record.format = quant::format_info(r.spec.format).name;
  if (r.spec.block_kind == quant::BlockKind::fixed) record.block = r.spec.block;
  record.elems = r.elems;
  record.moved_bytes = r.moved_bytes;
  record.working_set_bytes = r.working_set_bytes;
  record.reps = r.reps;
  record.duration_ns = r.duration_ns;
  record.duration_min_ns = r.duration_min_ns;
  record.rate_bytes_per_s = r.rate_bytes_per_s;
  record.baseline = "memcpy";
  record.baseline_bytes_per_s = r.baseline_bytes_per_s;
  record.ratio = r.rate_bytes_per_s / r.baseline_bytes_per_s;
  return record;
}

ExitKind bench_kernel(KernelArguments& a, Context& context) {
  a.bench.specs = specs_of(a);
  a.bench.stop = &context.stop();
  const quant::KernelCheck check = quant::check_kernels(a.bench);
  if (!check.same)
    throw Error(ExitKind::answer_no,
                fmt::format("{}: the SIMD version and its twin give different bytes", check.differs));
  RecordStream stream(context, {}, context.shared().output);
  stream.run();
  cli::Table table({{"format", cli::Align::left}, {"", cli::Align::left}, {"GB/s"}, {"memcpy"}, {"ratio"}});
  quant::bench_kernels(a.bench, [&](const quant::BenchResult& result) {
    const records::QuantBench record = record_of(result);
    stream.bench(record);
    table.add({*record.format, record.kernel, fmt::format("{:.2f}", record.rate_bytes_per_s / 1e9),
               fmt::format("{:.2f}", record.baseline_bytes_per_s / 1e9),
               fmt::format("{:.2f}", record.ratio)});
  });
  stream.end(static_cast<bool>(context.stop()));
  if (context.wants_summary()) context.print(table.text());
  return ExitKind::done;
}

cli::Command kernel_command() {
  const auto arguments = std::make_shared<KernelArguments>();
  KernelArguments& a = *arguments;
  cli::Command command;
  command.name = "kernel";
  command.summary = "Encoders and decoders, one thread, against memcpy of the same bytes.";
  command.description =
      "First compares the fast version of each with its plain twin, byte for byte: exit status 1 if they "
      "differ. Then times "
      "them in turn with memcpy on normal values and writes a bench record for each.";
  command.shared = {Shared::output, Shared::no_provenance};
  cli::Option formats;
  formats.name = "formats";
  formats.value = "NAME,..";
  formats.help = "Formats to time.";
  formats.default_text = "int8,int4,nf4,fp8e4m3,mxfp4,nvfp4,ec,bf16";
  formats.set = [&a](std::string_view text) { a.formats = parse_formats(text); };
  command.add(
      "Bench",
      {std::move(formats),
       cli::value_option("dtype", "TYPE", "Type of the values.", a.bench.source, quant::parse_float)
           .one_of({"bf16", "f16", "f32"})
           .shown_default("bf16"),
       cli::value_option("elems", "N", "Number of values.", a.bench.elems, cli::above_zero(parse_count))
           .shown_default("4194304"),
       cli::value_option("time", "TIME", "Time for each.", a.bench.time_ns, cli::above_zero(parse_duration))
           .shown_default("500ms")});
  command.examples = {
      {"mlq-quant bench kernel --elems 1M --summary", "in the cache"},
      {"mlq-quant bench kernel --formats int8,int4 --dtype f32 --elems 64M --time 2s --summary",
       "from memory"},
  };
  command.run = [arguments](Context& context) { return bench_kernel(*arguments, context); };
  return command;
}

struct IoArguments {
  std::string folder;
  uint64_t bytes = uint64_t{1} << 30;
};

ExitKind bench_io(IoArguments& a, Context& context) {
  RecordStream stream(context, {}, context.shared().output);
  stream.run();
  const quant::DiskRates rates = quant::measure_disk(a.folder, a.bytes);
  for (const auto& [name, rate] :
       {std::pair("write", rates.write_bytes_per_s), std::pair("read", rates.read_bytes_per_s)}) {
    records::QuantBench record;
    record.what = "io";
    record.kernel = name;
    record.device = "cpu";
    record.moved_bytes = record.working_set_bytes = a.bytes;
    record.reps = 1;
    record.duration_ns = record.duration_min_ns =
        static_cast<int64_t>(static_cast<double>(a.bytes) / rate * 1e9);
    record.rate_bytes_per_s = record.baseline_bytes_per_s = rate;
    record.baseline = name;
    record.ratio = 1;
    stream.bench(record);
  }
  stream.end(false);
  if (context.wants_summary())
    context.print(fmt::format("write {:.2f} GB/s, read {:.2f} GB/s\n", rates.write_bytes_per_s / 1e9,
                              rates.read_bytes_per_s / 1e9));
  return ExitKind::done;
}

cli::Command io_command() {
  const auto arguments = std::make_shared<IoArguments>();
  IoArguments& a = *arguments;
  cli::Command command;
  command.name = "io";
  command.summary = "What the disk gives to one file: written and synced, and read back.";
  command.description =
      "Writes two bench records: the limits that encode and decode cannot pass. What was just written is "
      "read from memory "
      "where the system keeps it.";
  command.shared = {Shared::output, Shared::no_provenance};
  command.positionals = {
      cli::text_positional("FOLDER", cli::Positional::Arity::required, "A folder on the disk.", a.folder)};
  command.add("Bench",
              {cli::value_option("size", "SIZE", "Size of the file.", a.bytes, cli::above_zero(parse_size))
                   .shown_default("1GiB")});
  command.examples = {{"mlq-quant bench io . --size 256MiB --summary", "this folder's disk"}};
  command.run = [arguments](Context& context) { return bench_io(*arguments, context); };
  return command;
}

struct GatherBenchArguments {
  gather::GatherBench bench;
  RankArguments ranks;
};

std::vector<unsigned> parse_widths(std::string_view text) {
  std::vector<unsigned> widths;
  for (const Format format : parse_formats(text)) {
    if (!quant::is_block_int(format)) throw usage_error("\"{}\" must be of int8, int4, int3 and int2", text);
    widths.push_back(quant::format_info(format).code_bits);
  }
  return widths;
}

records::QuantBench record_of(const gather::GatherBench& bench, const Ranks& ranks,
                              const gather::GatherBenchResult& r) {
  records::QuantBench record;
  record.what = "gather";
  record.kernel = "delta";
  record.device = ranks.device() ? ranks.device()->info().name : "cpu";
  record.format = fmt::format("int{}", r.bits);
  record.block = bench.block;
  record.elems = bench.elems;
  record.moved_bytes = r.wire_bytes;
  record.working_set_bytes = 2 * bench.elems;
  record.reps = r.reps;
  record.duration_ns = r.duration_ns;
  record.duration_min_ns = r.duration_min_ns;
  const auto bf16_bytes = static_cast<double>(2 * bench.elems);
  record.rate_bytes_per_s = bf16_bytes / (static_cast<double>(r.duration_ns) * 1e-9);
  record.baseline = "all_gather";
  record.baseline_bytes_per_s = bf16_bytes / (static_cast<double>(r.bf16_ns) * 1e-9);
  record.ratio = static_cast<double>(r.bf16_ns) / static_cast<double>(r.duration_ns);
  return record;
}

ExitKind bench_gather(GatherBenchArguments& a, Context& context, const Ranks& ranks) {
  a.bench.threads = context.threads();
  a.bench.stop = &context.stop();
  a.bench.backend = ranks.place.backend.get();
  a.bench.wire = ranks.place.wire.get();
  a.bench.piece = ranks.piece;
  const bool writes = ranks.comm.rank() == 0;
  RecordStream stream(context, writes ? "" : "-", writes ? context.shared().output : "");
  stream.run({}, ranks.device());
  cli::Table table(
      {{"format", cli::Align::left}, {"ms"}, {"of that until all is there"}, {"bf16 ms"}, {"times as fast"}});
  gather::bench_gather(ranks.comm, a.bench, SteadyClock(), [&](const gather::GatherBenchResult& result) {
    const records::QuantBench record = record_of(a.bench, ranks, result);
    stream.bench(record);
    const auto ms = [](int64_t ns) { return fmt::format("{:.2f}", static_cast<double>(ns) * 1e-6); };
    table.add({*record.format, ms(result.duration_ns), ms(result.comm_ns), ms(result.bf16_ns),
               fmt::format("{:.2f}", record.ratio)});
  });
  stream.end(static_cast<bool>(context.stop()));
  if (writes && context.wants_summary()) context.print(table.text());
  return ExitKind::done;
}

cli::Command gather_bench_command() {
  const auto arguments = std::make_shared<GatherBenchArguments>();
  GatherBenchArguments& a = *arguments;
  cli::Command command;
  command.name = "gather";
  command.summary =
      "Deltas between ranks, encoded, sent and applied, against the same weights sent as bfloat16.";
  command.description =
      "Started by mpirun or srun; alone there is nothing to send. The two take turns; what counts is the "
      "slowest rank. Of bfloat16 the faster of two ways counts: one call, and pieces as of the deltas. "
      "Rank 0 writes a bench record for each format, whose ratio says how many times as fast the whole is.";
  command.shared = {Shared::output, Shared::threads, Shared::no_provenance};
  cli::Option formats;
  formats.name = "formats";
  formats.value = "NAME,..";
  formats.help = "Formats to time: int8, int4, int3, int2.";
  formats.default_text = "int8,int4,int2";
  formats.set = [&a](std::string_view text) { a.bench.bits = parse_widths(text); };
  command.add("Bench", {std::move(formats),
                        cli::value_option("elems", "N", "Number of weights, all ranks together.",
                                          a.bench.elems, cli::above_zero(parse_count))
                            .shown_default("16777216"),
                        cli::value_option("time", "TIME", "Time for each.", a.bench.time_ns,
                                          cli::above_zero(parse_duration))
                            .shown_default("2s")});
  command.add("Ranks", rank_options(a.ranks));
  command.examples = {
      {"mpirun -n 2 mlq-quant bench gather --elems 64M --time 2s --summary", "two ranks on this machine"},
  };
  command.run = [arguments](Context& context) {
    return as_rank(context, arguments->ranks, "bench gather",
                   [&](const Ranks& ranks) { return bench_gather(*arguments, context, ranks); });
  };
  return command;
}

}  // namespace

cli::Command bench_command() {
  cli::Command command;
  command.name = "bench";
  command.summary = "Measure speed beside what the machine can do.";
  command.commands = {kernel_command(), io_command(), gather_bench_command()};
  return command;
}

}  // namespace mlq::tools
