#include "lib/arrival/trace/source.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "lib/arrival/trace/packed_arrivals.h"

namespace mlq::arrival {
namespace {

// What is wrong when order is broken, and what to do about it.
Error disorder(const records::Reader& reader, int64_t t_ns, int64_t before_ns) {
  return input_error("{}: t_ns {} comes after {}; the trace is out of order (--sort memory sorts it first)",
                     reader.where(), t_ns, before_ns);
}

// The stream as it comes.
class Streamed final : public FileSource {
 public:
  Streamed(const std::string& path, const TraceOptions& options, bool ordered)
      : reader_(path, options.reader), other_(options.other), notice_(options.notice), ordered_(ordered) {
    pending_ = read(first_);
    numbered_ = !pending_ || own_number_;
    if (!reader_.runs().empty()) about_ = reader_.runs().front();
    runs_json_ = reader_.runs_json();
  }

  bool next(records::Arrival& arrival) override {
    if (!pending_) return read(arrival);
    pending_ = false;
    std::swap(arrival, first_);
    return true;
  }
  int64_t duration_ns() const override { return duration_ns_; }
  const records::Run& about() const override { return about_; }
  std::string truncation() const override { return ended_ ? reader_.truncation() : ""; }
  std::string runs_json() const override { return runs_json_; }
  uint64_t inversions() const override { return inversions_; }
  bool numbered() const override { return numbered_; }
  const records::Reader& reader() const { return reader_; }

 private:
  bool read(records::Arrival& arrival) {
    if (ended_) return false;
    while (reader_.next()) {
      if (reader_.type() == records::Schema<records::Arrival>::type) {
        arrival = reader_.as<records::Arrival>();
        take(arrival);
        return true;
      }
      if (other_ && other_(reader_)) continue;
      reader_.pass_over();
      ++passed_over_;
    }
    finish();
    return false;
  }

  void take(records::Arrival& arrival) {
    if (arrival.t_ns < 0) throw input_error("{}: t_ns {} is negative", reader_.where(), arrival.t_ns);
    if (count_ > 0 && arrival.t_ns < before_ns_) {
      if (ordered_) throw disorder(reader_, arrival.t_ns, before_ns_);
      ++inversions_;
    }
    before_ns_ = arrival.t_ns;
    duration_ns_ = std::max(duration_ns_, arrival.t_ns);
    own_number_ = arrival.i.has_value();
    if (!own_number_) arrival.i = count_;
    ++count_;
  }

  void finish() {
    ended_ = true;
    if (count_ == 0 && passed_over_ > 0 && notice_) {
      notice_(fmt::format("{}: no arrivals among {} records; is it a trace?", reader_.name(), passed_over_));
    }
    if (reader_.end() && reader_.end()->duration_ns) {
      duration_ns_ = std::max(duration_ns_, *reader_.end()->duration_ns);
    }
  }

  records::Reader reader_;
  std::function<bool(const records::Reader&)> other_;
  std::function<void(const std::string&)> notice_;
  bool ordered_;
  records::Arrival first_;  // read at the start, so that the run record is known
  bool pending_ = false;
  bool ended_ = false;
  bool own_number_ = false;
  bool numbered_ = false;
  records::Run about_;
  std::string runs_json_;
  uint64_t count_ = 0;
  uint64_t passed_over_ = 0;
  uint64_t inversions_ = 0;
  int64_t before_ns_ = 0;
  int64_t duration_ns_ = 0;
};

// The whole stream, read at the first next() and sorted.
class Sorted final : public FileSource {
 public:
  Sorted(const std::string& path, const TraceOptions& options)
      : stream_(path, options, false),
        packed_(options.memory_bytes),
        stop_(options.reader.stop),
        notice_(options.notice) {}

  bool next(records::Arrival& arrival) override {
    if (!loaded_) load();
    return !stopped() && packed_.next(arrival);
  }
  int64_t duration_ns() const override { return stream_.duration_ns(); }
  const records::Run& about() const override { return stream_.about(); }
  std::string truncation() const override { return stream_.truncation(); }
  std::string runs_json() const override { return stream_.runs_json(); }
  uint64_t inversions() const override { return stream_.inversions(); }
  bool numbered() const override { return stream_.numbered(); }

 private:
  bool stopped() const { return stop_ != nullptr && *stop_; }

  void load() {
    loaded_ = true;
    records::Arrival arrival;
    while (!stopped() && stream_.next(arrival)) {
      if (packed_.add(arrival)) continue;
      throw input_error(
          "{}: the trace is out of order and too large to be sorted in memory; `mlq-loadgen import jsonl` "
          "sorts "
          "on disk, --memory raises the limit",
          stream_.reader().name());
    }
    packed_.sort();
    if (stream_.inversions() > 0 && notice_) {
      notice_(fmt::format("{}: {} of {} arrivals came before an earlier one; sorted", stream_.reader().name(),
                          stream_.inversions(), packed_.size()));
    }
  }

  Streamed stream_;
  PackedArrivals packed_;
  const StopFlag* stop_;
  std::function<void(const std::string&)> notice_;
  bool loaded_ = false;
};

// True if the arrivals of a file come in order of time.
bool in_order(const std::string& path, const TraceOptions& options) {
  records::Reader reader(path, options.reader);
  int64_t before_ns = 0;
  while (reader.next()) {
    if (reader.type() != records::Schema<records::Arrival>::type) continue;
    const auto members = reader.members();
    const auto t =
        std::find_if(members.begin(), members.end(), [](const auto& m) { return m.key == "t_ns"; });
    const auto t_ns = t == members.end() ? std::nullopt : t->value.as_int64();
    if (!t_ns) return true;  // reading the record says what is wrong with it
    if (*t_ns < before_ns) return false;
    before_ns = *t_ns;
  }
  return true;
}

}  // namespace

void complete_run(records::Run& run, const records::Run& about, const std::string& runs_json) {
  const auto fill = [](auto& value, const auto& from) {
    if (!value) value = from;
  };
  fill(run.epoch_unix_ns, about.epoch_unix_ns);
  fill(run.resolution_ns, about.resolution_ns);
  fill(run.tick_ns, about.tick_ns);
  fill(run.prefix_block_tokens, about.prefix_block_tokens);
  fill(run.source_name, about.source_name);
  fill(run.source_license, about.source_license);
  fill(run.source_xxh3, about.source_xxh3);
  if (!runs_json.empty()) run.inputs = records::RawJson{"[" + runs_json + "]"};
}

SortMode settled_sort_mode(const std::string& path, const TraceOptions& options) {
  if (options.sort != SortMode::automatic) return options.sort;
  std::error_code error;
  if (path == "-" || !std::filesystem::is_regular_file(path, error)) return SortMode::assume;
  return in_order(path, options) ? SortMode::assume : SortMode::memory;
}

std::unique_ptr<FileSource> open_trace(const std::string& path, const TraceOptions& options) {
  if (settled_sort_mode(path, options) == SortMode::memory) return std::make_unique<Sorted>(path, options);
  return std::make_unique<Streamed>(path, options, true);
}

void refuse_truncation(const Source& source, const records::ReaderOptions& options) {
  const std::string wrong = source.truncation();
  if (wrong.empty() || options.allow_truncated) return;
  throw input_error("{} (--allow-truncated accepts it)", wrong);
}

}  // namespace mlq::arrival
