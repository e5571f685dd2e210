#include "lib/records/writer.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <new>

#include "lib/base/error.h"

namespace mlq::records {
namespace {

constexpr size_t kFlushAt = size_t{1} << 20;

}  // namespace

struct TraceHash::State {
  XXH3_state_t* xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

TraceHash::TraceHash() : state_(std::make_unique<State>()) {
  if (state_->xxh == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state_->xxh);
}
TraceHash::TraceHash(TraceHash&&) noexcept = default;
TraceHash& TraceHash::operator=(TraceHash&&) noexcept = default;
TraceHash::~TraceHash() = default;

void TraceHash::update(std::string_view lines) {
  XXH3_128bits_update(state_->xxh, lines.data(), lines.size());
}

std::string TraceHash::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

Writer::Writer(Output output, bool provenance) : output_(std::move(output)), provenance_(provenance) {}

void Writer::run(const Run& run) {
  if (provenance_) write_record(buffer_, run);
}

void Writer::arrival_written(std::string_view line, int64_t t_ns) {
  hash_.update(line);
  trace_ = true;
  last_t_ns_ = std::max(last_t_ns_, t_ns);
}

template <class Step>
void Writer::pass_on(Step step) {
  if (without_reader_) return;
  try {
    step();
  } catch (const ClosedPipe&) {
    if (!reader_has_gone_) throw;
    without_reader_ = true;
    reader_has_gone_();
  }
}

void Writer::arrival_lines(std::string_view lines, uint64_t count, int64_t last_t_ns) {
  trace_ = true;
  if (count == 0) return;
  flush();
  arrival_written(lines, last_t_ns);
  count_ += count;
  pass_on([&] { output_.write(lines); });
}

void Writer::lines(std::string_view lines, uint64_t count) {
  buffer_.raw(lines);
  count_ += count;
  flush_if_full();
}

void Writer::write_buffer() {
  if (buffer_.empty()) return;
  pass_on([&] { output_.write(buffer_.view()); });
  buffer_.clear();
}

void Writer::flush() {
  write_buffer();
  pass_on([&] { output_.flush(); });
}

void Writer::flush_if_full() {
  if (buffer_.size() >= kFlushAt) write_buffer();
}

void Writer::end(End end) {
  if (end.interrupted.value_or(false) && output_.replaces_file() && !keep_interrupted_) return;
  end.count = count_;
  if (trace_) {
    end.duration_ns = std::max(end.duration_ns.value_or(0), last_t_ns_);
    end.trace_xxh3 = hash_.hex();
  }
  if (provenance_) write_record(buffer_, end);
  write_buffer();
  pass_on([&] { output_.close(); });
}

}  // namespace mlq::records
