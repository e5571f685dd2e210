#include "lib/replay/windows.h"

#include <algorithm>

#include "lib/base/error.h"

namespace mlq::replay {
namespace {

int64_t saturating_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

}  // namespace

void Window::for_each(const std::function<void(std::string_view, const Account&, uint64_t)>& visit) const {
  const auto waiting = [&](std::string_view klass) {
    const auto at = unfinished.find(klass);
    return at == unfinished.end() ? 0 : at->second;
  };
  static const Account nothing;
  visit(kAll, accounts.all(), waiting(kAll));
  auto account = accounts.classes().begin();
  auto other = unfinished.begin();
  const auto end = accounts.classes().end();
  // Two sorted lists of classes side by side: a class may have nothing but unfinished requests.
  while (account != end || other != unfinished.end()) {
    if (other != unfinished.end() &&
        (other->first == kAll || (account != end && other->first == account->first))) {
      ++other;
    } else if (account == end || (other != unfinished.end() && other->first < account->first)) {
      visit(other->first, nothing, other->second);
      ++other;
    } else {
      visit(account->first, account->second, waiting(account->first));
      ++account;
    }
  }
}

void Window::merge(const Window& other) {
  from_ns = std::min(from_ns, other.from_ns);
  to_ns = std::min(to_ns, other.to_ns);
  accounts.merge(other.accounts);
  for (const auto& [klass, count] : other.unfinished) unfinished[klass] += count;
}

Windows::Windows(const WindowOptions& options) : options_(options) {
  if ((options_.window_ns > 0) == (options_.window_n > 0) || options_.window_ns < 0) {
    throw usage_error("windows have a length in time or in requests, one of them");
  }
}

uint64_t Windows::index_of(uint64_t i, int64_t due_ns) const {
  if (options_.window_n > 0) return i / options_.window_n;
  return static_cast<uint64_t>(std::max<int64_t>(due_ns, 0) / options_.window_ns);
}

void Windows::due(uint64_t i, int64_t due_ns, std::string_view klass) {
  const uint64_t index = index_of(i, due_ns);
  if (index < floor_) return;
  if (index > std::numeric_limits<uint32_t>::max())
    throw input_error("request {}: more than 2^32 windows; make them longer", i);
  auto at = open_.find(index);
  if (at == open_.end()) {
    if (open_.size() >= kMostOpen) close_oldest();
    at = open_.try_emplace(index).first;
    at->second.first_due_ns = due_ns;
  }
  Open& open = at->second;
  open.first_due_ns = std::min(open.first_due_ns, due_ns);
  ++open.outstanding;
  const auto count = [&](std::string_view name) {
    const auto known = open.due.find(name);
    if (known != open.due.end()) {
      ++known->second;
    } else if (open.due.size() <= Accounts::kMostClasses) {
      open.due.emplace(name, 1);
    }
  };
  count(kAll);
  if (!klass.empty() && klass != kAll) count(klass);
}

void Windows::add(const records::Result& result, std::span<const uint64_t> gaps) {
  const auto at = open_.find(index_of(result.i, result.due_ns));
  if (at == open_.end()) return;
  at->second.accounts.add(result, gaps);
  if (at->second.outstanding > 0) --at->second.outstanding;
}

void Windows::advance(int64_t next_due_ns, uint64_t next_i) {
  next_index_ = std::max(next_index_, index_of(next_i, next_due_ns));
  next_due_ns_ = next_due_ns;
}

void Windows::end(int64_t to_ns) {
  next_index_ = kNoMore;
  next_due_ns_.reset();
  run_end_ns_ = to_ns;
}

// The end of a window whose requests have all come, or that is closed early.
int64_t Windows::end_of(uint64_t index) const {
  if (options_.window_ns > 0) {
    int64_t end = 0;
    if (__builtin_mul_overflow(static_cast<int64_t>(index + 1), options_.window_ns, &end)) end = INT64_MAX;
    return run_end_ns_ ? std::min(end, *run_end_ns_) : end;
  }
  const auto next = open_.upper_bound(index);
  if (next != open_.end()) return next->second.first_due_ns;
  if (next_due_ns_) return *next_due_ns_;
  return run_end_ns_.value_or(open_.at(index).first_due_ns);
}

int64_t Windows::wait_of(uint64_t index, const Open& open) const {
  if (options_.wait_ns) return *options_.wait_ns;
  return options_.window_ns > 0 ? options_.window_ns : end_of(index) - open.first_due_ns;
}

void Windows::close_oldest() {
  const auto oldest = open_.begin();
  Open& open = oldest->second;
  Window window;
  window.index = static_cast<uint32_t>(oldest->first);
  window.from_ns =
      options_.window_ns > 0 ? static_cast<int64_t>(oldest->first) * options_.window_ns : open.first_due_ns;
  window.to_ns = end_of(oldest->first);
  for (const auto& [klass, due] : open.due) {
    const Account* const account = open.accounts.find(klass);
    const uint64_t have = account ? account->planned() : 0;
    if (due > have) window.unfinished.emplace(klass, due - have);
  }
  window.accounts = std::move(open.accounts);
  closed_.push_back(std::move(window));
  floor_ = oldest->first + 1;
  open_.erase(oldest);
}

ClosedWindows Windows::take(int64_t now_ns) {
  while (!open_.empty()) {
    const auto& [index, open] = *open_.begin();
    if (!has_passed(index)) break;
    if (open.outstanding > 0 && now_ns < saturating_add(end_of(index), wait_of(index, open))) break;
    close_oldest();
  }
  ClosedWindows out{std::exchange(closed_, {}), std::max(next_index_, floor_), next_due_ns_};
  if (!open_.empty()) {
    out.closed_below = open_.begin()->first;
    out.frontier_ns = open_.begin()->second.first_due_ns;
  }
  return out;
}

WindowMerger::WindowMerger(size_t shards) : shards_(shards) {}

void WindowMerger::add(size_t shard, ClosedWindows closed) {
  for (Window& window : closed.windows) {
    const auto [at, is_new] = pending_.try_emplace(window.index);
    if (is_new) {
      at->second = std::move(window);
    } else {
      at->second.merge(window);
    }
  }
  shards_[shard] = {closed.closed_below, closed.frontier_ns};
}

std::vector<Window> WindowMerger::take() {
  uint64_t below = kNoMore;
  for (const Shard& shard : shards_) below = std::min(below, shard.closed_below);
  std::vector<Window> out;
  while (!pending_.empty() && pending_.begin()->first < below) {
    Window window = std::move(pending_.begin()->second);
    pending_.erase(pending_.begin());
    // By index, a window lasts until the first request behind it, which may be another shard's.
    if (!pending_.empty()) window.to_ns = std::min(window.to_ns, pending_.begin()->second.from_ns);
    for (const Shard& shard : shards_) {
      if (shard.frontier_ns) window.to_ns = std::min(window.to_ns, *shard.frontier_ns);
    }
    window.to_ns = std::max(window.to_ns, window.from_ns);
    out.push_back(std::move(window));
  }
  return out;
}

std::vector<records::LoadWindow> window_records(const Window& window, std::span<const stats::SloTerm> slo) {
  std::vector<records::LoadWindow> out;
  window.for_each([&](std::string_view klass, const Account& account, uint64_t unfinished) {
    records::LoadWindow record;
    record.klass = klass;
    record.window = window.index;
    account.describe({window.from_ns, window.to_ns, std::nullopt, unfinished}, slo, record);
    out.push_back(std::move(record));
  });
  return out;
}

}  // namespace mlq::replay
