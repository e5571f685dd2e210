// The programs and their typical commands, to which every misfortune happens in turn. A new program is one
// more block of rows.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace mlq::test {

// What a command reads from standard input: a trace, the records of a load test, lines of another format, or
// weights.
enum class Reads { nothing, trace, results, lines, weights };

struct Typical {
  std::string name;               // for the names of tests
  std::vector<std::string> argv;  // writes to standard output, reads standard input
  Reads reads = Reads::nothing;
  bool endless = false;       // writes until it is stopped
  bool is_server = false;     // goes on when nobody reads its records any more
  int of_empty_input = 0;     // exit status
  bool of_nothing = true;     // makes something of an empty input, even if it is an error
  bool needs_output = false;  // its data goes where -o says, and nowhere without; its records beside
  std::string output = "-o";  // the option that says where its records or its data go
  bool fills_folder = false;  // -o may be one
  bool keeps_output = false;  // -o is written also when a signal ends it early
  bool has_end = true;        // its output is records, closed by `end`
  bool takes_folder = false;  // in place of a file; an empty one is wrong input
  std::string input = {};     // of Reads::results, lines and weights: an input it accepts
  friend void PrintTo(const Typical& command, std::ostream* out) { *out << command.name; }
};

// What mlq-replay writes of two requests.
inline std::string results() {
  return R"({"type":"run","tool":"mlq-replay","version":"1","schema":1,"argv":["mlq-replay"],"seed":1,"shard":0,"shards":1,"shard_rule":"index","config_xxh3":"00"}
{"type":"result","i":0,"outcome":"ok","status":200,"due_ns":1000,"send_ns":1200,"first_ns":1300,"last_ns":1400,"lag_ns":200,"latency_ns":400,"service_ns":200,"up_bytes":0,"down_bytes":0,"slo_ok":true}
{"type":"result","i":1,"outcome":"http_5xx","status":503,"due_ns":2000,"send_ns":2100,"first_ns":2200,"last_ns":2300,"lag_ns":100,"latency_ns":300,"service_ns":200,"up_bytes":0,"down_bytes":0,"slo_ok":false}
{"type":"hist","metric":"latency","class":"*","kind":"event","unit":"ns","sub_bits":7,"count":1,"sum":"400","min":400,"max":400,"bins":"328:1"}
{"type":"hist","metric":"service","class":"*","kind":"event","unit":"ns","sub_bits":7,"count":2,"sum":"400","min":200,"max":200,"bins":"200:2"}
{"type":"hist","metric":"lag","class":"*","kind":"event","unit":"ns","sub_bits":7,"count":2,"sum":"300","min":100,"max":200,"bins":"100:1 200:1"}
{"type":"hist","metric":"queue","class":"*","kind":"event","unit":"ns","sub_bits":7,"count":2,"sum":"0","min":0,"max":0,"bins":"0:2"}
{"type":"outcome","class":"*","outcome":"ok","count":1}
{"type":"outcome","class":"*","outcome":"http_5xx","count":1}
{"type":"summary","class":"*","from_ns":0,"to_ns":2000,"planned":2,"sent":2,"done":2,"ok":1,"good":1,"dropped":0,"censored":0,"drain_ns":300,"input_tokens":0,"output_tokens":0,"up_bytes":0,"down_bytes":0,"valid":true}
{"type":"end","count":9,"trace_xxh3":"00","trace_count":2,"trace_i_digest":"b456bcfc34c2cb2c","i_digest":"b456bcfc34c2cb2c"}
)";
}

inline std::string samples() {
  return R"({"type":"run","tool":"by hand","version":"1","schema":1,"argv":[]}
{"type":"sample","id":"a","label":0,"row":[0.5,1]}
{"type":"sample","id":"b","label":1,"row":[2,3]}
{"type":"end","count":2}
)";
}

// A safetensors file of 4 x 32 bfloat16.
inline std::string weights() {
  const std::string header = R"({"w":{"dtype":"BF16","shape":[4,32],"data_offsets":[0,256]}})";
  std::string file(1, static_cast<char>(header.size()));
  file.append(7, '\0').append(header);
  for (int i = 0; i < 128; ++i)
    file += {static_cast<char>(i * 37), static_cast<char>(i % 3 == 0 ? 0xbf : 0x3f)};
  return file;
}

// A safetensors file of four tensors.
inline std::string checkpoint() {
  return MLQ_SOURCE_DIR "/tests/data/patch/chain/anchor-00000010.safetensors";
}
// A patch for it, and a chain of both.
inline std::string patch() { return slurp(MLQ_SOURCE_DIR "/tests/data/patch/chain/delta-00000011.mlqd"); }
inline std::string chain() { return MLQ_SOURCE_DIR "/tests/data/patch/chain"; }

// Three steps of two groups.
inline std::string grams() {
  return R"({"type":"run","tool":"by hand","version":"1","schema":1,"argv":[]}
{"type":"gram","step":0,"batch_samples":64,"groups":2,"gram":[3,1,4]}
{"type":"gram","step":1,"batch_samples":64,"groups":2,"gram":[4,1.5,3]}
{"type":"gram","step":2,"batch_samples":64,"groups":2,"gram":[5,0.5,3]}
{"type":"end","count":3}
)";
}

// Gradients of one group.
inline std::string gradients() { return MLQ_SOURCE_DIR "/tests/data/torch/state_dict.pt"; }

inline std::vector<Typical> typical_commands() {
  const std::string tool = "mlq-loadgen";
  const std::string replay = "mlq-replay";
  std::vector<Typical> rows = {
      {.name = "gen", .argv = {tool, "gen", "poisson", "--rate", "1k/s", "--count", "200k"}},
      {.name = "gen_forever",
       .argv = {tool, "gen", "gamma", "--cv", "2", "--rate", "1k/s", "--count", "inf"},
       .endless = true},
      {.name = "explain", .argv = {tool, "explain", "poisson", "--rate", "1k/s"}},
      {.name = "xform", .argv = {tool, "xform", "--do", "shift 1s", "-"}, .reads = Reads::trace},
      {.name = "stat", .argv = {tool, "stat", "-"}, .reads = Reads::trace},
      {.name = "check",
       .argv = {tool, "check", "--against", "poisson", "-"},
       .reads = Reads::trace,
       .of_empty_input = 3},
      {.name = "export", .argv = {tool, "export", "csv", "-"}, .reads = Reads::trace, .has_end = false},
      {.name = "import",
       .argv = {tool, "import", "gaps", "-"},
       .reads = Reads::lines,
       .input = "0.5\n0.25\n0.125\n"},
      {.name = "replay_run",
       .argv = {replay, "run", "--dry-run", "--speed", "1000", "--max-lag", "1h", "-"},
       .reads = Reads::trace,
       .of_empty_input = 3,
       .of_nothing = false,
       .keeps_output = true},
      {.name = "replay_merge",
       .argv = {replay, "merge", "-"},
       .reads = Reads::results,
       .of_empty_input = 3,
       .of_nothing = false,
       .input = results()},
      {.name = "replay_report",
       .argv = {replay, "report", "-"},
       .reads = Reads::results,
       .of_empty_input = 3,
       .of_nothing = false,
       .input = results()},
      {.name = "replay_report_md",
       .argv = {replay, "report", "--format", "md", "-"},
       .reads = Reads::results,
       .of_empty_input = 3,
       .of_nothing = false,
       .has_end = false,
       .input = results()},
      {.name = "model_check",
       .argv = {"mlq-model", "check", "--backend", "noop", "--batches", "1", "--time", "1ms", "--rows", "-"},
       .reads = Reads::results,
       .of_empty_input = 3,
       .of_nothing = false,
       .input = samples()},
      {.name = "serve_run",
       .argv = {"mlq-serve", "run", "--model", "m=http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--admin",
                "off", "--duration", "100ms"},
       .is_server = true,
       .keeps_output = true},
      {.name = "tune_init", .argv = {"mlq-tune", "init", "--preset", "triton"}, .has_end = false},
      {.name = "tune_simulate",
       .argv = {"mlq-tune", "simulate", "--rows", "--preset", "pool-batch@400", "--requests", "50"}},
      {.name = "tune_replay",
       .argv = {"mlq-tune", "replay", "--surface", "pool-batch@400", "--truth-requests", "50", "--tuner",
                "random", "--trials", "50"}},
      {.name = "quant_inspect",
       .argv = {"mlq-quant", "inspect", "--stats", "-"},
       .reads = Reads::weights,
       .of_empty_input = 3,
       .of_nothing = false,
       .input = weights()},
      {.name = "quant_plan",
       .argv = {"mlq-quant", "plan", "-", "--bits", "4", "--formats", "int8,int4,int3", "--min-elems", "1"},
       .reads = Reads::weights,
       .of_empty_input = 3,
       .of_nothing = false,
       .input = weights()},
      {.name = "quant_diff",
       .argv = {"mlq-quant", "diff", "-", checkpoint()},
       .reads = Reads::weights,
       .of_empty_input = 3,
       .of_nothing = false,
       .needs_output = true,
       .has_end = false,
       .input = weights()},
      {.name = "quant_apply",
       .argv = {"mlq-quant", "apply", checkpoint(), "-"},
       .reads = Reads::weights,
       .of_empty_input = 3,
       .of_nothing = false,
       .needs_output = true,
       .fills_folder = true,
       .has_end = false,
       .input = patch()},
      {.name = "quant_chain", .argv = {"mlq-quant", "chain", chain()}},
      {.name = "quant_simulate",
       .argv = {"mlq-quant", "simulate", "-", "--min-elems", "1", "--steps", "4"},
       .reads = Reads::weights,
       .of_empty_input = 3,
       .of_nothing = false,
       .input = weights()},
      {.name = "quant_gather",
       .argv = {"mlq-quant", "gather", "-", "--min-elems", "1"},
       .reads = Reads::weights,
       .of_empty_input = 3,
       .of_nothing = false,
       .output = "--records",
       .input = weights()},
      {.name = "simigrad_estimate",
       .argv = {"mlq-simigrad", "estimate", "-"},
       .reads = Reads::results,
       .takes_folder = true,
       .input = grams()},
      {.name = "simigrad_schedule",
       .argv = {"mlq-simigrad", "schedule", "--target", "0.8", "-"},
       .reads = Reads::results,
       .of_empty_input = 3,
       .of_nothing = false,
       .input = grams()},
      {.name = "simigrad_replay",
       .argv = {"mlq-simigrad", "replay", "-"},
       .reads = Reads::results,
       .of_empty_input = 3,
       .of_nothing = false,
       .input = grams()},
      {.name = "simigrad_gen", .argv = {"mlq-simigrad", "gen", "--gram-only", "--steps", "20k"}},
      {.name = "simigrad_hook", .argv = {"mlq-simigrad", "hook", "torch"}, .has_end = false},
      {.name = "quant_bench",
       .argv = {"mlq-quant", "bench", "kernel", "--formats", "int8", "--elems", "4k", "--time", "1us"}},
      {.name = "plot",
       .argv = {"mlq-plot", "--format", "gp", "-"},
       .reads = Reads::trace,
       .of_empty_input = 3,
       .of_nothing = false,
       .has_end = false},
      {.name = "plot_results",
       .argv = {"mlq-plot", "--format", "gp", "--picture", "latency,ccdf", "-"},
       .reads = Reads::results,
       .of_empty_input = 3,
       .of_nothing = false,
       .has_end = false,
       .input = results()},
      {.name = "simigrad_inspect", .argv = {"mlq-simigrad", "inspect", "--list", gradients()}},
      {.name = "simigrad_measure",
       .argv = {"mlq-simigrad", "estimate", "--group-samples", "8", "--include", "weight", gradients()}},
  };
  return rows;
}

}  // namespace mlq::test
