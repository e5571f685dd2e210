// The chain of stages behind `mlq-loadgen xform`.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>

#include "lib/arrival/xform/stage.h"
#include "lib/arrival/xform/stage_sources.h"
#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/stats/resolution.h"

namespace mlq::arrival {
namespace {

// A stream that can be read once, kept in a file without a name so that it can be read again.
class Spool {
 public:
  Spool(const std::string& path, const StopFlag* stop) : file_(std::tmpfile()) {
    if (!file_) fail();
    Input input = Input::open(path, stop);
    std::vector<char> buffer(size_t{1} << 18);
    for (size_t n = 0; (n = input.read(buffer.data(), buffer.size())) > 0;) {
      if (std::fwrite(buffer.data(), 1, n, file_.get()) != n) fail();
    }
    if (std::fflush(file_.get()) != 0) fail();
  }
  std::string path() const { return fmt::format("/proc/self/fd/{}", ::fileno(file_.get())); }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  [[noreturn]] static void fail() {
    throw environment_error("cannot keep standard input in a temporary file: {}", std::strerror(errno));
  }
  std::unique_ptr<std::FILE, Close> file_;
};

bool is_regular(const std::string& path) {
  std::error_code error;
  return path != "-" && std::filesystem::is_regular_file(path, error);
}

bool reads_again(const Stage& stage) {
  if (const auto* loop = std::get_if<LoopStage>(&stage)) return loop->times != 1u;
  const auto* spread = std::get_if<DequantiseStage>(&stage);
  return spread != nullptr && spread->mode != Dequantise::none && !spread->resolution_ns;
}

// Opens the trace and puts the stages over it, once or, for loops, several times.
class Chain {
 public:
  Chain(const std::vector<std::string>& stages, std::string file, const XformOptions& options)
      : file_(std::move(file)), options_(options) {
    size_t standard_input = file_ == "-" ? 1 : 0;
    for (const std::string& text : stages) {
      stages_.push_back(parse_stage(text));
      reads_again_ = reads_again_ || reads_again(stages_.back());
      for (const std::string& joined : files_of(stages_.back())) standard_input += joined == "-" ? 1 : 0;
    }
    if (standard_input > 1) throw usage_error("standard input (-) can be read by one stage only");
  }

  SourcePtr open() {
    SourcePtr source = build(stages_.size());
    first_ = false;
    return source;
  }
  std::string text() const {
    std::string joined;
    for (const Stage& stage : stages_) joined += (joined.empty() ? "" : " | ") + format_stage(stage);
    return joined;
  }
  // False if the place of each arrival that comes out is its `i`. Known after open().
  bool numbered() const { return numbered_after(stages_.size()); }
  const std::string& runs_json() const { return runs_json_; }

 private:
  static std::vector<std::string> files_of(const Stage& stage) {
    if (const auto* splice = std::get_if<SpliceStage>(&stage)) return splice->files;
    if (const auto* superpose = std::get_if<SuperposeStage>(&stage)) return superpose->files;
    return {};
  }

  // Whether the first `count` stages hand on numbers that the file gave.
  bool numbered_after(size_t count) const {
    const auto keeps = [](const Stage& stage) {
      return std::holds_alternative<ScaleRateStage>(stage) || std::holds_alternative<ShiftStage>(stage) ||
             std::holds_alternative<DequantiseStage>(stage);
    };
    return numbered_ && std::all_of(stages_.begin(), stages_.begin() + static_cast<ptrdiff_t>(count), keeps);
  }

  // The source that comes out of the first `count` stages.
  SourcePtr build(size_t count) {
    SourcePtr source = open_file(file_, true);
    for (size_t place = 0; place < count; ++place) source = apply(std::move(source), place);
    return source;
  }

  std::unique_ptr<FileSource> open_file(const std::string& path, bool main) {
    TraceOptions options = options_.trace;
    std::string name = path;
    if (reads_again_ && !is_regular(path)) {
      auto spool = spools_.find(path);
      if (spool == spools_.end()) {
        spool = spools_.emplace(path, std::make_unique<Spool>(path, options.reader.stop)).first;
      }
      name = spool->second->path();
    }
    if (reads_again_) {  // look at the order once only
      const auto [known, fresh] = sort_.try_emplace(name, SortMode::assume);
      if (fresh) {
        known->second = settled_sort_mode(name, options);
      } else {
        options.notice = nullptr;
      }
      options.sort = known->second;
    }
    auto source = open_trace(name, options);
    if (first_) {
      if (main) numbered_ = source->numbered();
      const std::string runs = source->runs_json();
      if (!runs.empty()) runs_json_ += (runs_json_.empty() ? "" : ",") + runs;
    }
    return source;
  }

  SourcePtr apply(SourcePtr in, size_t place) {
    const Stage& stage = stages_[place];
    if (const auto* s = std::get_if<ScaleRateStage>(&stage)) return make_scale_rate(std::move(in), *s);
    if (const auto* s = std::get_if<ThinStage>(&stage)) {
      return make_thin(std::move(in), *s, options_.seed, static_cast<uint32_t>(place));
    }
    if (const auto* s = std::get_if<ClipStage>(&stage)) return make_clip(std::move(in), *s);
    if (const auto* s = std::get_if<ShiftStage>(&stage)) return make_shift(std::move(in), *s);
    if (const auto* s = std::get_if<LoopStage>(&stage)) {
      return make_loop(
          std::move(in), [this, place] { return again(place); }, *s);
    }
    if (const auto* s = std::get_if<DequantiseStage>(&stage)) return dequantise(std::move(in), place, *s);
    bool numbered = numbered_after(place);
    std::vector<SourcePtr> sources;
    sources.push_back(std::move(in));
    for (const std::string& path : files_of(stage)) {
      auto source = open_file(path, false);
      numbered = numbered && source->numbered();
      sources.push_back(std::move(source));
    }
    return std::holds_alternative<SpliceStage>(stage) ? make_splice(std::move(sources))
                                                      : make_superpose(std::move(sources), numbered);
  }

  // Another copy of what the first `count` stages give.
  SourcePtr again(size_t count) {
    const bool was_first = std::exchange(first_, false);
    SourcePtr source = build(count);
    first_ = was_first;
    return source;
  }

  SourcePtr dequantise(SourcePtr in, size_t place, const DequantiseStage& stage) {
    if (stage.mode == Dequantise::none) return in;
    std::optional<int64_t> step = stage.resolution_ns;
    if (!step && in->about().resolution_ns > 0) step = in->about().resolution_ns;
    if (!step) {
      const auto [known, fresh] = resolution_.try_emplace(place, 0);
      if (fresh) known->second = find_resolution(place);
      step = known->second;
    }
    return make_dequantise(std::move(in), stage.mode, *step, options_.seed);
  }

  int64_t find_resolution(size_t place) {
    const SourcePtr source = again(place);
    stats::ResolutionDetector detector(options_.seed);
    records::Arrival arrival;
    while (source->next(arrival)) detector.add(arrival.t_ns);
    const stats::Resolution found = detector.result();
    if (found.resolution_ns > 0) return found.resolution_ns;
    if (found.arrivals <= 1) return 1;
    throw input_error(
        "dequantise: all {} arrivals have one time; name the step of the clock, as in \"{} 1s\"",
        found.arrivals, format_stage(stages_[place]));
  }

  std::string file_;
  XformOptions options_;
  std::vector<Stage> stages_;
  bool reads_again_ = false;
  bool first_ = true;
  bool numbered_ = false;
  std::string runs_json_;
  std::map<std::string, std::unique_ptr<Spool>> spools_;
  std::map<std::string, SortMode> sort_;
  std::map<size_t, int64_t> resolution_;
};

}  // namespace

void run_xform(const std::vector<std::string>& stages, const std::string& file, const XformOptions& options,
               records::Run base, records::Writer& writer) {
  Chain chain(stages, file, options);
  const SourcePtr source = chain.open();
  complete_run(base, source->about(), chain.runs_json());
  if (!base.seed) base.seed = options.seed;
  if (!stages.empty()) base.stages = chain.text();
  writer.run(base);
  writer.arrival_lines({}, 0, 0);  // a trace, even if it turns out empty

  const StopFlag* stop = options.trace.reader.stop;
  const auto stopped = [stop] { return stop != nullptr && *stop; };
  const bool numbered = chain.numbered();
  records::Arrival arrival;
  while (!stopped() && source->next(arrival)) {
    if (!numbered) arrival.i.reset();  // its place says it
    writer.write(arrival);
  }
  records::End end;
  if (stopped()) {
    end.interrupted = true;
  } else {
    end.duration_ns = source->duration_ns();
  }
  writer.end(end);
  if (!stopped()) refuse_truncation(*source, options.trace.reader);
}

}  // namespace mlq::arrival
