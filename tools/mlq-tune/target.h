// What several commands of mlq-tune have in common: which endpoint, under which load, with which objective.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/cli/program.h"
#include "lib/http/url.h"
#include "lib/records/stream.h"
#include "lib/tune/drive/endpoint.h"
#include "lib/tune/drive/turn.h"
#include "lib/tune/journal/journal.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tools {

struct TargetArguments {
  std::string space;     // --space FILE
  std::string endpoint;  // --endpoint FILE|mlq:URL[#MODEL]|preset:NAME
};

struct LoadArguments {
  std::string trace;
  std::optional<http::Url> url;
  std::string api = "auto";
  std::optional<std::string> body_file, bodies_file;
  std::vector<std::string> headers;
  std::optional<uint64_t> conns;
  std::optional<uint32_t> max_inflight;
  std::vector<std::pair<std::string, std::string>> inputs;
  std::vector<std::pair<std::string, uint64_t>> dims;
  std::string model;
  Ratio speed{1, 1};
  int64_t timeout_ns = 10'000'000'000;
  std::optional<int64_t> max_lag_ns;
  bool same = false;  // --window-mode same
};

struct WindowArguments {
  std::optional<int64_t> length_ns;
  std::optional<uint64_t> requests;
  int64_t settle_ns = 1'000'000'000;
};

struct ObjectiveArguments {
  std::string slo;
  std::string objective = "latency";
};

struct StateArguments {
  std::string file;
  bool reset = false;
};

void add_target(cli::Command& command, TargetArguments& a);
void add_load(cli::Command& command, LoadArguments& a);
void add_window(cli::Command& command, WindowArguments& a);
void add_objective(cli::Command& command, ObjectiveArguments& a);
void add_state(cli::Command& command, StateArguments& a);
void add_tuner(cli::Command& command, tune::TunerOptions& o);

tune::Objective make_objective(const ObjectiveArguments& a);
tune::TurnOptions turn_options(const WindowArguments& window);

// The endpoint without a source of windows.
struct Target {
  tune::Endpoint endpoint;
  std::string measure;   // of the file: JSON object, or empty
  std::string load_url;  // of the file, or empty
  bool unverified = false;
  std::string file;  // where these came from, for messages
};
Target make_target(const TargetArguments& a, cli::Context& context, const Clock& clock);

// What make_target would find wrong with the files, where they say how a configuration is set; a start that
// is no point of the space gets a warning.
void check_files(const TargetArguments& a, cli::Context& context, const Clock& clock);

// Gives the endpoint its source: the load of our own where a trace is given, else what the file's `measure`
// says. A usage Error if there is neither. The reader of the trace's runs is what `run.inputs` gets. A server
// that is not there before a configuration is set is started with the start configuration. `dry`: nothing is
// started or sent; the source only knows what the load will be.
void add_source(Target& target, const LoadArguments& load, tune::Objective& objective, cli::Context& context,
                const Clock& clock, records::Run& run, bool dry = false);

// Space alone, for commands that set nothing.
std::shared_ptr<const tune::Space> make_space(const TargetArguments& a, cli::Context& context);

// The journal, if one was named; null else.
std::unique_ptr<tune::Journal> open_journal(const StateArguments& a, const std::string& command,
                                            const tune::Space& space, cli::Context& context);
// The run record with what all commands that touch an endpoint say.
records::Run tune_run(cli::Context& context, const tune::Endpoint& endpoint,
                      const ObjectiveArguments& objective, const std::string& fingerprint);

// The configuration that a search without an endpoint begins with: the file's start, else the middle of the
// grid.
tune::PointId start_point(const TargetArguments& a, const tune::Space& space, cli::Context& context);

}  // namespace mlq::tools
