#include "lib/replay/run_stream.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/records/load_schema.h"

namespace mlq::replay {

Window WindowRecords::window() {
  Window out;
  out.index = index;
  if (records.empty()) throw input_error("window {}: there is no load_window record", index);
  out.from_ns = records.front().from_ns;
  out.to_ns = records.front().to_ns;
  for (const records::LoadWindow& record : records) {
    if (record.from_ns != out.from_ns || record.to_ns != out.to_ns)
      throw input_error("window {}: its load_window records name different times", index);
    if (record.unfinished.value_or(0) > 0) out.unfinished.emplace(record.klass, *record.unfinished);
  }
  try {
    out.accounts = accounts.finish();
  } catch (const Error& e) {
    throw input_error("window {}: {}", index, e.what());
  }
  return out;
}

RunStream::RunStream(const std::string& path, const records::ReaderOptions& options)
    : reader_(path, options), pending_(reader_.next()) {}

const records::Run& RunStream::run() const {
  static const records::Run none;
  return reader_.runs().empty() ? none : reader_.runs().front();
}

WindowRecords& RunStream::window_at(uint32_t index) {
  const std::optional<uint32_t> latest = current_ ? current_->index : given_;
  if (latest && (index < *latest || (!current_ && index == *latest)))
    throw input_error("window {} comes behind window {}", index, *latest);
  if (!current_) {
    current_.emplace();
    current_->index = index;
  }
  if (index == current_->index) return *current_;
  if (!ahead_) {
    ahead_.emplace();
    ahead_->index = index;
  }
  return *ahead_;
}

template <class T>
void RunStream::take(const T& record, const std::optional<uint32_t>& window) {
  (window ? window_at(*window).accounts : totals_).add(record);
}

void RunStream::take_record(const OnResult& on_result) {
  const std::string_view type = reader_.type();
  if (type == records::Schema<records::Result>::type) {
    auto result = reader_.as<records::Result>();
    on_result(result);
  } else if (type == records::Schema<records::LoadWindow>::type) {
    auto record = reader_.as<records::LoadWindow>();
    if (!record.window) throw input_error("load_window without its number");
    take(static_cast<const records::LoadStats&>(record), record.window);
    window_at(*record.window).records.push_back(std::move(record));
  } else if (type == records::Schema<records::Hist>::type) {
    const auto record = reader_.as<records::Hist>();
    take(record, record.window);
  } else if (type == records::Schema<records::OutcomeCount>::type) {
    const auto record = reader_.as<records::OutcomeCount>();
    take(record, record.window);
  } else if (type == records::Schema<records::Summary>::type) {
    summaries_.push_back(reader_.as<records::Summary>());
    totals_.add(summaries_.back());
  } else {
    reader_.pass_over();
  }
}

bool RunStream::next_window(WindowRecords& window, const OnResult& on_result) {
  if (!current_ && ahead_) current_ = std::exchange(ahead_, std::nullopt);
  while (pending_ && !ahead_) {
    naming(reader_.where(), [&] { take_record(on_result); });
    pending_ = reader_.next();
  }
  if (!current_) return false;
  given_ = current_->index;
  window = std::move(*current_);
  current_.reset();
  return true;
}

Accounts RunStream::totals() {
  if (summaries_.empty())
    throw input_error("{}: there is no summary record; it is not the whole output of a run", reader_.name());
  return naming(reader_.name(), [&] { return totals_.finish(); });
}

const records::Summary* RunStream::summary(std::string_view klass) const {
  const auto at = std::find_if(summaries_.begin(), summaries_.end(),
                               [&](const records::Summary& s) { return s.klass == klass; });
  return at == summaries_.end() ? nullptr : &*at;
}

}  // namespace mlq::replay
