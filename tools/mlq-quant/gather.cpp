// mlq-quant gather: every rank gets all shards of the weights, in few bits.
#include <cmath>
#include <filesystem>
#include <memory>

#include "lib/base/clock.h"
#include "lib/base/units.h"
#include "lib/cli/table.h"
#include "lib/gather/gather.h"
#include "lib/gather/output.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;
using gather::Cancel;
using gather::Joining;

struct Steps {
  uint64_t first = 0, last = 0;
};

struct GatherArguments {
  std::string in, out, records, like, state;
  std::string cancel = "delta";
  std::optional<unsigned> bits;
  std::optional<uint64_t> block;
  std::optional<kernels::Grid> grid;
  std::optional<quant::Float> scale, state_type;
  std::optional<unsigned> key_bits;
  gather::GatherOptions options;
  std::optional<double> beta;
  std::optional<uint64_t> residual_reset;
  std::optional<gather::ResidualType> residual_type;
  std::string rival;
  Steps steps;
  uint64_t state_every = 100;
  RankArguments ranks;
  bool slice = false, flat = false, resume = false;
};

// `7` or `0..99`, both included.
Steps parse_steps(std::string_view text) {
  const size_t dots = text.find("..");
  Steps steps;
  steps.first = steps.last = parse_count(text.substr(0, dots));
  if (dots != text.npos) steps.last = parse_count(text.substr(dots + 2));
  if (steps.last < steps.first) throw usage_error("\"{}\" ends before it begins", text);
  return steps;
}

std::string parse_cancel(std::string_view text) {
  gather::Settings unused;
  gather::parse_cancel(text, unused);
  return std::string(text);
}
// Of key frames.
unsigned parse_key(std::string_view text) {
  if (text == "raw") return 0;
  return parse_code_bits(text.starts_with("int") ? text.substr(3) : text);
}

double parse_share(std::string_view text) {
  const double value = parse_double(text);
  if (!(value >= 0 && value <= 1)) throw usage_error("\"{}\" must be from 0 to 1", text);
  return value;
}

std::string with(std::string path, std::string_view what, uint64_t number) {
  for (size_t at = path.find(what); at != path.npos; at = path.find(what, at))
    path.replace(at, what.size(), std::to_string(number));
  return path;
}

bool has(const std::string& path, std::string_view what) { return path.find(what) != path.npos; }

gather::Settings settings_of(const GatherArguments& a, uint64_t seed) {
  gather::Settings parsed;
  gather::parse_cancel(a.cancel, parsed);
  const bool qwz = a.rival == "qwz";
  if (qwz && parsed.cancel != Cancel::none)
    throw usage_error("--rival qwz: cancels nothing; give --cancel none with it");
  const char* const of_residual = a.beta             ? "--beta"
                                  : a.residual_reset ? "--residual-reset"
                                  : a.residual_type  ? "--residual-dtype"
                                                     : nullptr;
  if (parsed.cancel != Cancel::residual && of_residual != nullptr)
    throw usage_error("{}: is of --cancel residual alone", of_residual);
  if (parsed.cancel == Cancel::dither && a.grid == kernels::Grid::mse)
    throw usage_error("--grid mse: not with --cancel dither:N, whose scales may not depend on its offsets");
  gather::Settings s = gather::default_settings(parsed.cancel, a.bits.value_or(qwz ? 8 : 4));
  s.strata = parsed.strata;
  s.seed = seed;
  s.qwz = qwz;
  s.block = a.block.value_or(qwz ? 8192 : 64);
  s.scale = a.scale.value_or(qwz ? quant::Float::f32 : quant::Float::bf16);
  s.state = a.state_type.value_or(quant::Float::bf16);
  if (a.grid) s.grid = *a.grid;
  if (qwz) s.grid = kernels::Grid::sign;
  if (a.key_bits) s.key_bits = *a.key_bits;
  s.beta = a.beta.value_or(1);
  s.residual_reset = a.residual_reset.value_or(0);
  s.residual_type = a.residual_type.value_or(gather::ResidualType::f32);
  gather::validate(s);
  return s;
}

// The times of a step, for rank 0 to write down those of all; and the signal that has asked this rank to
// stop.
gather::NoteData times_of(const gather::StepReport& report, int signal) {
  gather::NoteData note{};
  gather::put(note, 0, report.encode_ns);
  gather::put(note, 8, report.comm_ns);
  gather::put(note, 16, report.decode_ns);
  gather::put(note, 24, int64_t{signal});
  return note;
}

records::GatherStep record_of(const GatherArguments& a, const gather::Settings& settings,
                              const gather::StepReport& report, unsigned rank, const Ranks& among,
                              const gather::NoteData& times) {
  records::GatherStep record;
  record.step = report.step;
  record.rank = rank;
  const unsigned ranks = among.comm.size();
  record.ranks = ranks;
  record.transport = std::string(among.transport());
  record.mode = a.rival.empty() ? a.cancel : a.rival;
  record.bits = settings.bits;
  record.block = settings.block;
  record.elems = report.elems;
  record.wire_bytes = report.wire_bytes;
  record.bf16_bytes = report.bf16_bytes;
  record.encode_ns = gather::take<int64_t>(times, 0);
  record.comm_ns = gather::take<int64_t>(times, 8);
  record.decode_ns = gather::take<int64_t>(times, 16);
  const double others = static_cast<double>(report.wire_bytes) * (ranks - 1) / ranks;
  record.bus_bytes_per_s = record.comm_ns == 0 ? 0 : others / (static_cast<double>(record.comm_ns) * 1e-9);
  record.key_frame = report.key;
  if (!report.rekey_reason.empty()) record.rekey_reason = report.rekey_reason;
  record.rel_rmse = report.rel_rmse;
  if (!report.state_hash.empty()) record.state_hash = report.state_hash;
  return record;
}

class Run {
 public:
  Run(GatherArguments& a, Context& context, const Ranks& ranks, gather::GatherOptions options)
      : a_(a),
        context_(context),
        ranks_(ranks),
        comm_(ranks.comm),
        gather_(comm_, std::move(options), clock_),
        settings_(settings_of(a, context.shared().seed)),
        writes_records_(comm_.rank() == 0 || has(a.records, "{rank}")),
        stream_(context, writes_records_ ? "" : "-",
                writes_records_ ? with(a.records, "{rank}", comm_.rank()) : "") {}

  ExitKind go() {
    const std::string state = with(a_.state, "{rank}", comm_.rank());
    uint64_t next = a_.steps.first;
    if (!a_.resume && !state.empty())
      gather::exchange_notes(comm_, {}, gather::failure_of([&] { gather::remove_states(state); }));
    std::optional<uint64_t> resumed;
    if (a_.resume) resumed = gather_.resume(state);
    if (resumed) next = std::max(next, *resumed + 1);
    stream_.run({}, ranks_.device());
    stream_.keep_interrupted();
    if (next > a_.steps.last) write_resumed(*resumed);
    bool interrupted = false;
    for (; next <= a_.steps.last && !interrupted; ++next) {
      const gather::StepReport report = gather_.step(
          next, [&] { return open_input(next); }, next == a_.steps.last);
      interrupted = record(report);
      write(next, interrupted || next == a_.steps.last, state);
    }
    stream_.end(interrupted);
    if (comm_.rank() == 0 && interrupted)
      context_.note(fmt::format("all ranks were stopped after step {}", next - 1));
    if (comm_.rank() == 0 && context_.wants_summary()) context_.print(summary());
    return ExitKind::done;
  }

 private:
  tensorfile::Source open_input(uint64_t step) const {
    const std::string path = with(with(a_.in, "{rank}", comm_.rank()), "{step}", step);
    return comm_.size() == 1 ? open_model(context_, path, false) : open_shard(path);
  }

  std::string summary() const {
    if (steps_ == 0) return fmt::format("steps 0, ranks {}: all were done before\n", comm_.size());
    const double share = bf16_bytes_ == 0 ? 0 : wire_bytes_ / bf16_bytes_;
    return fmt::format(
        "steps {}, ranks {}: {:.1f} MB on the wire, {:.3f} of bf16; relative error {:.2e} at last\n", steps_,
        comm_.size(), wire_bytes_ / 1e6, share, rel_rmse_);
  }

  // True if a rank was asked to stop; then all stop, as if they had been asked.
  bool record(const gather::StepReport& report) {
    const auto times = gather::exchange_notes(comm_, times_of(report, context_.stop().signal()));
    int64_t signal = 0;
    ++steps_;
    wire_bytes_ += static_cast<double>(report.wire_bytes);
    bf16_bytes_ += static_cast<double>(report.bf16_bytes);
    rel_rmse_ = report.rel_rmse;
    for (unsigned rank = 0; rank < times.size(); ++rank) {
      signal = std::max(signal, gather::take<int64_t>(times[rank], 24));
      if (writes_records_ &&
          (comm_.rank() == 0 ? !has(a_.records, "{rank}") || rank == 0 : rank == comm_.rank()))
        stream_.gather(record_of(a_, settings_, report, rank, ranks_, times[rank]));
    }
    if (signal != 0) context_.stop().request(static_cast<int>(signal));
    return signal != 0;
  }

  // All ranks go on, or none.
  void write(uint64_t step, bool last, const std::string& state) {
    const bool due = !state.empty() && (last || (step + 1 - a_.steps.first) % a_.state_every == 0);
    write_output(step, last);
    if (due) gather::exchange_notes(comm_, {}, gather::failure_of([&] { gather_.save(state); }));
  }
  void write_output(uint64_t step, bool last) {
    const bool output =
        !a_.out.empty() && (last || has(a_.out, "{step}")) && (comm_.rank() == 0 || has(a_.out, "{rank}"));
    const auto failure = gather::failure_of([&] {
      if (output)
        gather::write_gathered(gather_, settings_.state,
                               with(with(a_.out, "{rank}", comm_.rank()), "{step}", step));
    });
    gather::exchange_notes(comm_, {}, failure);
  }

  // Nothing is left to gather: OUT is of what the state holds.
  void write_resumed(uint64_t step) {
    if (step > a_.steps.last)
      throw gather::AgreedError(
          input_error("--resume: the state is of step {}, after the last of --steps; give the steps that are "
                      "left, or leave --resume out to begin anew",
                      step));
    if (!a_.out.empty()) {
      gather_.restore([&] { return open_input(step); });
      write_output(step, true);
    }
    if (comm_.rank() == 0)
      context_.note(fmt::format("step {} was the last, and its state is there: nothing is left to gather{}",
                                step, a_.out.empty() ? "" : "; OUT is written from the state"));
  }

  GatherArguments& a_;
  Context& context_;
  Ranks ranks_;
  ranks::Comm& comm_;
  SteadyClock clock_;
  gather::Gather gather_;
  gather::Settings settings_;
  bool writes_records_;
  RecordStream stream_;
  uint64_t steps_ = 0;
  double wire_bytes_ = 0, bf16_bytes_ = 0, rel_rmse_ = 0;
};

void check(const GatherArguments& a) {
  if (a.slice && a.flat) throw usage_error("--slice and --join flat exclude each other");
  if (a.flat == a.like.empty())
    throw usage_error("--join flat and --like go together: the tensors that the partitions are");
  if (a.steps.first != a.steps.last && !has(a.in, "{step}"))
    throw usage_error("--steps: IN has no {{step}}, so all steps would read one file");
  if (a.resume && a.state.empty()) throw usage_error("--resume: --state says what to resume from");
  if (a.out == "-") throw usage_error("-o: the weights go to a file; standard output takes the records");
  check_ending(a.out);
  std::error_code none;
  if (!a.out.empty() && (a.out == a.in || std::filesystem::equivalent(a.in, a.out, none)))
    throw usage_error("-o: {} is the input", a.out);
}

ExitKind gather_weights(GatherArguments& a, Context& context) {
  check(a);
  gather::GatherOptions& options = a.options;
  options.settings = settings_of(a, context.shared().seed);
  options.joining = a.flat ? Joining::flat : a.slice ? Joining::sliced : Joining::joined;
  if (a.flat) options.like = gather::list_of(open_model(context, a.like, false));
  options.threads = context.threads();
  options.strict = context.shared().strict;
  options.note = [&](const std::string& message) { context.warn(message); };
  return as_rank(context, a.ranks, "gather", [&](const Ranks& ranks) {
    if (ranks.comm.size() > 1 && !a.state.empty() && !has(a.state, "{rank}"))
      throw usage_error("--state: must have {{rank}} in it, since each rank keeps its own");
    options.backend = ranks.place.backend.get();
    options.wire = ranks.place.wire.get();
    options.wire_piece = ranks.piece;
    return Run(a, context, ranks, options).go();
  });
}

}  // namespace

cli::Command gather_command() {
  const auto arguments = std::make_shared<GatherArguments>();
  GatherArguments& a = *arguments;
  cli::Command command;
  command.name = "gather";
  command.summary = "Give every rank the shards of all, in few bits.";
  command.description =
      "Started by mpirun or srun, or alone. Each rank encodes the weights that it owns where they lie; one "
      "all-gather "
      "carries them; each rank decodes all. A tensor of one rank is sent to all; one of all ranks is joined "
      "along its "
      "first dimension. {rank} and {step} stand for numbers in paths.\n\n"
      "--cancel delta, the default, sends differences to what all ranks hold already, so that errors do not "
      "add up: it "
      "is far more precise than the other ways, and needs 2 bytes a weight on every rank (4 with "
      "--state-dtype f32). "
      "residual adds what was rounded away to the next step; dither:N spreads the errors of unchanged "
      "weights evenly "
      "over N steps; none does nothing. These three keep nothing between steps for receivers.\n\n"
      "Where one rank cannot go on, all stop with one message and its exit status: 3 for bad input, 4 for a "
      "shard that is missing or cannot be read; a lost or late rank ends the others with 4. A payload that "
      "arrives damaged is sent again as a key frame, and so is everything if the hashes of what ranks hold "
      "differ; twice running is exit status 4, or 5.\n\n"
      "SIGINT or SIGTERM to one rank stops all of them: they finish the step at hand, write state and OUT as "
      "after the last step, and end with 128 + the signal's number.";
  command.shared = {Shared::threads, Shared::seed, Shared::strict, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("IN", cli::Positional::Arity::required,
                           "This rank's weights: a file, an index.json or a folder; may have {rank} "
                           "and {step} in it.",
                           a.in)};
  cli::Option out =
      cli::text("output", "FILE",
                "Where to write what was gathered; with {rank} for every rank, else for rank 0; with "
                "{step} after every step, else after the last that was done.",
                a.out)
          .file()
          .shortened('o');
  command.add(
      "Gather",
      {std::move(out),
       cli::value_option("cancel", "HOW", "How the noise is cancelled: delta, residual, dither:N or none.",
                         a.cancel, parse_cancel)
           .suggest({{"delta", "differences to what is held"},
                     {"residual", "what was rounded away comes with the next step"},
                     {"dither:8", "offsets spread over 8 steps"},
                     {"none", "nothing is cancelled"}})
           .shown_default("delta"),
       cli::value_option("bits", "N", "Bits of a code: 8, 4, 3 or 2.", a.bits, parse_code_bits)
           .shown_default("4"),
       cli::value_option("block", "N", "Elements with one scale: a power of two from 16 to 16384.", a.block,
                         parse_block_elems)
           .shown_default("64"),
       cli::value_option("grid", "NAME", "How the scale of a block is chosen.", a.grid, quant::parse_grid)
           .one_of({"absmax", "signed", "mse"})
           .shown_default("signed; absmax for dither and int8 of none"),
       cli::value_option("scale", "TYPE", "Type of the scales.", a.scale, quant::parse_float)
           .one_of({"bf16", "f16", "f32"})
           .shown_default("bf16"),
       cli::value_option("state-dtype", "TYPE", "Type of what ranks hold.", a.state_type, quant::parse_float)
           .one_of({"bf16", "f16", "f32"})
           .shown_default("bf16"),
       cli::value_option("beta", "SHARE", "Of residual: how much of it is kept.", a.beta, parse_share)
           .shown_default("1"),
       cli::value_option("residual-reset", "STEPS", "Of residual: when it begins anew; 0 is never.",
                         a.residual_reset, parse_count)
           .shown_default("0"),
       cli::value_option("residual-dtype", "TYPE",
                         "Of residual: how it is kept, int8 with a scale for each block.", a.residual_type,
                         gather::parse_residual_type)
           .one_of({"f32", "int8"})
           .shown_default("f32"),
       cli::text("rival", "NAME", "Gather as another program does: qwz, as ZeRO++.", a.rival)
           .one_of({"qwz"})});
  command.add(
      "Steps",
      {cli::value_option("steps", "A..B", "Which steps to gather, both included.", a.steps, parse_steps)
           .shown_default("0"),
       cli::value_option("key", "NAME", "Format of key frames.", a.key_bits, parse_key)
           .one_of({"int8", "int4", "int3", "int2", "raw"})
           .shown_default("int8"),
       cli::value_option("key-every", "STEPS",
                         "Steps from one key frame to the next at most; 0 sets no bound.",
                         a.options.key_every, parse_count)
           .shown_default("1000"),
       cli::value_option("rekey-above", "RATIO", "Relative error from which a step is sent as a key frame.",
                         a.options.rekey_above, parse_double)
           .shown_default("0.02"),
       cli::value_option("hash-every", "STEPS",
                         "Steps from one comparison of hashes to the next; 0: first and last.",
                         a.options.hash_every, parse_count)
           .shown_default("100"),
       cli::text("state", "FILE", "Where each rank keeps what it needs to resume: FILE.0 and FILE.1.",
                 a.state)
           .file(),
       cli::value_option("state-every", "STEPS", "Steps from one state to the next.", a.state_every,
                         cli::above_zero(parse_count))
           .shown_default("100"),
       cli::flag("resume",
                 "Go on after the last state that all ranks have; after the last step, OUT is "
                 "written from it.",
                 a.resume)});
  std::vector<cli::Option> of_ranks = {
      cli::flag("slice", "All ranks read the same file, and each takes its part.", a.slice),
      cli::value_option("join", "HOW", "How shards are joined.", a.flat,
                        [](std::string_view text) { return text == "flat"; })
          .one_of({{"rows", "along the first dimension"}, {"flat", "end to end, to the tensors of --like"}})
          .shown_default("rows"),
      cli::text("like", "FILE", "Of --join flat: a model with these tensors.", a.like).file()};
  for (cli::Option& option : rank_options(a.ranks)) of_ranks.push_back(std::move(option));
  of_ranks.push_back(records_option(a.records));
  command.add("Ranks", std::move(of_ranks));
  command.add("Tensors", selection_options(a.options.selection));
  command.examples = {
      {"mpirun -n 2 mlq-quant gather 'shard-{rank}.safetensors' -o 'gathered-{rank}.safetensors'",
       "every rank gets all rows"},
      {"mlq-quant gather model.safetensors -o gathered.safetensors --bits 8 --cancel none",
       "what 8 bits would make of the weights"},
      {"mpirun -n 2 mlq-quant gather --slice 'step-{step}.safetensors' --steps 0..1 --state 'state-{rank}' "
       "--summary",
       "two steps of a training, each rank a part"},
  };
  command.run = [arguments](Context& context) { return gather_weights(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
