#include <fmt/format.h>

#include "lib/arrival/import/format.h"
#include "lib/base/error.h"
#include "lib/jsonl/utf8.h"
#include "lib/records/codec.h"

namespace mlq::arrival {

void ImportSink::arrival(int64_t t_ns, const records::Arrival& marks) {
  // The line of a record whose time is 0: the row is what stands behind the time.
  static const size_t head = [] {
    jsonl::Buffer line;
    records::write_record(line, records::Arrival{});
    return line.size() - std::string_view("}\n").size();
  }();
  scratch_.clear();
  records::write_record(scratch_, marks);
  const std::string_view line = scratch_.view();
  begin().raw(line.substr(head, line.size() - head - std::string_view("}\n").size()));
  commit(t_ns);
}

void ImportSink::bin(int64_t t_ns, int64_t dt_ns, double count, uint32_t klass) {
  if (klass == kNoClass && !bins_.empty() && t_ns < bins_.back().t_ns) {
    if (options_.sort == ImportSort::assume) refuse_inversion();
    ++bin_inversions_;
  }
  bins_.push_back({t_ns, dt_ns, count, klass});
}

uint32_t ImportSink::class_index(std::string_view name) {
  const auto [at, added] =
      class_index_.try_emplace(std::string(name), static_cast<uint32_t>(classes_.size()));
  if (added) {
    count_bad_bytes_of(name);
    classes_.emplace_back(name);
  }
  return at->second;
}

void ImportSink::count_bad_bytes_of(std::string_view text) {
  while (!text.empty()) {
    const size_t length = jsonl::utf8_length(text);
    if (length == 0) ++bad_bytes_;
    text.remove_prefix(std::max<size_t>(length, 1));
  }
}

std::string ImportSink::where() const { return fmt::format("{}:{}", file_, line_); }

void ImportSink::begin_file(std::string name) {
  file_ = std::move(name);
  line_ = 0;
  if (latest_ != INT64_MIN) file_start_ = latest_;
}

void ImportSink::refuse_inversion() const {
  throw input_error("{}: comes before the row above it in time (--sort yes sorts)", where());
}

}  // namespace mlq::arrival
