// The two records that every stream has: `run` first, `end` last.
#pragma once

#include "lib/records/schema.h"

namespace mlq::records {

// Raised when a field changes its meaning.
constexpr uint32_t kSchemaVersion = 1;

struct Run {
  std::string tool;
  std::string version;
  uint32_t schema = kSchemaVersion;
  std::vector<std::string> argv;
  std::optional<uint64_t> seed;
  std::optional<std::string> host;
  std::optional<std::string> device;
  std::optional<std::string> spec;
  std::optional<uint32_t> algo;
  std::optional<std::string> rng;
  std::optional<std::string> conditioned;
  std::optional<std::string> stages;
  std::optional<int64_t> epoch_unix_ns;
  std::optional<int64_t> resolution_ns;
  std::optional<int64_t> tick_ns;
  std::optional<uint32_t> prefix_block_tokens;
  std::optional<std::string> source_name;
  std::optional<std::string> source_license;
  std::optional<std::string> source_xxh3;
  std::optional<uint32_t> shard;
  std::optional<uint32_t> shards;
  std::optional<std::string> shard_rule;
  std::optional<std::string> url;
  std::optional<std::string> api;
  std::optional<std::string> engine;
  std::optional<std::string> http;
  std::optional<uint64_t> conns;
  std::optional<uint32_t> threads;
  std::optional<std::string> rt;
  std::optional<std::string> sleep;
  std::optional<double> speed;
  std::optional<std::string> slo;
  std::optional<int64_t> start_unix_ns;
  std::optional<int64_t> clock_offset_ns;
  std::optional<int64_t> clock_error_ns;
  std::optional<std::string> config_xxh3;
  std::optional<std::string> endpoint;
  std::optional<std::string> space_xxh3;
  std::optional<std::string> server_fingerprint;
  std::optional<std::string> tuner;
  std::optional<std::string> objective;
  std::optional<uint64_t> budget;
  std::optional<bool> virtual_clock;
  std::optional<RawJson> inputs;
};

template <>
struct Schema<Run> {
  static constexpr std::string_view type = "run";
  static constexpr std::string_view summary = "What made the stream; its first record.";
  static constexpr auto fields = std::tuple{
      field<"tool", &Run::tool>("", "Program that wrote the stream."),
      field<"version", &Run::version>("", "Its version."),
      field<"schema", &Run::schema>("", "Version of the records' meaning."),
      field<"argv", &Run::argv>("", "Command line, word by word."),
      field<"seed", &Run::seed>("", "Seed of the random draws."),
      field<"host", &Run::host>("", "Name of the machine."),
      field<"device", &Run::device>("", "Where the arithmetic ran: cpu, or the name of an accelerator."),
      field<"spec", &Run::spec>(
          "", "The process that was generated, in a form that --against and --source read."),
      field<"algo", &Run::algo>(
          "",
          "Version of the sampling algorithms; the same spec, seed and algo give the same "
          "bytes."),
      field<"rng", &Run::rng>("", "Random number generator."),
      field<"conditioned", &Run::conditioned>(
          "",
          "Whether duration and count were both fixed: exact (order statistics "
          "of a Poisson process) or rescaled (any other gap law)."),
      field<"stages", &Run::stages>("", "Transformations that were applied, in order."),
      field<"epoch_unix_ns", &Run::epoch_unix_ns>("ns", "Absolute time of t_ns = 0, since 1970-01-01 UTC."),
      field<"resolution_ns", &Run::resolution_ns>("ns", "Step in which the source's clock really moved."),
      field<"tick_ns", &Run::tick_ns>("ns", "Greatest common divisor of the distances between times."),
      field<"prefix_block_tokens", &Run::prefix_block_tokens>("tokens", "Tokens of one block in prefix_ids."),
      field<"source_name", &Run::source_name>("", "Data set that the trace comes from."),
      field<"source_license", &Run::source_license>("", "Its licence."),
      field<"source_xxh3", &Run::source_xxh3>("", "XXH3-128 of the source's bytes, in hexadecimal."),
      field<"shard", &Run::shard>("", "Which shard of the trace this is, from 0."),
      field<"shards", &Run::shards>("", "How many shards there are."),
      field<"shard_rule", &Run::shard_rule>(
          "", "How arrivals are shared out: index (i mod shards, a conversation by its hash)."),
      field<"url", &Run::url>("", "Where requests go, or where a server listens; without secrets."),
      field<"api", &Run::api>("", "Form of the requests."),
      field<"engine", &Run::engine>("", "HTTP engine, and its version."),
      field<"http", &Run::http>("", "HTTP version that was asked for."),
      field<"conns", &Run::conns>("", "Connections opened before the start."),
      field<"threads", &Run::threads>("", "Sending threads."),
      field<"rt", &Run::rt>("", "Priority of the sending threads: fifo, nice or off."),
      field<"sleep", &Run::sleep>("", "How they wait: epoll_pwait2 or timerfd."),
      field<"speed", &Run::speed>("", "Trace time over wall time."),
      field<"slo", &Run::slo>("", "The objective."),
      field<"start_unix_ns", &Run::start_unix_ns>("ns", "Wall clock at t_ns = 0, since 1970-01-01 UTC."),
      field<"clock_offset_ns", &Run::clock_offset_ns>("ns", "This rank's clock minus that of rank 0."),
      field<"clock_error_ns", &Run::clock_error_ns>("ns", "Bound on the error of the start's clock."),
      field<"config_xxh3", &Run::config_xxh3>(
          "", "XXH3-128 of what shards of one run must have in common, in hexadecimal."),
      field<"endpoint", &Run::endpoint>("", "Server that is tuned; without secrets."),
      field<"space_xxh3", &Run::space_xxh3>("", "XXH3-64 of the knobs' definitions, in hexadecimal."),
      field<"server_fingerprint", &Run::server_fingerprint>(
          "", "Hash of what tells the server and its machine from others."),
      field<"tuner", &Run::tuner>("", "Who chooses configurations."),
      field<"objective", &Run::objective>("", "What a tuner makes small."),
      field<"budget", &Run::budget>("", "Largest number of trials."),
      field<"virtual", &Run::virtual_clock>("", "True if times are those of a simulated clock."),
      field<"inputs", &Run::inputs>("", "The run records of the streams that were read."),
  };
};

struct End {
  uint64_t count = 0;
  std::optional<int64_t> duration_ns;
  std::optional<std::string> trace_xxh3;
  std::optional<uint64_t> trace_count;
  std::optional<std::string> trace_i_digest;
  std::optional<std::string> i_digest;
  std::optional<uint64_t> records_dropped;
  std::optional<uint64_t> unsent;
  std::optional<uint64_t> bad_lines;
  std::optional<uint64_t> bad_bytes;
  std::optional<uint64_t> inversions;
  std::optional<uint64_t> requests;
  std::optional<uint64_t> good;
  std::optional<uint64_t> lost_requests;
  std::optional<uint64_t> trials;
  std::optional<uint64_t> failed;
  std::optional<uint64_t> void_trials;
  std::optional<uint64_t> reverts;
  std::optional<std::string> best;
  std::optional<bool> interrupted;
  std::optional<bool> recovered;
  std::optional<std::string> note;
};

template <>
struct Schema<End> {
  static constexpr std::string_view type = "end";
  static constexpr std::string_view summary =
      "Closes the stream; its last record. A stream with a run record and no end record was cut.";
  static constexpr auto fields = std::tuple{
      field<"count", &End::count>("", "Records between run and end; for a trace, its arrivals."),
      field<"duration_ns", &End::duration_ns>(
          "ns",
          "Length of the trace: the time that was asked for or observed, at "
          "least the last t_ns."),
      field<"trace_xxh3", &End::trace_xxh3>(
          "",
          "Identity of the trace: XXH3-128, in hexadecimal, of its arrival lines "
          "with one line feed after each. Of a run, the trace that was read."),
      field<"trace_count", &End::trace_count>("", "Arrivals of the trace that was read."),
      field<"trace_i_digest", &End::trace_i_digest>(
          "", "Sum modulo 2^64 of a hash of every index in that trace, in hexadecimal."),
      field<"i_digest", &End::i_digest>("", "The same sum over the requests that this shard accounts for."),
      field<"records_dropped", &End::records_dropped>(
          "", "result records that were left out because the reader of the output was too slow."),
      field<"unsent", &End::unsent>("", "Arrivals that were not yet due when a signal ended the run."),
      field<"bad_lines", &End::bad_lines>("",
                                          "Lines of the source that could not be read and were passed over."),
      field<"bad_bytes", &End::bad_bytes>("", "Bytes of the source that were no UTF-8 and became U+FFFD."),
      field<"inversions", &End::inversions>("",
                                            "Records of the source that came before an earlier one in time."),
      field<"requests", &End::requests>("", "Of a server: requests that its models were asked."),
      field<"good", &End::good>("", "Of these, answered with 2xx, no default, within the deadline."),
      field<"lost_requests", &End::lost_requests>("",
                                                  "Of these, not answered when the time to drain was over."),
      field<"trials", &End::trials>("", "Of a tuner: windows that were measured."),
      field<"failed", &End::failed>("", "Of these, with a configuration that does not work."),
      field<"void", &End::void_trials>("", "Of these, that say nothing about their configuration."),
      field<"reverts", &End::reverts>("", "How often the configuration before was put back."),
      field<"best", &End::best>("", "config_id of the best configuration."),
      field<"interrupted", &End::interrupted>("", "True if a signal ended the run early."),
      field<"recovered", &End::recovered>(
          "", "True if a later run wrote this record, since its own was missing."),
      field<"note", &End::note>("", "What else should be known."),
  };
};

}  // namespace mlq::records
