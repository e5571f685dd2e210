#include "lib/serve/gateway/emitter.h"

#include <fmt/format.h>

#include <chrono>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/records/serve_schema.h"

namespace mlq::serve {

EmitChoice parse_emit(std::string_view text) {
  EmitChoice choice{false, false, false, 0, 0};
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = std::min(rest.find(','), rest.size());
    const std::string_view item = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t colon = item.find(':');
    const std::string_view name = item.substr(0, colon);
    double share = 1;
    if (colon != item.npos) {
      const Ratio ratio = parse_ratio(item.substr(colon + 1));
      share = static_cast<double>(ratio.num) / static_cast<double>(ratio.den);
    }
    const bool whole = colon == item.npos;
    if (name == "state" && whole)
      choice.state = true;
    else if (name == "window" && whole)
      choice.window = true;
    else if (name == "arrival" && whole)
      choice.arrival = true;
    else if (name == "request" && share <= 1)
      choice.request = share;
    else if (name == "batch" && share <= 1)
      choice.batch = share;
    else
      throw usage_error(
          "\"{}\" is none of state, window, arrival, request[:SHARE], batch[:SHARE]; a share is as in 1%",
          item);
  }
  return choice;
}

std::string emit_text(const EmitChoice& choice) {
  std::string out;
  const auto add = [&](bool wanted, const std::string& name) {
    if (wanted) out += (out.empty() ? "" : ",") + name;
  };
  const auto shared = [](const char* name, double share) {
    return share == 1 ? std::string(name) : fmt::format("{}:{}", name, share);
  };
  add(choice.state, "state");
  add(choice.window, "window");
  add(choice.arrival, "arrival");
  add(choice.request > 0, shared("request", choice.request));
  add(choice.batch > 0, shared("batch", choice.batch));
  return out;
}

Emitter::Emitter(records::Writer& writer, const EmitChoice& choice)
    : writer_(writer), choice_(choice), start_ns_(SteadyClock().now_ns()), thread_([this] { run(); }) {}

Emitter::~Emitter() {
  if (thread_.joinable()) stop();
}

template <class T>
void Emitter::add(bool wanted, const T& record) {
  constexpr bool is_arrival = std::is_same_v<T, records::Arrival>;
  if (!wanted) return;
  const std::lock_guard lock(mutex_);
  if (stopping_ || failure_) return;
  if (held_ == kMostRecords) {
    ++lost_;
    ++unreported_;
    return;
  }
  if (pieces_.empty() || pieces_.back().arrivals != is_arrival) {
    pieces_.emplace_back();
    pieces_.back().arrivals = is_arrival;
  }
  Piece& piece = pieces_.back();
  records::write_record(piece.text, record);
  ++piece.count;
  if constexpr (is_arrival) piece.last_t_ns = record.t_ns;
  if (++held_ == kMostRecords / 2) wake_.notify_one();
}

void Emitter::emit(const records::Listen& r) { add(choice_.state, r); }
void Emitter::emit(const records::ServedModel& r) { add(choice_.state, r); }
void Emitter::emit(const records::Replica& r) { add(choice_.state, r); }
void Emitter::emit(const records::KnobChange& r) { add(choice_.state, r); }
void Emitter::emit(const records::ControllerChange& r) { add(choice_.state, r); }
void Emitter::emit(const records::ServeFault& r) { add(choice_.state, r); }
void Emitter::emit(const records::ServeWindow& r) { add(choice_.window, r); }
void Emitter::emit(const records::ServedBatch& r) { add(choice_.batch > 0, r); }
void Emitter::emit(const records::ServedRequest& r) { add(choice_.request > 0, r); }
void Emitter::emit(const records::Arrival& r) { add(choice_.arrival, r); }

// Twenty times a second, or sooner when much has come together.
void Emitter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, std::chrono::milliseconds(50),
                   [this] { return stopping_ || held_ >= kMostRecords / 2; });
    std::vector<Piece> pieces = std::move(pieces_);
    pieces_.clear();
    held_ = 0;
    if (unreported_ > 0) {
      Piece piece;
      records::write_record(piece.text,
                            records::Lost{SteadyClock().now_ns() - start_ns_, std::exchange(unreported_, 0)});
      piece.count = 1;
      pieces.push_back(std::move(piece));
    }
    writing_ = true;
    lock.unlock();
    write(pieces);
    lock.lock();
    writing_ = false;
    written_.notify_all();
    if (stopping_ && pieces_.empty()) return;
  }
}

void Emitter::write(std::vector<Piece>& pieces) {
  if (pieces.empty()) return;
  std::vector<Listener> listeners;
  {
    const std::lock_guard lock(mutex_);
    listeners.swap(listeners_);
  }
  for (const Piece& piece : pieces)
    std::erase_if(listeners, [&](const Listener& listener) { return !listener(piece.text.view()); });
  std::exception_ptr failure;
  try {
    for (const Piece& piece : pieces) {
      if (failure_) break;
      if (piece.arrivals)
        writer_.arrival_lines(piece.text.view(), piece.count, piece.last_t_ns);
      else
        writer_.lines(piece.text.view(), piece.count);
    }
    if (!failure_) writer_.flush();
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  for (Listener& listener : listeners) listeners_.push_back(std::move(listener));
  if (failure) failure_ = failure;
}

void Emitter::flush() {
  std::unique_lock lock(mutex_);
  wake_.notify_one();
  written_.wait(lock, [this] { return pieces_.empty() && !writing_; });
}

void Emitter::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

uint64_t Emitter::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

std::exception_ptr Emitter::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Emitter::listen(Listener listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

}  // namespace mlq::serve
